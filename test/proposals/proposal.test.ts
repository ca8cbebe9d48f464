/** The lifecycle of a proposed change: every state × every command, and every time at which something is due. */
import { describe, expect, test } from 'vitest';
import {
  asOf,
  decide,
  hasExpired,
  isDue,
  type Proposal,
  type ProposalCommand,
  type ProposalRefusal,
  type ProposalState,
} from '../../src/proposals/proposal.ts';
import { DAY, fromNow, HOUR, MS, NOW } from '../support/builders.ts';
import { deepFreeze } from '../support/deep-freeze.ts';

const waiting: Proposal = {
  proposedById: 'proposer',
  proposedAt: fromNow(-DAY),
  effectiveAt: null,
  expiresAt: fromNow(DAY),
  state: 'WAITING',
  settledById: null,
  settledAt: null,
  version: 1,
};
const byTime = (effectiveAt: Date): Proposal => ({ ...waiting, effectiveAt, expiresAt: null });
const settled = (state: Exclude<ProposalState, 'WAITING'>): Proposal => ({
  ...waiting,
  ...{ state, settledById: state === 'EXPIRED' ? null : 'somebody', settledAt: fromNow(-HOUR), version: 2 },
});

const proposals = {
  'waits for a confirmation': waiting,
  'expires now': { ...waiting, expiresAt: NOW },
  'waits for its time': byTime(fromNow(HOUR)),
  'takes effect now': byTime(NOW),
  'has taken effect': settled('APPLIED'),
  'has lapsed': settled('LAPSED'),
  'was declined': settled('DECLINED'),
  'was withdrawn': settled('WITHDRAWN'),
  'has expired': settled('EXPIRED'),
} as const;

const confirm = { type: 'Confirm', by: 'guard', isPossible: true, isAppointee: false } as const;
const commands = {
  confirm: confirm,
  'confirm what can no longer be made': { ...confirm, isPossible: false },
  'confirm as its proposer': { ...confirm, by: 'proposer' },
  'confirm as the one whom it makes a Guard admin': { ...confirm, isAppointee: true },
  decline: { type: 'Decline', by: 'guard' },
  'decline as its proposer': { type: 'Decline', by: 'proposer' },
  withdraw: { type: 'Withdraw', by: 'proposer' },
  'withdraw as another admin': { type: 'Withdraw', by: 'admin' },
  'let time pass': { type: 'ElapseTime', isPossible: true },
  'let time pass over what can no longer be made': { type: 'ElapseTime', isPossible: false },
} as const satisfies Record<string, ProposalCommand>;

type Outcome = { state: ProposalState; by: string | null } | ProposalRefusal | 'unchanged';
type Row = Record<keyof typeof commands, Outcome>;

const open: Omit<Row, 'let time pass' | 'let time pass over what can no longer be made'> = {
  confirm: { state: 'APPLIED', by: 'guard' },
  'confirm what can no longer be made': { state: 'LAPSED', by: 'guard' },
  'confirm as its proposer': 'OWN_PROPOSAL',
  'confirm as the one whom it makes a Guard admin': 'OWN_GUARD_ROLE',
  decline: { state: 'DECLINED', by: 'guard' },
  'decline as its proposer': 'OWN_PROPOSAL',
  withdraw: { state: 'WITHDRAWN', by: 'proposer' },
  'withdraw as another admin': { state: 'WITHDRAWN', by: 'admin' },
};
const inTime = {
  'let time pass': 'unchanged',
  'let time pass over what can no longer be made': 'unchanged',
} as const;
const closed = Object.fromEntries(
  Object.keys(open).map((name) => [name, 'CHANGE_NOT_WAITING']),
) as typeof open;
const over: Row = {
  ...closed,
  ...inTime,
};
const expires = { state: 'EXPIRED', by: null } as const;

const table: Record<keyof typeof proposals, Row> = {
  'waits for a confirmation': { ...open, ...inTime },
  'expires now': {
    ...closed,
    ...{ 'let time pass': expires, 'let time pass over what can no longer be made': expires },
  },
  'waits for its time': { ...open, ...inTime },
  // Until it is carried out, a person may still be faster.
  'takes effect now': {
    ...open,
    'let time pass': { state: 'APPLIED', by: null },
    'let time pass over what can no longer be made': { state: 'LAPSED', by: null },
  },
  'has taken effect': over,
  'has lapsed': over,
  'was declined': over,
  'was withdrawn': over,
  'has expired': over,
};

const cells = Object.entries(table).flatMap(([proposal, row]) =>
  Object.entries(row).map(([command, outcome]) => ({ proposal, command, outcome })),
);

test.each(cells)('$command, when it $proposal', ({ proposal, command, outcome }) => {
  const given = deepFreeze(proposals[proposal as keyof typeof proposals]);
  const decision = decide(given, commands[command as keyof typeof commands], NOW);
  if (outcome === 'unchanged') return expect(decision).toEqual({ unchanged: true });
  if (typeof outcome === 'string') return expect(decision).toEqual({ refused: outcome });
  const { state, by } = outcome;
  expect(decision).toEqual({ settled: { state, settledById: by, settledAt: NOW, version: 2 } });
});

describe('a time limit', () => {
  test('counts from its millisecond on, however late it is written', () => {
    const { expiresAt } = waiting;
    expect(hasExpired(waiting, fromNow(DAY - MS))).toBe(false);
    expect(hasExpired(waiting, fromNow(DAY))).toBe(true);
    expect(asOf(waiting, fromNow(DAY - MS))).toBe(waiting);
    expect(asOf(waiting, fromNow(2 * DAY))).toEqual({
      ...waiting,
      ...{ state: 'EXPIRED', settledById: null, settledAt: expiresAt, version: 2 },
    });
    expect(decide(waiting, { type: 'ElapseTime', isPossible: false }, fromNow(2 * DAY))).toEqual({
      settled: { state: 'EXPIRED', settledById: null, settledAt: expiresAt, version: 2 },
    });
  });

  test('at which it takes effect ends it only when it is carried out', () => {
    const change = byTime(fromNow(HOUR));
    expect(isDue(change, fromNow(HOUR - MS))).toBe(false);
    expect(isDue(change, fromNow(HOUR))).toBe(true);
    expect(asOf(change, fromNow(2 * HOUR))).toBe(change);
    expect(decide(change, { type: 'ElapseTime', isPossible: true }, fromNow(2 * HOUR))).toMatchObject({
      settled: { state: 'APPLIED', settledAt: fromNow(2 * HOUR) },
    });
  });

  test('is over with the change', () => {
    for (const name of ['was declined', 'has taken effect'] as const)
      expect(isDue(proposals[name], fromNow(9 * DAY))).toBe(false);
  });
});
