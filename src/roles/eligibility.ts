/**
 * Who may grant data access for a product on a site, and why somebody may not.
 *
 * The query, every refusal and every grant path use the same function, so they cannot disagree.
 */
import { type Experience, isWellFormed, type Role, type RoleAssignment, roleRules } from './role.ts';
import { counts } from './role-counts.ts';

export type ProductOnSite = {
  site: { id: string; organizationId: string; status: 'ACTIVE' | 'DEACTIVATED'; experience: Experience };
  product: { id: string; key: string; licensed: boolean };
};

export type Person = { isMember: boolean; assignments: readonly RoleAssignment[] };

/** In the order in which they are reported: the first is the one to fix first. */
export const obstacleCodes = [
  'WRONG_PRODUCT',
  'WRONG_SITE',
  'NOT_LISTED_AS_CONTACT',
  'TICKET_CLOSED',
  'SITE_DEACTIVATED',
  'PRODUCT_NOT_LICENSED',
  'ROLE_NOT_SYNCED',
  'ROLE_NOT_IN_THIS_EXPERIENCE',
  'NO_MATCHING_ROLE',
  'NOT_A_MEMBER',
] as const;

export type ObstacleCode = (typeof obstacleCodes)[number];

export type Eligibility = { allowed: true } | { allowed: false; obstacles: readonly ObstacleCode[] };

/** Decides whether the person may grant for the product on the site now; if not, returns every obstacle, in order. */
export function eligibility(person: Person, place: ProductOnSite): Eligibility {
  const found = new Set<ObstacleCode>();
  if (place.site.status === 'DEACTIVATED') found.add('SITE_DEACTIVATED');
  if (!place.product.licensed) found.add('PRODUCT_NOT_LICENSED');

  if (!person.isMember) {
    found.add('NOT_A_MEMBER');
  } else {
    const verdicts = person.assignments
      .filter((held) => held.organizationId === place.site.organizationId)
      .map((held) => assess(held, place));
    if (!verdicts.includes('COUNTS')) {
      for (const obstacle of verdicts.flat()) if (obstacle !== 'COUNTS') found.add(obstacle);
      if (verdicts.flat().length === 0) found.add('NO_MATCHING_ROLE');
    }
  }
  return found.size === 0
    ? { allowed: true }
    : { allowed: false, obstacles: obstacleCodes.filter((code) => found.has(code)) };
}

/**
 * Decides whether one role assignment counts for the product on the site; if not, returns its obstacles, none for a
 * role that never grants or is malformed.
 */
function assess(held: RoleAssignment, { site, product }: ProductOnSite): 'COUNTS' | ObstacleCode[] {
  const { covers, grantsIn } = roleRules[held.role];
  if (grantsIn.length === 0 || !isWellFormed(held)) return [];
  if (!grantsIn.some((experience) => experience === site.experience)) return ['ROLE_NOT_IN_THIS_EXPERIENCE'];

  const obstacles: ObstacleCode[] = [];
  switch (covers) {
    case 'ORGANIZATION':
      break;
    case 'SITE':
      if (held.siteId !== site.id) obstacles.push('WRONG_SITE');
      break;
    case 'PRODUCT':
      if (held.productKey !== product.key) obstacles.push('WRONG_PRODUCT');
      if (held.siteId !== site.id) obstacles.push('WRONG_SITE');
      break;
    case 'LISTING':
      if (!isListed(held, site, product)) obstacles.push('NOT_LISTED_AS_CONTACT');
      break;
  }
  if (obstacles.length === 0 && !counts(held)) obstacles.push('ROLE_NOT_SYNCED');
  return obstacles.length === 0 ? 'COUNTS' : obstacles;
}

/** A site-wide listing (no product) counts only under Centralized. */
function isListed(
  held: RoleAssignment,
  site: ProductOnSite['site'],
  product: ProductOnSite['product'],
): boolean {
  if (held.siteId !== site.id) return false;
  return held.productId === null ? site.experience === 'CENTRALIZED' : held.productId === product.id;
}

/** A role that allows granting, and what it must be held over. */
export type RequiredRole = { role: Role; over: 'ORGANIZATION' | 'SITE' | 'PRODUCT' };

/** Every role that allows granting on a site with this experience, in the order of the role table. */
export function requiredRoles(experience: Experience): RequiredRole[] {
  const roles = (Object.keys(roleRules) as Role[]).filter((role) =>
    roleRules[role].grantsIn.some((one) => one === experience),
  );
  return roles.flatMap((role) => placesOf(role, experience).map((over) => ({ role, over })));
}

function placesOf(role: Role, experience: Experience): RequiredRole['over'][] {
  const { covers } = roleRules[role];
  switch (covers) {
    case 'ORGANIZATION':
    case 'SITE':
    case 'PRODUCT':
      return [covers];
    case 'LISTING':
      return experience === 'CENTRALIZED' ? ['SITE', 'PRODUCT'] : ['PRODUCT'];
    case 'ORGANIZATION_OR_SITE':
      return [];
  }
}
