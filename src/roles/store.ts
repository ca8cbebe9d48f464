import type { Account, RoleAssignment as RoleAssignmentRow } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import type { PageWindow } from '../platform/page-windows.ts';
import { type ProductOnSite, requiredRoles } from './eligibility.ts';
import { countsInSql } from './role-counts.ts';
import { isVendorsInSql } from './vendor-domains.ts';

export type { RoleAssignmentRow };

/** One page of the people who may grant for a product on a site: the bounds of their ids, order and size. */
export type GrantorsWindow = PageWindow & { place: ProductOnSite };

/**
 * Who may grant for a product on a site now: active members whose synced role covers it, without people of the
 * vendor. Many pages in one statement.
 */
export async function listEligibleGrantors(
  db: Transaction,
  windows: readonly GrantorsWindow[],
): Promise<Account[][]> {
  const asked = windows.map(({ place: { site, product }, order, ...window }, place) => ({
    ...window,
    place,
    ascending: order === 'asc',
    organization_id: site.organizationId,
    site_id: site.id,
    product_id: product.id,
    ...rolesByReach(site.status === 'ACTIVE' && product.licensed ? requiredRoles(site.experience) : []),
  }));
  const found = await db.$queryRawUnsafe<(Account & { place: number })[]>(
    `SELECT asked.place, holder.*
       FROM jsonb_to_recordset($1::jsonb) AS asked(place int, below uuid, above uuid, ascending boolean, "limit" int,
              organization_id uuid, site_id uuid, product_id uuid,
              over_organization text[], over_site text[], over_product text[])
      CROSS JOIN LATERAL (
        SELECT a.id, a.kind::text AS kind, a.email, a.subject, a.name, a.active, a.capabilities::text[] AS capabilities,
               a.organization_id AS "organizationId", a.created_at AS "createdAt"
          FROM accounts a
         WHERE a.active AND NOT ${isVendorsInSql('a.email')} AND (asked.below IS NULL OR a.id < asked.below) AND (asked.above IS NULL OR a.id > asked.above)
           AND a.id IN (
             SELECT r.account_id FROM role_assignments r
              WHERE r.organization_id = asked.organization_id AND ${countsInSql}
                AND (r.site_id IS NULL AND r.role::text = ANY (asked.over_organization)
                  OR r.site_id = asked.site_id AND r.product_id IS NULL AND r.role::text = ANY (asked.over_site)
                  OR r.product_id = asked.product_id AND r.role::text = ANY (asked.over_product)))
         ORDER BY CASE WHEN asked.ascending THEN a.id END, a.id DESC LIMIT asked."limit") AS holder
      ORDER BY asked.place, CASE WHEN asked.ascending THEN holder.id END, holder.id DESC`,
    JSON.stringify(asked),
  );
  const byPlace: Account[][] = windows.map(() => []);
  for (const { place, ...account } of found) byPlace[place]?.push(account);
  return byPlace;
}

function rolesByReach(required: ReturnType<typeof requiredRoles>) {
  const over = (reach: 'ORGANIZATION' | 'SITE' | 'PRODUCT') =>
    required.filter((one) => one.over === reach).map(({ role }) => role);
  return {
    over_organization: over('ORGANIZATION'),
    over_site: over('SITE'),
    over_product: over('PRODUCT'),
  };
}

/**
 * SQL for whether an organization has an active organization admin who is a customer's user. `organizationId` and
 * `besides`, the id of an account that does not count, are SQL expressions.
 */
const hasAdminInSql = (organizationId: string, besides = 'NULL') => `EXISTS (
  SELECT FROM role_assignments r JOIN accounts a ON a.id = r.account_id
   WHERE r.organization_id = ${organizationId} AND r.role = 'ORGANIZATION_ADMIN' AND ${countsInSql}
     AND a.id IS DISTINCT FROM ${besides} AND a.active AND NOT ${isVendorsInSql('a.email')})`;

/** Whether there is another active organization admin besides this account. One statement. */
export async function hasAnotherAdmin(
  db: Transaction,
  { organizationId, accountId }: { organizationId: string; accountId: string },
): Promise<boolean> {
  const [row] = await db.$queryRawUnsafe<{ has: boolean }[]>(
    `SELECT ${hasAdminInSql('$1::uuid', '$2::uuid')} AS "has"`,
    organizationId,
    accountId,
  );
  return row?.has === true;
}

/** Who could confirm at a customer what an operator does. */
export type AdminFacts = {
  /** Whether there is an active organization admin who is a customer's user. */
  hasAdmin: boolean;
  /** Who was the last to stop being an active organization admin, and when; null: nobody was yet. */
  formerAdminId: string | null;
  formerAdminSince: Date | null;
};

const adminFactsInSql = `${hasAdminInSql('o.id')} AS "hasAdmin", o.former_admin_id AS "formerAdminId",
  o.former_admin_since AS "formerAdminSince"`;

/** One statement. Throws if there is no such organization. */
export async function findAdminFacts(db: Transaction, organizationId: string): Promise<AdminFacts> {
  const [found] = await db.$queryRawUnsafe<AdminFacts[]>(
    `SELECT ${adminFactsInSql} FROM organizations o WHERE o.id = $1::uuid`,
    organizationId,
  );
  if (found === undefined) throw new Error(`There is no organization ${organizationId}`);
  return found;
}

/** A role, the admins of its organization, and whether support access is restricted on a site of it. */
export type RoleUnderAdmin = RoleAssignmentRow & AdminFacts & { isRestricted: boolean };

/** The roles of an account. Two statements. */
export async function listRolesOf(db: Transaction, accountId: string): Promise<RoleUnderAdmin[]> {
  const roles = await db.roleAssignment.findMany({ where: { accountId }, orderBy: { id: 'asc' } });
  const organizations = await db.$queryRawUnsafe<(AdminFacts & { id: string; isRestricted: boolean })[]>(
    `SELECT o.id, ${adminFactsInSql},
            EXISTS (SELECT FROM sites s WHERE s.organization_id = o.id AND s.support_access_restricted) AS "isRestricted"
       FROM organizations o
      WHERE o.id IN (SELECT organization_id FROM role_assignments WHERE account_id = $1::uuid)`,
    accountId,
  );
  const byId = new Map(organizations.map(({ id, ...facts }) => [id, facts]));
  return roles.flatMap((role) => {
    const facts = byId.get(role.organizationId);
    return facts === undefined ? [] : [{ ...role, ...facts }];
  });
}

/**
 * Notes that the account stops being an active organization admin, where it is one: in the organization, or in all. Run
 * it before its roles or the account change. One statement.
 */
export async function noteFormerAdmin(
  tx: Transaction,
  { accountId, organizationId = null }: { accountId: string; organizationId?: string | null },
  now: Date,
): Promise<void> {
  await tx.$executeRawUnsafe(
    `UPDATE organizations o SET former_admin_id = a.id, former_admin_since = $3::timestamptz
       FROM role_assignments r JOIN accounts a ON a.id = r.account_id
      WHERE r.organization_id = o.id AND r.account_id = $1::uuid AND r.role = 'ORGANIZATION_ADMIN' AND ${countsInSql}
        AND a.active AND ($2::uuid IS NULL OR o.id = $2::uuid)`,
    accountId,
    organizationId,
    now,
  );
}

/** Removes role assignments. One statement. */
export async function removeRoles(db: Transaction, roles: readonly RoleAssignmentRow[]): Promise<void> {
  await db.roleAssignment.deleteMany({ where: { id: { in: roles.map(({ id }) => id) } } });
}
