/** Roles, what each covers, and in which user management experience it counts. */
import { counts } from './role-counts.ts';

export type Role =
  | 'ORGANIZATION_ADMIN'
  | 'SITE_ADMIN'
  | 'USER_ACCESS_ADMIN'
  | 'PRODUCT_ADMIN'
  | 'TRUSTED_USER'
  | 'BILLING_ADMIN'
  | 'TECHNICAL_CONTACT'
  | 'GUARD_ADMIN'
  | 'AUDITOR';

export type Experience = 'CENTRALIZED' | 'ORIGINAL';

/** What an assignment of the role must name: nothing below the organization, a site, or a product on a site. */
type Coverage = 'ORGANIZATION' | 'SITE' | 'PRODUCT' | 'LISTING' | 'ORGANIZATION_OR_SITE';

type RoleRule = {
  covers: Coverage;
  /** The experiences in which a holder may grant data access. */
  grantsIn: readonly Experience[];
  label: string;
};

/** Who may grant: the role table. A listing names a site and, under ORIGINAL always, a product. */
export const roleRules = {
  ORGANIZATION_ADMIN: {
    covers: 'ORGANIZATION',
    grantsIn: ['CENTRALIZED', 'ORIGINAL'],
    label: 'Organization admin',
  },
  SITE_ADMIN: { covers: 'SITE', grantsIn: ['ORIGINAL'], label: 'Site admin' },
  USER_ACCESS_ADMIN: { covers: 'SITE', grantsIn: ['CENTRALIZED'], label: 'User access admin' },
  PRODUCT_ADMIN: { covers: 'PRODUCT', grantsIn: ['CENTRALIZED', 'ORIGINAL'], label: 'Product admin' },
  TRUSTED_USER: { covers: 'PRODUCT', grantsIn: ['ORIGINAL'], label: 'Trusted user' },
  BILLING_ADMIN: { covers: 'LISTING', grantsIn: ['CENTRALIZED', 'ORIGINAL'], label: 'Billing admin' },
  TECHNICAL_CONTACT: { covers: 'LISTING', grantsIn: ['CENTRALIZED', 'ORIGINAL'], label: 'Technical contact' },
  GUARD_ADMIN: { covers: 'ORGANIZATION_OR_SITE', grantsIn: [], label: 'Guard admin' },
  AUDITOR: { covers: 'ORGANIZATION', grantsIn: [], label: 'Auditor' },
} as const satisfies Record<Role, RoleRule>;

/** Who holds which role over what. `siteId` null: the whole organization; `productId` null: the whole site. */
export type RoleAssignment = {
  id: string;
  accountId: string;
  role: Role;
  organizationId: string;
  siteId: string | null;
  productId: string | null;
  /** The key of the product named (`jira`), the same on every site; null with `productId`. */
  productKey: string | null;
  /** A role changed through SCIM and not yet synced does not count. */
  syncState: 'SYNCED' | 'PENDING_SYNC';
  /** Since when it counts, if it does: when it was assigned or synced, in milliseconds since 1970. */
  since: number;
};

/** Whether an assignment names what its role must name, no more and no less. */
export function isWellFormed({
  role,
  siteId,
  productId,
}: Pick<RoleAssignment, 'role' | 'siteId' | 'productId'>): boolean {
  const [site, product] = [siteId !== null, productId !== null];
  switch (roleRules[role].covers) {
    case 'ORGANIZATION':
      return !site && !product;
    case 'SITE':
      return site && !product;
    case 'PRODUCT':
      return site && product;
    case 'LISTING':
      return site;
    case 'ORGANIZATION_OR_SITE':
      return !product;
  }
}

/** The experiences in which the assignment allows granting on what it names, if it is synced: none, if malformed. */
export function experiencesIn(held: RoleAssignment): readonly Experience[] {
  const { covers, grantsIn }: RoleRule = roleRules[held.role];
  if (!isWellFormed(held)) return [];
  const isSiteWideListing = covers === 'LISTING' && held.productId === null;
  return isSiteWideListing ? grantsIn.filter((experience) => experience === 'CENTRALIZED') : grantsIn;
}

/** Whether somebody with these roles is a Guard admin of the site or its organization. Unsynced roles do not count. */
export function isGuardAdminOf(
  assignments: readonly RoleAssignment[],
  site: { id: string; organizationId: string },
): boolean {
  return guardAdminSince(assignments, site) !== null;
}

/**
 * Since when somebody with these roles is a Guard admin of the site or its organization, in milliseconds since 1970;
 * null if they are not.
 */
export function guardAdminSince(
  assignments: readonly RoleAssignment[],
  site: { id: string; organizationId: string },
): number | null {
  const reaching = assignments.filter(
    (held) =>
      held.role === 'GUARD_ADMIN' &&
      isWellFormed(held) &&
      counts(held) &&
      held.organizationId === site.organizationId &&
      (held.siteId === null || held.siteId === site.id),
  );
  return reaching.length === 0 ? null : Math.min(...reaching.map(({ since }) => since));
}

/** Whether somebody with these roles is an organization admin. Unsynced roles do not count. */
export function isOrganizationAdminOf(
  assignments: readonly RoleAssignment[],
  organizationId: string,
): boolean {
  return assignments.some(
    (held) => held.role === 'ORGANIZATION_ADMIN' && counts(held) && held.organizationId === organizationId,
  );
}

/**
 * Whether a synced role covers the site, its organization, or a product on it. Its holder may see the site; what
 * they may decide is narrower.
 */
export function reachesSite(held: RoleAssignment, site: { id: string; organizationId: string }): boolean {
  return (
    counts(held) &&
    held.organizationId === site.organizationId &&
    (held.siteId === null || held.siteId === site.id)
  );
}
