/**
 * The rules for who may grant, written by hand from the product's role table: whether each role counts for a product on
 * a site, by the place over which it is held. The code is tested against this table, so the table shares no logic with
 * the code.
 */
import type { ObstacleCode, ProductOnSite } from '../../src/roles/eligibility.ts';
import type { Experience, Role, RoleAssignment } from '../../src/roles/role.ts';
import type { Holding } from './builders.ts';

/** `COUNTS`: its holder may grant. `NOTHING`: the role never grants. Otherwise the obstacles. */
type Worth = 'COUNTS' | 'NOTHING' | readonly ObstacleCode[];
type Worths = Partial<Record<Holding, Worth>>;

const notHere = ['ROLE_NOT_IN_THIS_EXPERIENCE'] as const;
const wrongProduct = ['WRONG_PRODUCT'] as const;
const wrongSite = ['WRONG_SITE'] as const;
const wrongBoth = ['WRONG_PRODUCT', 'WRONG_SITE'] as const;
const notListed = ['NOT_LISTED_AS_CONTACT'] as const;

/** A role that administers one product on one site. */
const administersTheProduct = {
  THIS_PRODUCT: 'COUNTS',
  OTHER_PRODUCT: wrongProduct,
  THIS_PRODUCT_ON_OTHER_SITE: wrongSite,
  OTHER_PRODUCT_ON_OTHER_SITE: wrongBoth,
} as const satisfies Worths;

/** A contact role that counts where listed, for one product or for a whole site. */
const listedCentralized = {
  THIS_SITE: 'COUNTS',
  OTHER_SITE: notListed,
  THIS_PRODUCT: 'COUNTS',
  OTHER_PRODUCT: notListed,
  THIS_PRODUCT_ON_OTHER_SITE: notListed,
  OTHER_PRODUCT_ON_OTHER_SITE: notListed,
} as const satisfies Worths;

/** A contact role that counts only for a listed product; a listing for a whole site does not count. */
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
  AUDITOR: { CENTRALIZED: { ORGANIZATION: 'NOTHING' }, ORIGINAL: { ORGANIZATION: 'NOTHING' } },
};

/** The order in which obstacles are reported. */
export const obstacleOrder: readonly ObstacleCode[] = [
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
];

/** A role that a person holds, in the terms of the table. */
export type Held = {
  role: Role;
  holding: Holding;
  syncState: RoleAssignment['syncState'];
  /** Whether it is a role in the organization that the site belongs to. */
  inThisOrganization: boolean;
};

/** The obstacles, in order, for a person with these roles by the table; empty when the person may grant. */
export function obstaclesByTable(
  held: readonly Held[],
  isMember: boolean,
  place: ProductOnSite,
): ObstacleCode[] {
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
