/** The record of an entry: what it says, and that everybody who reads the whole log gets the same. */
import { expect, test } from 'vitest';
import { type PositionedEntry, recordOf } from '../../src/audit/record.ts';
import { seesClientAddress } from '../../src/authorization/visibility.ts';
import type { Viewer } from '../../src/identity/viewer.ts';
import { decodeGlobalId, encodeGlobalId } from '../../src/platform/global-id.ts';

const [organization, site, ticket, grant, person, entryId] = [1, 2, 3, 4, 5, 6].map(
  (n) => `00000000-0000-7000-8000-00000000000${n}`,
) as [string, string, string, string, string, string];

const entry: PositionedEntry = {
  ...{ id: entryId, position: 7, occurredAt: new Date('2026-01-02T03:04:05.678Z') },
  ...{ action: 'grant.approve', outcome: 'SUCCEEDED', refusalCode: null, count: 1 },
  ...{ actorId: person, actorKind: 'USER', actorEmail: 'rita@acme.example', actorName: 'Rita' },
  ...{ resourceType: 'Grant', resourceId: grant, organizationId: organization },
  ...{ siteId: site, ticketId: ticket, grantId: grant, sessionId: null, productKey: 'jira' },
  ...{ siteUrl: 'https://acme.example', ticketKey: 'SUP-1', clientAddress: '192.0.2.1' },
  ...{ requestId: null, traceId: null, userAgent: 'curl/8' },
  details: { from: 'PENDING_APPROVAL', to: 'ACTIVE', engineerId: person, approverId: null, reason: 'ok' },
};

test('a record has the names and ids of the API, and nothing of what the entry does not have', () => {
  expect(recordOf(entry)).toStrictEqual({
    id: encodeGlobalId('AuditEntry', entryId),
    position: 7,
    occurredAt: '2026-01-02T03:04:05.678Z',
    action: 'grant.approve',
    outcome: 'SUCCEEDED',
    count: 1,
    actor: {
      ...{ kind: 'USER', id: encodeGlobalId('User', person), email: 'rita@acme.example', name: 'Rita' },
    },
    resource: { type: 'Grant', id: encodeGlobalId('Grant', grant) },
    organizationId: encodeGlobalId('Organization', organization),
    siteId: encodeGlobalId('Site', site),
    siteUrl: 'https://acme.example',
    productKey: 'jira',
    ticketId: encodeGlobalId('Ticket', ticket),
    ticketKey: 'SUP-1',
    grantId: encodeGlobalId('Grant', grant),
    clientAddress: '192.0.2.1',
    userAgent: 'curl/8',
    details: {
      from: 'PENDING_APPROVAL',
      to: 'ACTIVE',
      engineerId: encodeGlobalId('SupportEngineer', person),
      approverId: null,
      reason: 'ok',
    },
  });
});

test('Latchkey itself has no id and no address, and a resource of a product keeps its id', () => {
  const record = recordOf({
    ...entry,
    ...{ actorId: null, actorKind: 'SYSTEM', actorEmail: null, actorName: 'Latchkey' },
    ...{ resourceType: 'work_item', resourceId: 'ACME-17' },
  });
  expect(record.actor).toStrictEqual({ kind: 'SYSTEM', name: 'Latchkey' });
  expect(record.resource).toStrictEqual({ type: 'work_item', id: 'ACME-17' });
});

test.for([
  ['USER', organization, true],
  ['SUPPORT_ENGINEER', organization, false],
  ['OPERATOR', organization, false],
  ['COMPLIANCE_ANALYST', organization, false],
  ['SERVICE_ACCOUNT', organization, false],
  ['USER', null, true],
  ['SUPPORT_ENGINEER', null, true],
  ['OPERATOR', null, true],
  ['COMPLIANCE_ANALYST', null, true],
  ['SERVICE_ACCOUNT', null, true],
] as const)('from where a %s acted, the log of %s shows: %s', ([actorKind, organizationId, shown]) => {
  const record = recordOf({ ...entry, actorKind, organizationId });
  expect([record.clientAddress, record.userAgent]).toEqual(
    shown ? ['192.0.2.1', 'curl/8'] : [undefined, undefined],
  );
  expect(decodeGlobalId(record.actor.id ?? '')?.id).toBe(person);
  // As the API shows it to those of the log's own side.
  const kind = organizationId === null ? 'OPERATOR' : 'USER';
  const reader = { kind, id: entryId } as Viewer;
  expect(seesClientAddress(reader, { actorId: person, actorKind, organizationId })).toBe(shown);
});
