import type { Account, RoleAssignment as RoleAssignmentRow } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { type Place, requiredRoles } from './eligibility.ts';

export type { RoleAssignmentRow };

/**
 * Who may grant for a product on a site now, for many places at once: active members whose synced role
 * covers it, in the order of their ids, those after `after`, at most `limit` each. One statement.
 */
export async function listEligibleGrantors(
  db: Transaction,
  pages: readonly { place: Place; after: string | null; limit: number }[],
): Promise<Account[][]> {
  const asked = pages.map(({ place: { site, product }, after, limit }, page) => ({
    ...{ page, after, limit },
    organization_id: site.organizationId,
    site_id: site.id,
    product_id: product.id,
    ...rolesByReach(site.status === 'ACTIVE' && product.licensed ? requiredRoles(site.experience) : []),
  }));
  const found = await db.$queryRawUnsafe<(Account & { page: number })[]>(
    `SELECT asked.page, holder.*
       FROM jsonb_to_recordset($1::jsonb) AS asked(page int, after uuid, "limit" int, organization_id uuid, site_id uuid,
              product_id uuid, over_organization text[], over_site text[], over_product text[])
      CROSS JOIN LATERAL (
        SELECT a.id, a.kind::text AS kind, a.email, a.subject, a.name, a.active, a.capabilities::text[] AS capabilities,
               a.organization_id AS "organizationId", a.created_at AS "createdAt"
          FROM accounts a
         WHERE a.active AND (asked.after IS NULL OR a.id > asked.after)
           AND a.id IN (
             SELECT r.account_id FROM role_assignments r
              WHERE r.organization_id = asked.organization_id AND r.sync_state = 'SYNCED'
                AND (r.site_id IS NULL AND r.role::text = ANY (asked.over_organization)
                  OR r.site_id = asked.site_id AND r.product_id IS NULL AND r.role::text = ANY (asked.over_site)
                  OR r.product_id = asked.product_id AND r.role::text = ANY (asked.over_product)))
         ORDER BY a.id LIMIT asked."limit") AS holder
      ORDER BY asked.page, holder.id`,
    JSON.stringify(asked),
  );
  const byPage: Account[][] = pages.map(() => []);
  for (const { page, ...account } of found) byPage[page]?.push(account);
  return byPage;
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
