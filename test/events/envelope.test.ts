import { describe, expect, test } from 'vitest';
import { type EventEnvelope, parseEvent, payloadOf } from '../../src/events/envelope.ts';
import { changeRequestKind } from '../../src/events/kinds/change-request.ts';
import { grantKind, policyBeforeSessions } from '../../src/events/kinds/grant.ts';
import { sessionKind } from '../../src/events/kinds/session.ts';
import { eventKinds } from '../../src/events/kinds.ts';
import { newId } from '../../src/platform/ids.ts';
import { accessChanged, changeRequestEvents, grantEvent, sessionEvents, ticketAtEvent } from './events.ts';

/** The row, with the payload as a jsonb column returns it. */
const rowOf = (event: EventEnvelope) => ({
  id: event.id,
  type: event.type,
  occurredAt: event.occurredAt,
  payload: JSON.parse(JSON.stringify(payloadOf(event))),
});

describe('an event', () => {
  test('is parsed to what was written', () => {
    const full = grantEvent({ type: 'ENDED', grantVersion: 9 });
    full.grant = {
      ...full.grant,
      scopeKind: 'ROVO_CONVERSATIONS',
      conversationIds: ['conversation-1', 'conversation-2'],
      state: 'ENDED',
      path: 'ADMIN_CONSOLE',
      customerApprovedAt: new Date('2026-03-02T10:00:01.001Z'),
      customerApprovedById: newId(),
      activatedAt: new Date('2026-03-02T10:00:02.002Z'),
      expiresAt: new Date('2026-03-02T10:00:03.003Z'),
      endedAt: new Date('2026-03-02T10:00:04.004Z'),
      endReason: 'TIME_ELAPSED',
      endedById: newId(),
    };
    full.ticket = ticketAtEvent;
    const [started, ended] = sessionEvents();
    const [requested, refused] = changeRequestEvents();
    const completed = {
      ...refused,
      type: 'COMPLETED',
      changeRequest: {
        ...{ ...refused.changeRequest, state: 'COMPLETED', endReason: null },
        ...{
          allowedAt: refused.occurredAt,
          sessionId: newId(),
          result: 'FAILED',
          resultNote: 'No such group.',
        },
      },
      ticket: { ...refused.ticket, closedAt: refused.occurredAt, siteIsActive: false, isLicensed: false },
    } as const;
    const ofChanges = [requested, refused, completed];
    for (const event of [grantEvent(), full, started, ended, ...ofChanges, accessChanged(newId())]) {
      expect(parseEvent(rowOf(event), eventKinds)).toStrictEqual({ outcome: 'EVENT', event });
    }
  });

  test('has no field in its payload that has a column of its own', () => {
    expect(Object.keys(payloadOf(accessChanged(newId())))).toStrictEqual(['kind', 'accountId']);
    expect(payloadOf(grantEvent())).not.toHaveProperty('occurredAt');
  });

  test('of an unknown kind is distinguished from an invalid one', () => {
    const row = rowOf(grantEvent());
    expect(parseEvent({ ...row, payload: { kind: 'call', anything: 1 } }, eventKinds)).toStrictEqual({
      outcome: 'UNKNOWN_KIND',
      kind: 'call',
    });
  });

  test.each([
    ['no object', { payload: 'grant' }],
    ['nothing', { payload: null }],
    ['without a kind', { payload: {} }],
    ['without its fields', { payload: { kind: 'grant' } }],
    ['of an unknown type', { type: 'FORGOTTEN' }],
    ['of another kind’s type', { type: 'ACCESS_CHANGED' }],
  ])('that is %s is invalid, and does not throw', (_what, wrong) => {
    const parsed = parseEvent({ ...rowOf(grantEvent()), ...wrong }, eventKinds);
    expect(parsed).toStrictEqual({ outcome: 'INVALID', reason: expect.stringMatching(/./) });
  });

  test('of a version that did not keep the terms of a grant has none', () => {
    const event = grantEvent();
    const none = { guardRequired: null, maxGrantSeconds: null, samePersonMayApproveTwice: null };
    const row = rowOf(event);
    for (const name of Object.keys(none)) delete row.payload.grant[name];
    const expected = { ...event, grant: { ...event.grant, ...none } };
    expect(parseEvent(row, eventKinds)).toStrictEqual({ outcome: 'EVENT', event: expected });
    const half = { ...payloadOf(event), grant: { ...event.grant, guardRequired: 'no' } };
    expect(parseEvent({ ...row, payload: half }, eventKinds)).toMatchObject({ outcome: 'INVALID' });
  });

  test('of a version without support sessions has the policy that every site had then', () => {
    const event = grantEvent({ ticket: ticketAtEvent });
    const policy = { relayedConsentCounts: true, ...policyBeforeSessions };
    const row = rowOf(event);
    for (const name of Object.keys(policy)) delete row.payload.ticket[name];
    const expected = { ...event, ticket: { ...ticketAtEvent, ...policy } };
    expect(parseEvent(row, eventKinds)).toStrictEqual({ outcome: 'EVENT', event: expected });
  });

  test('with an impossible value is invalid', () => {
    const event = grantEvent();
    const payload = { ...payloadOf(event), grant: { ...event.grant, requestedAt: 'yesterday' } };
    expect(parseEvent({ ...rowOf(event), payload }, eventKinds)).toMatchObject({ outcome: 'INVALID' });
  });

  test.each([
    { status: 'LOST' },
    { version: 0 },
    { supportAccessRestricted: 'yes' },
    { maxGrantSeconds: -1 },
    { samePersonMayApproveTwice: null },
    { relayedConsentCounts: null },
    { dataResidencyPinned: 'EU' },
    { engineerCountries: null },
    { engineerCountries: ['DE', 1] },
    { sessionIdleSeconds: 0 },
    { maxSessionSeconds: null },
  ])('with an impossible ticket is invalid: %j', (wrong) => {
    const row = rowOf(grantEvent());
    const payload = { ...row.payload, ticket: { ...ticketAtEvent, ...wrong } };
    expect(parseEvent({ ...row, payload }, eventKinds)).toMatchObject({ outcome: 'INVALID' });
  });

  test.each([
    { startedAt: 'yesterday' },
    { reason: 'CURIOSITY' },
    { endReason: 'BOREDOM' },
    { engineerId: null },
    { idleSeconds: 0 },
    { version: 0 },
  ])('with an impossible session is invalid: %j', (wrong) => {
    const row = rowOf(sessionEvents()[1]);
    const payload = { ...row.payload, session: { ...row.payload.session, ...wrong } };
    expect(parseEvent({ ...row, payload }, eventKinds)).toMatchObject({ outcome: 'INVALID' });
  });
});

test.each([
  { changeRequest: { state: 'FORGOTTEN' } },
  { changeRequest: { kind: 'EVERYTHING' } },
  { changeRequest: { result: 'LUCK' } },
  { changeRequest: { endReason: 'BOREDOM' } },
  { changeRequest: { requestedById: null } },
  { changeRequest: { version: 0 } },
  { ticket: { status: 'LOST' } },
  { ticket: { assigneeId: 'somebody' } },
  { ticket: { siteIsActive: null } },
  { ticket: { isLicensed: 'yes' } },
])('an event with an impossible change request or ticket is invalid: %j', (wrong) => {
  const row = rowOf(changeRequestEvents()[1]);
  const [[part, values]] = Object.entries(wrong) as [[string, object]];
  const payload = { ...row.payload, [part]: { ...row.payload[part], ...values } };
  expect(parseEvent({ ...row, payload }, eventKinds)).toMatchObject({ outcome: 'INVALID' });
});

test('an event of a change request is urgent if the change may not be begun after it, and its subject is the request', () => {
  const [requested, refused] = changeRequestEvents();
  expect([requested, refused].map((event) => changeRequestKind.isUrgent(event))).toEqual([false, true]);
  for (const event of [requested, refused]) {
    expect(changeRequestKind.subjectOf(event)).toBe(requested.changeRequest.id);
    expect(changeRequestKind.changesRightsOf(event)).toBeNull();
    const { audience, ticketId } = event;
    const ofGrant = grantEvent({ audience, ticketId });
    expect(changeRequestKind.topicsOf(event)).toStrictEqual(grantKind.topicsOf(ofGrant));
  }
});

describe('an event of a session', () => {
  const [started, ended] = sessionEvents();

  test('is urgent if it is its end, and changes nobody’s rights', () => {
    expect([started, ended].map((event) => sessionKind.isUrgent(event))).toEqual([false, true]);
    expect([started, ended].map((event) => sessionKind.changesRightsOf(event))).toEqual([null, null]);
  });

  test('has the subject and the topics of an event of its grant', () => {
    const { audience, ticketId, grantId } = started;
    const ofGrant = grantEvent({ audience, ticketId, grantId });
    for (const event of [started, ended]) {
      expect(sessionKind.subjectOf(event)).toBe(grantKind.subjectOf(ofGrant));
      expect(sessionKind.topicsOf(event)).toStrictEqual(grantKind.topicsOf(ofGrant));
    }
  });
});
