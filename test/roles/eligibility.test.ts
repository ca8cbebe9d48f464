/** Why somebody may not grant: each obstacle alone, then several together, in the order in which they are reported. */
import { describe, expect, test } from 'vitest';
import { eligibility, type ObstacleCode, obstacleCodes, type Person } from '../../src/roles/eligibility.ts';
import { assignment, member, place } from '../support/builders.ts';
import { obstacleOrder } from '../support/who-may-grant.ts';

const centralized = place({ experience: 'CENTRALIZED' });
const original = place({ experience: 'ORIGINAL' });
const pending = { syncState: 'PENDING_SYNC' } as const;
const elsewhere = { organizationId: 'other-organization' };

function expectRefused(person: Person, where: typeof centralized, ...obstacles: ObstacleCode[]): void {
  expect(eligibility(person, where)).toStrictEqual({ allowed: false, obstacles });
}

function expectAllowed(person: Person, where: typeof centralized): void {
  expect(eligibility(person, where)).toStrictEqual({ allowed: true });
}

test('the obstacles are these, in this order', () => {
  expect(obstacleCodes).toEqual(obstacleOrder);
});

describe('each obstacle alone', () => {
  test('WRONG_PRODUCT: a Confluence admin, and the ticket is about Jira', () => {
    expectRefused(member(assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT')), centralized, 'WRONG_PRODUCT');
    expectRefused(member(assignment('TRUSTED_USER', 'OTHER_PRODUCT')), original, 'WRONG_PRODUCT');
  });

  test('WRONG_SITE: the right role on another site', () => {
    expectRefused(
      member(assignment('PRODUCT_ADMIN', 'THIS_PRODUCT_ON_OTHER_SITE')),
      centralized,
      'WRONG_SITE',
    );
    expectRefused(member(assignment('SITE_ADMIN', 'OTHER_SITE')), original, 'WRONG_SITE');
    expectRefused(member(assignment('USER_ACCESS_ADMIN', 'OTHER_SITE')), centralized, 'WRONG_SITE');
  });

  test.each(['BILLING_ADMIN', 'TECHNICAL_CONTACT'] as const)(
    'NOT_LISTED_AS_CONTACT: a %s listed for another product or site',
    (role) => {
      expectRefused(member(assignment(role, 'OTHER_PRODUCT')), original, 'NOT_LISTED_AS_CONTACT');
      expectRefused(
        member(assignment(role, 'THIS_PRODUCT_ON_OTHER_SITE')),
        original,
        'NOT_LISTED_AS_CONTACT',
      );
      expectRefused(member(assignment(role, 'OTHER_SITE')), centralized, 'NOT_LISTED_AS_CONTACT');
    },
  );

  test.each(['BILLING_ADMIN', 'TECHNICAL_CONTACT'] as const)(
    'NOT_LISTED_AS_CONTACT: a %s listed for the whole site counts only under Centralized',
    (role) => {
      expectAllowed(member(assignment(role, 'THIS_SITE')), centralized);
      expectRefused(member(assignment(role, 'THIS_SITE')), original, 'NOT_LISTED_AS_CONTACT');
    },
  );

  test('SITE_DEACTIVATED: even an organization admin cannot grant there', () => {
    expectRefused(
      member(assignment('ORGANIZATION_ADMIN', 'ORGANIZATION')),
      place({ status: 'DEACTIVATED' }),
      'SITE_DEACTIVATED',
    );
  });

  test('PRODUCT_NOT_LICENSED: even an organization admin cannot grant for an unlicensed product', () => {
    expectRefused(
      member(assignment('ORGANIZATION_ADMIN', 'ORGANIZATION')),
      place({}, { licensed: false }),
      'PRODUCT_NOT_LICENSED',
    );
  });

  test('ROLE_NOT_SYNCED: the right role, changed through SCIM and not yet synced', () => {
    expectRefused(
      member(assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', pending)),
      centralized,
      'ROLE_NOT_SYNCED',
    );
    expectRefused(member(assignment('BILLING_ADMIN', 'THIS_SITE', pending)), centralized, 'ROLE_NOT_SYNCED');
  });

  test('ROLE_NOT_IN_THIS_EXPERIENCE: site admin and trusted user under Centralized', () => {
    expectRefused(member(assignment('SITE_ADMIN', 'THIS_SITE')), centralized, 'ROLE_NOT_IN_THIS_EXPERIENCE');
    expectRefused(
      member(assignment('TRUSTED_USER', 'THIS_PRODUCT')),
      centralized,
      'ROLE_NOT_IN_THIS_EXPERIENCE',
    );
  });

  test('ROLE_NOT_IN_THIS_EXPERIENCE: user access admin under Original', () => {
    expectRefused(
      member(assignment('USER_ACCESS_ADMIN', 'THIS_SITE')),
      original,
      'ROLE_NOT_IN_THIS_EXPERIENCE',
    );
  });

  test('NO_MATCHING_ROLE: a member without a role, or with one that grants nothing', () => {
    expectRefused(member(), centralized, 'NO_MATCHING_ROLE');
    expectRefused(member(assignment('GUARD_ADMIN', 'ORGANIZATION')), centralized, 'NO_MATCHING_ROLE');
    expectRefused(member(assignment('GUARD_ADMIN', 'THIS_SITE')), original, 'NO_MATCHING_ROLE');
  });

  test('NO_MATCHING_ROLE: a role in another organization does not count', () => {
    expectRefused(
      member(assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', elsewhere)),
      centralized,
      'NO_MATCHING_ROLE',
    );
  });

  test('NOT_A_MEMBER: somebody outside the organization, even with roles in it', () => {
    expectRefused({ isMember: false, assignments: [] }, centralized, 'NOT_A_MEMBER');
    expectRefused(
      { isMember: false, assignments: [assignment('ORGANIZATION_ADMIN', 'ORGANIZATION')] },
      centralized,
      'NOT_A_MEMBER',
    );
  });
});

describe('obstacles together', () => {
  test('a role on the wrong product of the wrong site has both obstacles', () => {
    expectRefused(
      member(assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT_ON_OTHER_SITE')),
      centralized,
      'WRONG_PRODUCT',
      'WRONG_SITE',
    );
  });

  test('every role that does not suffice adds its obstacles, in the order of the codes and not of the roles', () => {
    expectRefused(
      member(
        assignment('SITE_ADMIN', 'THIS_SITE'),
        assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', pending),
        assignment('TECHNICAL_CONTACT', 'OTHER_PRODUCT'),
        assignment('USER_ACCESS_ADMIN', 'OTHER_SITE'),
        assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT'),
      ),
      place({ status: 'DEACTIVATED' }, { licensed: false }),
      'WRONG_PRODUCT',
      'WRONG_SITE',
      'NOT_LISTED_AS_CONTACT',
      'SITE_DEACTIVATED',
      'PRODUCT_NOT_LICENSED',
      'ROLE_NOT_SYNCED',
      'ROLE_NOT_IN_THIS_EXPERIENCE',
    );
  });

  test('the states of the site and the product come before NO_MATCHING_ROLE and NOT_A_MEMBER', () => {
    const gone = place({ status: 'DEACTIVATED' }, { licensed: false });
    expectRefused(member(), gone, 'SITE_DEACTIVATED', 'PRODUCT_NOT_LICENSED', 'NO_MATCHING_ROLE');
    expectRefused(
      { isMember: false, assignments: [] },
      gone,
      'SITE_DEACTIVATED',
      'PRODUCT_NOT_LICENSED',
      'NOT_A_MEMBER',
    );
  });

  test('an obstacle of two roles is reported once', () => {
    expectRefused(
      member(assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT'), assignment('TRUSTED_USER', 'OTHER_PRODUCT')),
      original,
      'WRONG_PRODUCT',
    );
  });

  test('an unsynced role on another site is reported as on another site: syncing it would not help', () => {
    expectRefused(
      member(assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT', pending)),
      centralized,
      'WRONG_PRODUCT',
    );
    expectRefused(
      member(assignment('SITE_ADMIN', 'THIS_SITE', pending)),
      centralized,
      'ROLE_NOT_IN_THIS_EXPERIENCE',
    );
  });

  test('one role that counts is enough, whatever the obstacles of the others', () => {
    expectAllowed(
      member(
        assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT'),
        assignment('SITE_ADMIN', 'THIS_SITE'),
        assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', pending),
        assignment('TECHNICAL_CONTACT', 'THIS_PRODUCT'),
      ),
      centralized,
    );
  });

  test('with a role that counts, a deactivated site is the only obstacle', () => {
    expectRefused(
      member(assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT'), assignment('PRODUCT_ADMIN', 'THIS_PRODUCT')),
      place({ status: 'DEACTIVATED' }),
      'SITE_DEACTIVATED',
    );
  });

  test('the same role synced and not synced counts', () => {
    expectAllowed(
      member(
        assignment('PRODUCT_ADMIN', 'THIS_PRODUCT', pending),
        assignment('PRODUCT_ADMIN', 'THIS_PRODUCT'),
      ),
      original,
    );
  });
});
