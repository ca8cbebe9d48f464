/** The required roles shown to people who may not grant: exactly the roles that allow granting. */
import { describe, expect, test } from 'vitest';
import { eligibility, type RequiredRole, requiredRoles } from '../../src/roles/eligibility.ts';
import type { Experience, Role } from '../../src/roles/role.ts';
import { assignment, type Holding, member, place } from '../support/builders.ts';

const roles = Object.keys({
  ORGANIZATION_ADMIN: true,
  SITE_ADMIN: true,
  USER_ACCESS_ADMIN: true,
  PRODUCT_ADMIN: true,
  TRUSTED_USER: true,
  BILLING_ADMIN: true,
  TECHNICAL_CONTACT: true,
  GUARD_ADMIN: true,
  AUDITOR: true,
} satisfies Record<Role, true>) as Role[];

/** The assignment that a required role names, for the product and site of the ticket. */
const holdingOf: Record<RequiredRole['over'], Holding> = {
  ORGANIZATION: 'ORGANIZATION',
  SITE: 'THIS_SITE',
  PRODUCT: 'THIS_PRODUCT',
};

/** What each role may be held over. No other assignment is possible. */
const mayBeHeldOver: Record<Role, Holding[]> = {
  ORGANIZATION_ADMIN: ['ORGANIZATION'],
  SITE_ADMIN: ['THIS_SITE'],
  USER_ACCESS_ADMIN: ['THIS_SITE'],
  PRODUCT_ADMIN: ['THIS_PRODUCT'],
  TRUSTED_USER: ['THIS_PRODUCT'],
  BILLING_ADMIN: ['THIS_SITE', 'THIS_PRODUCT'],
  TECHNICAL_CONTACT: ['THIS_SITE', 'THIS_PRODUCT'],
  GUARD_ADMIN: ['ORGANIZATION', 'THIS_SITE'],
  AUDITOR: ['ORGANIZATION'],
};

const byExperience: { [Which in Experience]: RequiredRole[] } = {
  CENTRALIZED: [
    { role: 'ORGANIZATION_ADMIN', over: 'ORGANIZATION' },
    { role: 'USER_ACCESS_ADMIN', over: 'SITE' },
    { role: 'PRODUCT_ADMIN', over: 'PRODUCT' },
    { role: 'BILLING_ADMIN', over: 'SITE' },
    { role: 'BILLING_ADMIN', over: 'PRODUCT' },
    { role: 'TECHNICAL_CONTACT', over: 'SITE' },
    { role: 'TECHNICAL_CONTACT', over: 'PRODUCT' },
  ],
  ORIGINAL: [
    { role: 'ORGANIZATION_ADMIN', over: 'ORGANIZATION' },
    { role: 'SITE_ADMIN', over: 'SITE' },
    { role: 'PRODUCT_ADMIN', over: 'PRODUCT' },
    { role: 'TRUSTED_USER', over: 'PRODUCT' },
    { role: 'BILLING_ADMIN', over: 'PRODUCT' },
    { role: 'TECHNICAL_CONTACT', over: 'PRODUCT' },
  ],
};

describe.each(Object.keys(byExperience) as Experience[])('under %s', (experience) => {
  const where = place({ experience });

  test('the required roles are these', () => {
    expect(requiredRoles(experience)).toEqual(byExperience[experience]);
  });

  test.each(requiredRoles(experience))('$role over $over lets somebody grant', ({ role, over }) => {
    expect(eligibility(member(assignment(role, holdingOf[over])), where)).toStrictEqual({ allowed: true });
  });

  test('a single role that allows granting is a required role', () => {
    const required = requiredRoles(experience).map(({ role, over }) => `${role} over ${holdingOf[over]}`);
    const enough = roles.flatMap((role) =>
      mayBeHeldOver[role]
        .filter((holding) => eligibility(member(assignment(role, holding)), where).allowed)
        .map((holding) => `${role} over ${holding}`),
    );
    expect(enough.sort()).toEqual(required.sort());
  });

  test('are a new list at every call, so that no caller changes them for others', () => {
    requiredRoles(experience).pop();
    expect(requiredRoles(experience)).toEqual(byExperience[experience]);
  });
});
