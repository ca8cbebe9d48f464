/**
 * Who may grant, written down from the role table by hand: what each role is worth for a product on a site,
 * by what it is held over. The code is checked against this, so nothing here is taken from the code.
 */
import type { ObstacleCode, Place } from '../../src/roles/eligibility.ts';
import type { Experience, Role, RoleAssignment } from '../../src/roles/role.ts';
import type { Holding } from './builders.ts';

/** `COUNTS`: its holder may grant. `NOTHING`: it is no role that grants. Otherwise what stands in its way. */
type Worth = 'COUNTS' | 'NOTHING' | readonly ObstacleCode[];
type Worths = Partial<Record<Holding, Worth>>;

const notHere = ['ROLE_NOT_IN_THIS_EXPERIENCE'] as const;
const wrongProduct = ['WRONG_PRODUCT'] as const;
const wrongSite = ['WRONG_SITE'] as const;
const wrongBoth = ['WRONG_PRODUCT', 'WRONG_SITE'] as const;
const notListed = ['NOT_LISTED_AS_CONTACT'] as const;

/** Only that product on that site. */
const administersTheProduct = {
  THIS_PRODUCT: 'COUNTS',
  OTHER_PRODUCT: wrongProduct,
  THIS_PRODUCT_ON_OTHER_SITE: wrongSite,
  OTHER_PRODUCT_ON_OTHER_SITE: wrongBoth,
} as const satisfies Worths;

/** Products on sites where listed: for one product, or for the whole site. */
const listedCentralized = {
  THIS_SITE: 'COUNTS',
  OTHER_SITE: notListed,
  THIS_PRODUCT: 'COUNTS',
  OTHER_PRODUCT: notListed,
  THIS_PRODUCT_ON_OTHER_SITE: notListed,
  OTHER_PRODUCT_ON_OTHER_SITE: notListed,
} as const satisfies Worths;

/** Only products where listed; a listing for the whole site is none. */
const listedOriginal = { ...listedCentralized, THIS_SITE: notListed } as const satisfies Worths;

export const roleTable: Record<Role, Record<Experience, Worths>> = {
  ORGANIZATION_ADMIN: {
    CENTRALIZED: { ORGANIZATION: 'COUNTS' },
    ORIGINAL: { ORGANIZATION: 'COUNTS' },
  },
  SITE_ADMIN: {
    CENTRALIZED: { THIS_SITE: notHere, OTHER_SITE: notHere },
    ORIGINAL: { THIS_SITE: 'COUNTS', OTHER_SITE: wrongSite },
  },
  USER_ACCESS_ADMIN: {
    CENTRALIZED: { THIS_SITE: 'COUNTS', OTHER_SITE: wrongSite },
    ORIGINAL: { THIS_SITE: notHere, OTHER_SITE: notHere },
  },
  PRODUCT_ADMIN: { CENTRALIZED: administersTheProduct, ORIGINAL: administersTheProduct },
  TRUSTED_USER: {
    CENTRALIZED: {
      THIS_PRODUCT: notHere,
      OTHER_PRODUCT: notHere,
      THIS_PRODUCT_ON_OTHER_SITE: notHere,
      OTHER_PRODUCT_ON_OTHER_SITE: notHere,
    },
    ORIGINAL: administersTheProduct,
  },
  BILLING_ADMIN: { CENTRALIZED: listedCentralized, ORIGINAL: listedOriginal },
  TECHNICAL_CONTACT: { CENTRALIZED: listedCentralized, ORIGINAL: listedOriginal },
  GUARD_ADMIN: {
    CENTRALIZED: { ORGANIZATION: 'NOTHING', THIS_SITE: 'NOTHING', OTHER_SITE: 'NOTHING' },
    ORIGINAL: { ORGANIZATION: 'NOTHING', THIS_SITE: 'NOTHING', OTHER_SITE: 'NOTHING' },
  },
};

/** The order in which obstacles are reported. */
export const obstacleOrder: readonly ObstacleCode[] = [
  'WRONG_PRODUCT',
  'WRONG_SITE',
  'NOT_LISTED_AS_CONTACT',
  'SITE_DEACTIVATED',
  'PRODUCT_NOT_LICENSED',
  'ROLE_NOT_SYNCED',
  'ROLE_NOT_IN_THIS_EXPERIENCE',
  'NO_MATCHING_ROLE',
  'NOT_A_MEMBER',
];

/** A role as a person holds it, in the words of the table. */
export type Held = {
  role: Role;
  holding: Holding;
  syncState: RoleAssignment['syncState'];
  /** Whether it is a role in the organization that the site belongs to. */
  inThisOrganization: boolean;
};

/** Every obstacle that the table puts in the way of somebody who holds these roles, in order; none: may grant. */
export function obstaclesByTable(held: readonly Held[], isMember: boolean, place: Place): ObstacleCode[] {
  const met: ObstacleCode[] = [];
  if (place.site.status === 'DEACTIVATED') met.push('SITE_DEACTIVATED');
  if (!place.product.licensed) met.push('PRODUCT_NOT_LICENSED');
  if (!isMember) met.push('NOT_A_MEMBER');
  else met.push(...ofRoles(held, place.site.experience));
  return obstacleOrder.filter((code) => met.includes(code));
}

function ofRoles(held: readonly Held[], experience: Experience): ObstacleCode[] {
  const here = held
    .filter(({ inThisOrganization }) => inThisOrganization)
    .map(({ role, holding, syncState }) => ({ worth: roleTable[role][experience][holding], syncState }));
  if (here.some(({ worth, syncState }) => worth === 'COUNTS' && syncState === 'SYNCED')) return [];
  const met = here.flatMap(({ worth }): readonly ObstacleCode[] => {
    if (worth === undefined) throw new Error('The table has no such holding of the role.');
    if (worth === 'COUNTS') return ['ROLE_NOT_SYNCED'];
    return worth === 'NOTHING' ? [] : worth;
  });
  return met.length === 0 ? ['NO_MATCHING_ROLE'] : [...met];
}
