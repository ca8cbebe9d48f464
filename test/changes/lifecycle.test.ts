/** The lifecycle of a change request: every state × every command, and every moment at which time decides. */
import { describe, expect, test } from 'vitest';
import {
  type ChangeRequest,
  type ChangeRequestState,
  hasExpired,
  isOpen,
} from '../../src/changes/change-request.ts';
import {
  type ChangeCommand,
  type ChangeRequestRefusal,
  decide,
  maxOpenChangeRequests,
  maxValidity,
  openChangeRequest,
} from '../../src/changes/lifecycle.ts';
import { DAY, fromNow, HOUR, MS, NOW } from '../support/builders.ts';
import { completed, consented, inProgress, neverMade, pendingConsent } from '../support/change-requests.ts';
import { deepFreeze } from '../support/deep-freeze.ts';

const undecided = { decidedById: null, decidedAt: null, decisionReason: null };
const expired = { endedAt: NOW, endedById: null, endReason: 'TIME_ELAPSED', state: 'EXPIRED' } as const;
const withdrawn = { endedAt: NOW, state: 'WITHDRAWN' } as const;

const commands = {
  consent: { type: 'Consent', by: 'customer', reason: 'Go ahead.' },
  'consent without a reason': { type: 'Consent', by: 'customer', reason: null },
  refuse: { type: 'Refuse', by: 'customer', reason: 'Not this project.' },
  'take the consent back': { type: 'RevokeConsent', by: 'reporter' },
  withdraw: { type: 'Withdraw', by: 'engineer' },
  'close the ticket': { type: 'EndUse', reason: 'TICKET_CLOSED', by: 'ticketing' },
  'assign the ticket': { type: 'EndUse', reason: 'TICKET_REASSIGNED', by: 'ticketing' },
  'deactivate the site': { type: 'EndUse', reason: 'SITE_DEACTIVATED', by: 'operator' },
  'end the licence': { type: 'EndUse', reason: 'PRODUCT_UNLICENSED', by: 'operator' },
  'change the product': { type: 'EndUse', reason: 'PRODUCT_CHANGED', by: 'ticketing' },
  'record that it was applied': { type: 'RecordResult', by: 'engineer', result: 'APPLIED', note: null },
  'record that it failed': { type: 'RecordResult', by: 'engineer', result: 'FAILED', note: 'No such group.' },
  'record that it was not applied': {
    type: 'RecordResult',
    by: 'engineer',
    result: 'NOT_APPLIED',
    note: null,
  },
  'let time pass': { type: 'ElapseTime' },
} as const satisfies Record<string, ChangeCommand>;

type Outcome = { state: ChangeRequestState } & Record<string, unknown>;
type Row = Record<keyof typeof commands, Outcome | ChangeRequestRefusal | 'unchanged'>;

const consent = (decisionReason: string | null): Outcome => ({
  ...{ state: 'CONSENTED', decidedById: 'customer', decidedAt: NOW, decisionReason },
});
const pending: Row = {
  consent: consent('Go ahead.'),
  'consent without a reason': consent(null),
  refuse: {
    ...{ state: 'REFUSED', decidedById: 'customer', decidedAt: NOW, decisionReason: 'Not this project.' },
    ...{ endedAt: NOW, endedById: 'customer', endReason: 'REFUSED_BY_CUSTOMER' },
  },
  'take the consent back': 'NOT_CONSENTED_YET',
  withdraw: { ...withdrawn, ...undecided, endedById: 'engineer', endReason: 'WITHDRAWN_BY_ENGINEER' },
  'close the ticket': { ...withdrawn, ...undecided, endedById: 'ticketing', endReason: 'TICKET_CLOSED' },
  'assign the ticket': { ...withdrawn, ...undecided, endedById: 'ticketing', endReason: 'TICKET_REASSIGNED' },
  'deactivate the site': { ...withdrawn, ...undecided, endedById: 'operator', endReason: 'SITE_DEACTIVATED' },
  'end the licence': { ...withdrawn, ...undecided, endedById: 'operator', endReason: 'PRODUCT_UNLICENSED' },
  'change the product': { ...withdrawn, ...undecided, endedById: 'ticketing', endReason: 'PRODUCT_CHANGED' },
  'record that it was applied': 'CHANGE_NOT_IN_PROGRESS',
  'record that it failed': 'CHANGE_NOT_IN_PROGRESS',
  'record that it was not applied': 'CHANGE_NOT_IN_PROGRESS',
  'let time pass': 'unchanged',
};
const agreed: Row = {
  ...pending,
  consent: 'ALREADY_CONSENTED',
  'consent without a reason': 'ALREADY_CONSENTED',
  refuse: 'ALREADY_CONSENTED',
  'take the consent back': {
    ...{ state: 'REFUSED', endedAt: NOW, endedById: 'reporter', endReason: 'CONSENT_REVOKED' },
  },
  withdraw: { ...withdrawn, endedById: 'engineer', endReason: 'WITHDRAWN_BY_ENGINEER' },
  'close the ticket': { ...withdrawn, endedById: 'ticketing', endReason: 'TICKET_CLOSED' },
  'assign the ticket': { ...withdrawn, endedById: 'ticketing', endReason: 'TICKET_REASSIGNED' },
  'deactivate the site': { ...withdrawn, endedById: 'operator', endReason: 'SITE_DEACTIVATED' },
  'end the licence': { ...withdrawn, endedById: 'operator', endReason: 'PRODUCT_UNLICENSED' },
  'change the product': { ...withdrawn, endedById: 'ticketing', endReason: 'PRODUCT_CHANGED' },
};
const result = (facts: object): Outcome => ({
  ...{ state: 'COMPLETED', endedAt: NOW, endedById: 'engineer', resultNote: null },
  ...facts,
});
const begun: Row = {
  consent: 'CHANGE_IN_PROGRESS',
  'consent without a reason': 'CHANGE_IN_PROGRESS',
  refuse: 'CHANGE_IN_PROGRESS',
  'take the consent back': 'CHANGE_IN_PROGRESS',
  withdraw: 'CHANGE_IN_PROGRESS',
  'close the ticket': 'unchanged',
  'assign the ticket': 'unchanged',
  'deactivate the site': 'unchanged',
  'end the licence': 'unchanged',
  'change the product': 'unchanged',
  'record that it was applied': result({ result: 'APPLIED' }),
  'record that it failed': result({ result: 'FAILED', resultNote: 'No such group.' }),
  'record that it was not applied': result({ result: 'NOT_APPLIED' }),
  'let time pass': 'unchanged',
};
const over: Row = {
  consent: 'CHANGE_REQUEST_OVER',
  'consent without a reason': 'CHANGE_REQUEST_OVER',
  refuse: 'CHANGE_REQUEST_OVER',
  'take the consent back': 'CHANGE_REQUEST_OVER',
  withdraw: 'CHANGE_REQUEST_OVER',
  'close the ticket': 'unchanged',
  'assign the ticket': 'unchanged',
  'deactivate the site': 'unchanged',
  'end the licence': 'unchanged',
  'change the product': 'unchanged',
  'record that it was applied': 'CHANGE_REQUEST_OVER',
  'record that it failed': 'CHANGE_REQUEST_OVER',
  'record that it was not applied': 'CHANGE_REQUEST_OVER',
  'let time pass': 'unchanged',
};

const situations: Record<string, { given: ChangeRequest; row: Row }> = {
  'awaits the consent': { given: pendingConsent(), row: pending },
  'waited until now': {
    given: pendingConsent({ validUntil: NOW }),
    row: { ...over, 'let time pass': { ...expired, ...undecided } },
  },
  'is consented to': { given: consented(), row: agreed },
  'was consented to until now': {
    given: consented({ validUntil: NOW }),
    row: { ...over, 'let time pass': expired },
  },
  'is in progress': { given: inProgress(), row: begun },
  'is in progress after its time': { given: inProgress({ validUntil: fromNow(-MS) }), row: begun },
  'is completed': { given: completed(), row: over },
  ...Object.fromEntries(
    Object.entries(neverMade).map(([name, given]) => [`is ${name}`, { given, row: over }]),
  ),
};

const cells = Object.entries(situations).flatMap(([situation, { given, row }]) =>
  Object.entries(row).map(([name, outcome]) => ({ situation, given, name: name as keyof Row, outcome })),
);

test.each(cells)('$name, when it $situation', ({ given, name, outcome }) => {
  const decision = decide(deepFreeze(given), commands[name], NOW);
  if (outcome === 'unchanged') return expect(decision).toStrictEqual({ unchanged: true });
  if (typeof outcome === 'string') return expect(decision).toStrictEqual({ refused: outcome });
  expect(decision).toStrictEqual({ changed: { ...given, ...outcome, version: given.version + 1 } });
});

test('the table has every state, and every command in each', () => {
  const states = {
    ...{ PENDING_CONSENT: true, CONSENTED: true, IN_PROGRESS: true, COMPLETED: true },
    ...{ REFUSED: true, WITHDRAWN: true, EXPIRED: true },
  } satisfies Record<ChangeRequestState, true>;
  const types = {
    ...{ Consent: true, Refuse: true, RevokeConsent: true, Withdraw: true, EndUse: true },
    ...{ RecordResult: true, ElapseTime: true },
  } satisfies Record<ChangeCommand['type'], true>;
  const pairs = new Set(cells.map(({ given, name }) => `${given.state} × ${commands[name].type}`));
  expect(pairs.size).toBe(Object.keys(states).length * Object.keys(types).length);
});

describe('a change request is made', () => {
  const { state: _state, requestedAt: _at, version: _version, ...asked } = pendingConsent();

  test('and awaits the consent', () => {
    expect(openChangeRequest(asked, maxOpenChangeRequests - 1, NOW)).toStrictEqual({
      changed: { ...asked, state: 'PENDING_CONSENT', requestedAt: NOW, version: 1 },
    });
  });

  test.each([
    [NOW, 'VALID_UNTIL_IN_THE_PAST'],
    [fromNow(MS), null],
    [fromNow(maxValidity), null],
    [fromNow(maxValidity + MS), 'VALID_UNTIL_BEYOND_LIMIT'],
    [new Date(Number.NaN), 'VALID_UNTIL_IN_THE_PAST'],
  ])('until %s', (validUntil, refused) => {
    const decision = openChangeRequest({ ...asked, validUntil }, 0, NOW);
    expect('refused' in decision ? decision.refused : null).toBe(refused);
  });

  test('unless too many are open on the ticket', () => {
    expect(openChangeRequest(asked, maxOpenChangeRequests, NOW)).toEqual({
      refused: 'TOO_MANY_CHANGE_REQUESTS',
    });
  });
});

test('its time limit counts from its millisecond on, however late it is written', () => {
  const request = consented({ validUntil: fromNow(DAY) });
  expect(hasExpired(request, fromNow(DAY - MS))).toBe(false);
  expect(hasExpired(request, fromNow(DAY))).toBe(true);
  const revoke = commands['take the consent back'];
  expect(decide(request, revoke, fromNow(DAY - MS))).toHaveProperty('changed');
  expect(decide(request, revoke, fromNow(DAY))).toEqual({ refused: 'CHANGE_REQUEST_OVER' });
  expect(decide(request, { type: 'ElapseTime' }, fromNow(2 * DAY))).toMatchObject({
    changed: { state: 'EXPIRED', endedAt: fromNow(DAY) },
  });
});

test('a clock that is a little behind refuses nothing, and changes come in their order', () => {
  const early = fromNow(-3 * HOUR);
  const decisions = [
    decide(pendingConsent({ requestedAt: NOW }), commands.consent, early),
    decide(consented({ decidedAt: NOW }), commands['take the consent back'], early),
    decide(inProgress({ allowedAt: NOW }), commands['record that it failed'], early),
  ];
  expect(decisions).toMatchObject([
    { changed: { decidedAt: NOW } },
    { changed: { endedAt: NOW } },
    { changed: { endedAt: NOW } },
  ]);
});

test('what can still be decided, begun or completed is open', () => {
  expect([pendingConsent(), consented(), inProgress()].map(isOpen)).toEqual([true, true, true]);
  expect([completed(), ...Object.values(neverMade)].some(isOpen)).toBe(false);
});
