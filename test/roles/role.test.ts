/** What a role must be held over, and what it allows besides granting. */
import { describe, expect, test } from 'vitest';
import {
  guardAdminSince,
  isGuardAdminOf,
  isOrganizationAdminOf,
  isWellFormed,
  type Role,
  reachesSite,
  roleRules,
} from '../../src/roles/role.ts';
import { assignment, type Holding, holdings } from '../support/builders.ts';

const site = { id: 'site', organizationId: 'organization' };
const pending = { syncState: 'PENDING_SYNC' } as const;
const elsewhere = { organizationId: 'other-organization' };

describe('what a role is held over', () => {
  const shapes = {
    organization: { siteId: null, productId: null },
    site: { siteId: 'site', productId: null },
    product: { siteId: 'site', productId: 'product' },
    'a product on no site': { siteId: null, productId: 'product' },
  };
  const may: Record<Role, (keyof typeof shapes)[]> = {
    ORGANIZATION_ADMIN: ['organization'],
    SITE_ADMIN: ['site'],
    USER_ACCESS_ADMIN: ['site'],
    PRODUCT_ADMIN: ['product'],
    TRUSTED_USER: ['product'],
    BILLING_ADMIN: ['site', 'product'],
    TECHNICAL_CONTACT: ['site', 'product'],
    GUARD_ADMIN: ['organization', 'site'],
    AUDITOR: ['organization'],
  };
  const pairs = (Object.keys(may) as Role[]).flatMap((role) =>
    (Object.keys(shapes) as (keyof typeof shapes)[]).map((shape) => ({ role, shape })),
  );

  test.each(pairs)('$role over $shape', ({ role, shape }) => {
    expect(isWellFormed({ role, ...shapes[shape] })).toBe(may[role].includes(shape));
  });
});

test('every role has a label of its own', () => {
  const labels = Object.values(roleRules).map(({ label }) => label);
  expect(labels.every((label) => label.trim().length > 0)).toBe(true);
  expect(new Set(labels).size).toBe(9);
});

describe('a Guard admin of a site', () => {
  test.each<Holding>(['ORGANIZATION', 'THIS_SITE'])('is one by the role over %s', (holding) => {
    expect(isGuardAdminOf([assignment('GUARD_ADMIN', holding)], site)).toBe(true);
  });

  test('is one since the first of the roles that reach the site, and count', () => {
    const guard = (holding: Holding, since: number, facts = {}) =>
      assignment('GUARD_ADMIN', holding, { since, ...facts });
    const held = [
      ...[guard('THIS_SITE', 30), guard('ORGANIZATION', 20), guard('OTHER_SITE', 10)],
      guard('ORGANIZATION', 5, pending),
    ];
    expect(guardAdminSince(held, site)).toBe(20);
    expect(guardAdminSince([guard('OTHER_SITE', 10)], site)).toBeNull();
  });

  test('does not hold the role over another site, in another organization, or unsynced', () => {
    expect(isGuardAdminOf([assignment('GUARD_ADMIN', 'OTHER_SITE')], site)).toBe(false);
    expect(isGuardAdminOf([assignment('GUARD_ADMIN', 'ORGANIZATION', elsewhere)], site)).toBe(false);
    expect(isGuardAdminOf([assignment('GUARD_ADMIN', 'THIS_SITE', pending)], site)).toBe(false);
    expect(isGuardAdminOf([], site)).toBe(false);
  });

  test.each((Object.keys(roleRules) as Role[]).filter((role) => role !== 'GUARD_ADMIN'))(
    'is not one by being %s',
    (role) => {
      for (const holding of Object.keys(holdings) as Holding[]) {
        expect(isGuardAdminOf([assignment(role, holding)], site)).toBe(false);
      }
    },
  );

  test('may hold the role among other roles', () => {
    const held = [assignment('GUARD_ADMIN', 'OTHER_SITE'), assignment('GUARD_ADMIN', 'THIS_SITE')];
    expect(isGuardAdminOf(held, site)).toBe(true);
  });
});

describe('an admin of the whole organization', () => {
  test('holds that role, synced and in that organization', () => {
    const held = (facts = {}) => [assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', facts)];
    expect(isOrganizationAdminOf(held(), 'organization')).toBe(true);
    expect(isOrganizationAdminOf(held(elsewhere), 'organization')).toBe(false);
    expect(isOrganizationAdminOf(held(pending), 'organization')).toBe(false);
    expect(isOrganizationAdminOf([], 'organization')).toBe(false);
  });

  test.each((Object.keys(roleRules) as Role[]).filter((role) => role !== 'ORGANIZATION_ADMIN'))(
    'is not one by being %s',
    (role) => {
      for (const holding of Object.keys(holdings) as Holding[]) {
        expect(isOrganizationAdminOf([assignment(role, holding)], 'organization')).toBe(false);
      }
    },
  );
});

describe('a role reaches a site', () => {
  const reach: Record<Holding, boolean> = {
    ORGANIZATION: true,
    THIS_SITE: true,
    OTHER_SITE: false,
    THIS_PRODUCT: true,
    OTHER_PRODUCT: true,
    THIS_PRODUCT_ON_OTHER_SITE: false,
    OTHER_PRODUCT_ON_OTHER_SITE: false,
  };

  test.each(Object.entries(reach) as [Holding, boolean][])('held over %s: %s', (holding, reaches) => {
    for (const role of Object.keys(roleRules) as Role[]) {
      expect(reachesSite(assignment(role, holding), site), role).toBe(reaches);
      expect(reachesSite(assignment(role, holding, pending), site), role).toBe(false);
      expect(reachesSite(assignment(role, holding, elsewhere), site), role).toBe(false);
    }
  });
});
