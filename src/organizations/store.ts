/** Organizations, their members, their sites and the products on them. */
import type { Account, Organization, Product, Site } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';

export type { Organization, Product, Site };
export type SiteWithOrganization = Site & { organization: Organization };
export type ProductWithSite = Product & { site: SiteWithOrganization };

export async function findOrganization(tx: Transaction, id: string): Promise<Organization | null> {
  return await tx.organization.findUnique({ where: { id } });
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
