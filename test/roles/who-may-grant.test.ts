/** Compares the code with the whole role table: every role, held in every possible way. */
import { describe, expect, test } from 'vitest';
import { eligibility, type ProductOnSite } from '../../src/roles/eligibility.ts';
import type { Experience, Role, RoleAssignment } from '../../src/roles/role.ts';
import { assignment, type Holding, place } from '../support/builders.ts';
import { obstaclesByTable, roleTable } from '../support/who-may-grant.ts';

const roles = Object.keys(roleTable) as Role[];
const experiences: Experience[] = ['CENTRALIZED', 'ORIGINAL'];
const rows = roles.flatMap((role) =>
  experiences.flatMap((experience) =>
    (Object.keys(roleTable[role][experience]) as Holding[]).map((holding) => ({ role, experience, holding })),
  ),
);

const syncStates: RoleAssignment['syncState'][] = ['SYNCED', 'PENDING_SYNC'];
const statuses: ProductOnSite['site']['status'][] = ['ACTIVE', 'DEACTIVATED'];
const either = [true, false];

const circumstances = syncStates.flatMap((syncState) =>
  statuses.flatMap((status) =>
    either.flatMap((licensed) =>
      either.flatMap((isMember) =>
        either.map((inThisOrganization) => ({ syncState, status, licensed, isMember, inThisOrganization })),
      ),
    ),
  ),
);

describe.each(rows)('$role over $holding under $experience', ({ role, holding, experience }) => {
  test.each(circumstances)(
    '$syncState, site $status, licensed $licensed, member $isMember, right organization $inThisOrganization',
    ({ syncState, status, licensed, isMember, inThisOrganization }) => {
      const where = place({ experience, status }, { licensed });
      const organizationId = inThisOrganization ? 'organization' : 'other-organization';
      const person = { isMember, assignments: [assignment(role, holding, { syncState, organizationId })] };

      const obstacles = obstaclesByTable([{ role, holding, syncState, inThisOrganization }], isMember, where);

      expect(eligibility(person, where)).toStrictEqual(
        obstacles.length === 0 ? { allowed: true } : { allowed: false, obstacles },
      );
    },
  );
});

test('the tests cover the whole table: 29 ways to hold a role × 2 experiences × 32 circumstances', () => {
  expect(rows).toHaveLength(29 * 2);
  expect(circumstances).toHaveLength(32);
});

test('exactly these assignments allow granting', () => {
  const counting = rows.filter(({ role, holding, experience }) => {
    const person = { isMember: true, assignments: [assignment(role, holding)] };
    return eligibility(person, place({ experience })).allowed;
  });
  expect(counting.map(({ role, holding, experience }) => `${experience}: ${role} over ${holding}`)).toEqual([
    'CENTRALIZED: ORGANIZATION_ADMIN over ORGANIZATION',
    'ORIGINAL: ORGANIZATION_ADMIN over ORGANIZATION',
    'ORIGINAL: SITE_ADMIN over THIS_SITE',
    'CENTRALIZED: USER_ACCESS_ADMIN over THIS_SITE',
    'CENTRALIZED: PRODUCT_ADMIN over THIS_PRODUCT',
    'ORIGINAL: PRODUCT_ADMIN over THIS_PRODUCT',
    'ORIGINAL: TRUSTED_USER over THIS_PRODUCT',
    'CENTRALIZED: BILLING_ADMIN over THIS_SITE',
    'CENTRALIZED: BILLING_ADMIN over THIS_PRODUCT',
    'ORIGINAL: BILLING_ADMIN over THIS_PRODUCT',
    'CENTRALIZED: TECHNICAL_CONTACT over THIS_SITE',
    'CENTRALIZED: TECHNICAL_CONTACT over THIS_PRODUCT',
    'ORIGINAL: TECHNICAL_CONTACT over THIS_PRODUCT',
  ]);
});
