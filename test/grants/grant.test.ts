import { describe, expect, test } from 'vitest';
import { expiryOf, type FinalGrant, hasExpired, isOpen, type OpenGrant } from '../../src/grants/grant.ts';
import {
  active,
  DAY,
  fromNow,
  HOUR,
  MS,
  NOW,
  overOnceActive,
  overUnapproved,
  pendingApproval,
  pendingGuardApproval,
} from '../support/builders.ts';

const open: { [State in OpenGrant['state']]: OpenGrant } = {
  PENDING_APPROVAL: pendingApproval(),
  PENDING_GUARD_APPROVAL: pendingGuardApproval(),
  ACTIVE: active(),
};
const final: { [State in FinalGrant['state']]: FinalGrant } = {
  DENIED: overUnapproved({ state: 'DENIED', endReason: 'DENIED_BY_CUSTOMER' }),
  WITHDRAWN: overUnapproved({ state: 'WITHDRAWN', endReason: 'TICKET_CLOSED' }),
  EXPIRED: overUnapproved({ state: 'EXPIRED', endReason: 'APPROVAL_TIMED_OUT' }),
  REVOKED: overOnceActive({ state: 'REVOKED', endReason: 'TICKET_CLOSED' }),
  ENDED: overOnceActive({ state: 'ENDED', endReason: 'TIME_ELAPSED' }),
};

test.each(Object.values(open))('a grant that is $state is open', (grant) => {
  expect(isOpen(grant)).toBe(true);
});

test.each(Object.values(final))('a grant that is $state is not open', (grant) => {
  expect(isOpen(grant)).toBe(false);
});

describe('the moment at which time alone ends a grant', () => {
  const [sooner, later] = [fromNow(HOUR), fromNow(DAY)];

  test.each([
    ['waiting for the customer: at its deadline', pendingApproval({ approvalDueAt: sooner }), sooner],
    [
      'waiting for the Guard, approved until the ticket closes: at the deadline of the request',
      pendingGuardApproval({ approvalDueAt: later, expiresAt: null }),
      later,
    ],
    [
      'waiting for the Guard, approved until after the deadline of the request: at that deadline',
      pendingGuardApproval({ approvalDueAt: sooner, expiresAt: later }),
      sooner,
    ],
    [
      'waiting for the Guard, approved until before the deadline of the request: at the approved end',
      pendingGuardApproval({ approvalDueAt: later, expiresAt: sooner }),
      sooner,
    ],
    ['active: at its end', active({ expiresAt: sooner }), sooner],
    [
      'active, whatever the deadline of its request: at its end',
      active({ approvalDueAt: sooner, expiresAt: later }),
      later,
    ],
    ['active until the ticket closes: never', active({ expiresAt: null }), null],
  ])('%s', (_, grant, moment) => {
    expect(expiryOf(grant)).toEqual(moment);
  });
});

describe('whether time has ended a grant', () => {
  test.each([
    pendingApproval({ approvalDueAt: NOW }),
    pendingGuardApproval({ approvalDueAt: NOW }),
    pendingGuardApproval({ expiresAt: NOW }),
    active({ expiresAt: NOW }),
  ])('$state: not one millisecond before, from the moment itself on', (grant) => {
    expect(hasExpired(grant, fromNow(-MS))).toBe(false);
    expect(hasExpired(grant, NOW)).toBe(true);
    expect(hasExpired(grant, fromNow(MS))).toBe(true);
  });

  test('a grant without an end never expires', () => {
    expect(hasExpired(active({ expiresAt: null }), new Date(0))).toBe(false);
    expect(hasExpired(active({ expiresAt: null }), new Date(8.64e15))).toBe(false);
  });
});
