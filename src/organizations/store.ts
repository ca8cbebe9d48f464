/** Organizations, their members, their sites and the products on them. */
import type { Account, Organization, Product, Site } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';

export type { Organization, Product, Site };
export type SiteWithOrganization = Site & { organization: Organization };
export type ProductWithSite = Product & { site: SiteWithOrganization };

/** A customer's: nobody does anything to the vendor's own. */
export async function findOrganization(tx: Transaction, id: string): Promise<Organization | null> {
  return await tx.organization.findUnique({ where: { id, NOT: { id: vendorOrganizationId } } });
}

/** Whether support access is restricted on any site of the organization. */
export async function isRestricted(tx: Transaction, organizationId: string): Promise<boolean> {
  return (await tx.site.count({ where: { organizationId, supportAccessRestricted: true } })) > 0;
}

/** An account, and whether it belongs to the organization. One statement. */
export async function findMember(
  tx: Transaction,
  organizationId: string,
  by: { id: string } | { email: string },
): Promise<{ account: Account | null; isMember: boolean }> {
  const found = await tx.account.findUnique({
    where: by,
    include: { memberships: { where: { organizationId } } },
    relationLoadStrategy: 'join',
  });
  if (found === null) return { account: null, isMember: false };
  const { memberships, ...account } = found;
  return { account, isMember: memberships.length > 0 };
}

export async function findSite(tx: Transaction, id: string): Promise<SiteWithOrganization | null> {
  return await tx.site.findUnique({
    where: { id },
    include: { organization: true },
    relationLoadStrategy: 'join',
  });
}

/** The product of the site with this id or key. One statement. */
export async function findProductOnSite(
  tx: Transaction,
  siteId: string,
  by: { id: string } | { key: string },
): Promise<Product | null> {
  return await tx.product.findFirst({ where: { ...by, siteId } });
}

/** Names a product on its site: by its id, or by its key and the URL of the site. */
export type ProductRef = { productId: string } | { siteUrl: string; productKey: string };

/** One statement. */
export async function findProduct(tx: Transaction, by: ProductRef): Promise<ProductWithSite | null> {
  return await tx.product.findFirst({
    where: 'productId' in by ? { id: by.productId } : { key: by.productKey, site: { url: by.siteUrl } },
    include: { site: { include: { organization: true } } },
    relationLoadStrategy: 'join',
  });
}

/** A site, or a product of it, that has ended and is not settled: unsettled.ts. */
export type UnsettledPlace = { siteId: string; productId: string | null };

/** At most `limit` of them, the longest unsettled first. One statement, two small partial indexes. */
export async function listUnsettledPlaces(db: Transaction, limit: number): Promise<UnsettledPlace[]> {
  return await db.$queryRawUnsafe<UnsettledPlace[]>(
    `SELECT "siteId", "productId" FROM (
       SELECT id::text AS "siteId", NULL AS "productId", unsettled_since FROM sites WHERE unsettled_since IS NOT NULL
       UNION ALL
       SELECT site_id::text, id::text, unsettled_since FROM products WHERE unsettled_since IS NOT NULL) AS place
      ORDER BY unsettled_since LIMIT $1::int`,
    limit,
  );
}

/** Whether a grant is open there, or a change request waits. One statement. */
export async function hasOpen(db: Transaction, place: UnsettledPlace): Promise<boolean> {
  const { siteId, productId } = place;
  const [row] = await db.$queryRawUnsafe<{ isOpen: boolean }[]>(
    `SELECT ${openInSql(place)} AS "isOpen"`,
    siteId,
    productId ?? siteId,
  );
  return row?.isOpen ?? false;
}

/** Takes the mark away, if nothing is open there any more. One statement; the caller holds the site's lock. */
export async function takeMarkAway(tx: Transaction, place: UnsettledPlace): Promise<void> {
  const { siteId, productId } = place;
  await tx.$executeRawUnsafe(
    `UPDATE ${productId === null ? 'sites' : 'products'} SET unsettled_since = NULL, unsettled_by_id = NULL
      WHERE id = $2::uuid AND unsettled_since IS NOT NULL AND NOT ${openInSql(place)}`,
    siteId,
    productId ?? siteId,
  );
}

/** `$1` is the site, `$2` the place itself. */
function openInSql({ productId }: UnsettledPlace): string {
  const there = productId === null ? 't.site_id = $2::uuid' : 't.product_id = $2::uuid';
  return `(EXISTS (SELECT FROM grants g JOIN tickets t ON t.id = g.ticket_id
                    WHERE g.site_id = $1::uuid AND ${there}
                      AND g.state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'))
        OR EXISTS (SELECT FROM change_requests c JOIN tickets t ON t.id = c.ticket_id
                    WHERE c.site_id = $1::uuid AND ${there} AND c.state IN ('PENDING_CONSENT', 'CONSENTED')))`;
}
