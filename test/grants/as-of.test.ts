/** The condition for grants in a state agrees with the lifecycle rules, for every kind of grant at every moment. */
import { describe, expect, test } from 'vitest';
import { asOf, decisionDueAt, inStates } from '../../src/grants/as-of.ts';
import { expiryOf, type Grant, type GrantState, isOpen } from '../../src/grants/grant.ts';
import { toRow } from '../../src/grants/row.ts';
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
import { meets } from '../support/meets.ts';

const [past, future] = [fromNow(-MS), fromNow(HOUR)];
const grants: Record<string, Grant> = {
  'waits for the customer': pendingApproval({ approvalDueAt: future }),
  'waited until now': pendingApproval({ approvalDueAt: NOW }),
  'waited long enough': pendingApproval({ approvalDueAt: past }),
  'waits for the Guard': pendingGuardApproval({ approvalDueAt: future, expiresAt: null }),
  'waits for the Guard, with an end': pendingGuardApproval({
    approvalDueAt: future,
    expiresAt: fromNow(DAY),
  }),
  'waited for the Guard until now': pendingGuardApproval({ approvalDueAt: NOW, expiresAt: null }),
  'waited for the Guard beyond its end': pendingGuardApproval({ approvalDueAt: future, expiresAt: NOW }),
  'active until the ticket closes': active({ expiresAt: null }),
  'active until later': active({ expiresAt: future }),
  'active until now': active({ expiresAt: NOW }),
  'active until before': active({ expiresAt: past }),
  'active beyond the wait of its request': active({ approvalDueAt: past, expiresAt: null }),
  denied: overUnapproved({ state: 'DENIED', endReason: 'DENIED_BY_CUSTOMER' }),
  withdrawn: overUnapproved({ state: 'WITHDRAWN', endReason: 'TICKET_CLOSED' }),
  expired: overUnapproved({ state: 'EXPIRED', endReason: 'APPROVAL_TIMED_OUT' }),
  revoked: overOnceActive({ state: 'REVOKED', endReason: 'TICKET_CLOSED' }),
  ended: overOnceActive({ state: 'ENDED', endReason: 'TIME_ELAPSED' }),
};
const states = [
  ...(['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE', 'DENIED', 'WITHDRAWN'] as const),
  ...(['EXPIRED', 'REVOKED', 'ENDED'] as const),
] satisfies GrantState[];

describe.each(Object.entries(grants))('a grant that is %s', (_, grant) => {
  const row = toRow(grant);

  test.each(states)('is found by %s if it is in that state now', (state) => {
    expect(meets(row, inStates([state], NOW))).toBe(asOf(row, NOW).state === state);
  });

  test('shows a request the deadline at which it expires', () => {
    const isRequest = isOpen(grant) && grant.state !== 'ACTIVE';
    expect(decisionDueAt(row)).toEqual(isRequest ? expiryOf(grant) : row.approvalDueAt);
  });

  test('is found by a list with its state, and not by an empty list', () => {
    expect(meets(row, inStates([...states, 'ACTIVE'], NOW))).toBe(true);
    expect(meets(row, inStates([], NOW))).toBe(false);
  });
});

test('the condition for no states matches no row within an AND either', () => {
  // Prisma reads an empty OR within an AND as no condition.
  expect(inStates([], NOW)).toStrictEqual({ id: { in: [] } });
});

test('a state that is named twice makes one condition', () => {
  expect(inStates(['ACTIVE', 'DENIED', 'ACTIVE'], NOW).OR).toHaveLength(2);
});

test('asOf returns a row whose time has run out as over since that moment, and any other row unchanged', () => {
  const row = toRow(active({ expiresAt: past }));
  expect(asOf(row, NOW)).toMatchObject({ state: 'ENDED', endReason: 'TIME_ELAPSED', endedAt: past });
  const running = toRow(active({ expiresAt: future }));
  expect(asOf(running, NOW)).toBe(running);
});

/** Grants as they were when their site or licence ended, which is not settled. */
const openAtItsEnd = Object.entries(grants).filter(([, grant]) => {
  const row = toRow(grant);
  return row.endedAt !== null || asOf(row, NOW) === row;
});
const ends = {
  SITE_DEACTIVATED: { site: { unsettledSince: NOW }, product: { unsettledSince: null } },
  PRODUCT_UNLICENSED: { site: { unsettledSince: null }, product: { unsettledSince: NOW } },
} as const;

describe.each(Object.entries(ends))('%s, not settled', (name, ticket) => {
  const reason = name as keyof typeof ends;
  const end = { reason, since: NOW, byId: 'operator' };
  const later = fromNow(2 * HOUR);

  test.each(openAtItsEnd)('a grant that is %s is over since then', (_, grant) => {
    const row = toRow(grant);
    const settled = asOf(row, later, end);
    if (row.endedAt !== null) expect(settled).toBe(row);
    else
      expect(settled).toMatchObject({
        ...{ state: row.state === 'ACTIVE' ? 'ENDED' : 'WITHDRAWN', endReason: reason },
        ...{ endedAt: NOW, endedById: 'operator', version: row.version + 1 },
      });
    const found = states.filter((state) => meets({ ...row, ticket }, inStates([state], later, ['site'])));
    expect(found).toEqual([settled.state]);
  });

  test('a grant whose time had run out by then is over since that', () => {
    const row = toRow(active({ expiresAt: past }));
    expect(asOf(row, later, end)).toMatchObject({ endReason: 'TIME_ELAPSED', endedAt: past });
  });

  test('grants on other sites, and of other products, are as they are', () => {
    const row = toRow(active({ expiresAt: null }));
    const settled = { site: { unsettledSince: null }, product: { unsettledSince: null } };
    expect(meets({ ...row, ticket: settled }, inStates(['ACTIVE'], NOW, ['site']))).toBe(true);
    expect(meets({ ...row, ticket }, inStates(['ACTIVE'], NOW, ['other']))).toBe(true);
  });
});
