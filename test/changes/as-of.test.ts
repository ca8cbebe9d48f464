/** The condition for change requests in a state agrees with the lifecycle, for every kind of them at every moment. */
import { describe, expect, test } from 'vitest';
import { asOf, inStates } from '../../src/changes/as-of.ts';
import { changeRequestAuditEntry } from '../../src/changes/audit-entry.ts';
import type { ChangeRequest, ChangeRequestState } from '../../src/changes/change-request.ts';
import { toChangeRequest, toRow } from '../../src/changes/row.ts';
import { fromNow, MS, NOW } from '../support/builders.ts';
import { completed, consented, inProgress, neverMade, pendingConsent } from '../support/change-requests.ts';
import { meets } from '../support/meets.ts';

const past = fromNow(-MS);
const requests: Record<string, ChangeRequest> = {
  'awaits the consent': pendingConsent(),
  'awaited it until now': pendingConsent({ validUntil: NOW }),
  'awaited it until before': pendingConsent({ validUntil: past }),
  'is consented to': consented(),
  'was consented to until now': consented({ validUntil: NOW }),
  'was consented to until before': consented({ validUntil: past }),
  'is in progress': inProgress(),
  'is in progress after its time': inProgress({ validUntil: past }),
  'is completed': completed(),
  'is completed, with a note': completed({ result: 'FAILED', resultNote: 'No such group.' }),
  ...neverMade,
};
const states = [
  ...(['PENDING_CONSENT', 'CONSENTED', 'IN_PROGRESS', 'COMPLETED'] as const),
  ...(['REFUSED', 'WITHDRAWN', 'EXPIRED'] as const),
] satisfies ChangeRequestState[];

describe.each(Object.entries(requests))('a change request that %s', (_, request) => {
  const row = toRow(request);

  test.each(states)('is found by %s if it is in that state now', (state) => {
    expect(meets(row, inStates([state], NOW))).toBe(asOf(row, NOW).state === state);
  });

  test('is found by a list with its state, and not by an empty list', () => {
    expect(meets(row, inStates([...states, 'CONSENTED'], NOW))).toBe(true);
    expect(inStates([], NOW)).toStrictEqual({ id: { in: [] } });
  });

  test('is the same after it was written and read', () => {
    expect(toChangeRequest(row)).toStrictEqual(request);
  });
});

test('a row whose columns do not fit its state is a defect', () => {
  const broken = [
    { ...toRow(consented()), decidedById: null },
    { ...toRow(inProgress()), sessionId: null },
    { ...toRow(completed()), result: null },
    ...Object.values(neverMade).map((request) => ({ ...toRow(request), endReason: null })),
  ];
  for (const row of broken) expect(() => toChangeRequest(row)).toThrow(/do not fit that state/);
});

test('its audit entry says what was asked for, what became of it, and where it belongs', () => {
  const actor = { kind: 'SYSTEM' } as const;
  const entry = changeRequestAuditEntry({
    ...{ before: inProgress(), request: completed({ version: 9, resultNote: 'Done.' }) },
    ...{ command: 'RecordResult', actor, occurredAt: NOW, reason: null },
  });
  expect(entry).toEqual({
    ...{ action: 'change_request.complete', actor, resource: { type: 'ChangeRequest', id: 'change' } },
    ...{ refusalCode: null, occurredAt: NOW },
    ...{ organizationId: 'organization', siteId: 'site', ticketId: 'ticket', sessionId: 'session' },
    details: {
      ...{ from: 'IN_PROGRESS', to: 'COMPLETED', version: 9, result: 'APPLIED', resultNote: 'Done.' },
      ...{ kind: 'PERMISSIONS', resourceType: 'project', resourceId: 'ACME' },
      validUntil: inProgress().validUntil,
    },
  });
  const asked = changeRequestAuditEntry({
    ...{ before: null, request: pendingConsent(), command: 'Request' },
    ...{ actor, occurredAt: NOW, reason: 'The board cannot be opened.' },
  });
  expect(asked.details).toMatchObject({
    ...{ from: null, to: 'PENDING_CONSENT', description: pendingConsent().description },
    reason: 'The board cannot be opened.',
  });
});

describe('where its site was deactivated, which is not settled', () => {
  const end = { reason: 'SITE_DEACTIVATED', since: NOW, byId: 'operator' } as const;
  const ticket = { site: { unsettledSince: NOW }, product: { unsettledSince: null } };
  const later = fromNow(MS);
  const settled = Object.entries(requests).filter(([, request]) => {
    const row = toRow(request);
    return row.endedAt !== null || asOf(row, NOW) === row;
  });

  test.each(settled)('one that %s has ended with it if it waited', (_, request) => {
    const row = toRow(request);
    const shown = asOf(row, later, end);
    if (row.state === 'PENDING_CONSENT' || row.state === 'CONSENTED')
      expect(shown).toMatchObject({
        ...{ state: 'WITHDRAWN', endReason: 'SITE_DEACTIVATED', endedAt: NOW, endedById: 'operator' },
        version: row.version + 1,
      });
    else expect(shown).toEqual(row);
    const found = states.filter((state) => meets({ ...row, ticket }, inStates([state], later, ['site'])));
    expect(found).toEqual([shown.state]);
  });
});
