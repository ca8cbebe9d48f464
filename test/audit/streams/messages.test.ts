import { expect, test } from 'vitest';
import type { AuditRecord } from '../../../src/audit/record.ts';
import { messagesOf, type StreamFilter, type StreamOf } from '../../../src/audit/streams/messages.ts';

const record = (position: number, more: Partial<AuditRecord> = {}): AuditRecord => ({
  ...{ id: `entry-${position}`, position, occurredAt: '2026-11-28T12:00:00.000Z', action: 'grant.approve' },
  ...{ outcome: 'SUCCEEDED', count: 1, actor: { kind: 'USER', name: 'Ä'.repeat(100) } },
  ...{ resource: { type: 'Grant', id: 'a' }, details: {} },
  ...more,
});
const records = (count: number) => Array.from({ length: count }, (_, at) => record(at + 1));

const stream = (more: Partial<StreamOf> = {}): StreamOf => ({
  ...{ streamId: '01a2-b3', organizationId: 'an-id', generation: 1, format: 'RECORD', filter: {} },
  ...{ maxBatchBytes: 2_000, ...more },
});

const positionsIn = (body: string): number[] =>
  JSON.parse(body).data.entries.map(({ position }: { position: number }) => position);

test('every record is in one message, in order, and no message is too long', () => {
  const messages = messagesOf(stream(), records(50));
  expect(messages.flatMap(({ body }) => positionsIn(body))).toEqual(
    records(50).map(({ position }) => position),
  );
  expect(messages.length).toBeGreaterThan(5);
  for (const { body, end, id } of messages) {
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(2_000);
    expect(positionsIn(body).at(-1)).toBe(end);
    expect(id).toBe(`01a2b3_1_${positionsIn(body)[0]}-${end}`);
  }
});

test('a record that is longer than a message has one of its own', () => {
  const long = record(2, { details: { reason: 'x'.repeat(5_000) } });
  const messages = messagesOf(stream(), [record(1), long, record(3)]);
  expect(messages.map(({ body }) => positionsIn(body))).toEqual([[1], [2], [3]]);
});

test('messages that may have been sent are the same again, whatever came since', () => {
  const before = messagesOf(stream(), records(20));
  const after = messagesOf(
    stream(),
    records(23),
    before.map(({ end }) => end),
  );
  expect(after.slice(0, before.length)).toEqual(before);
  expect(positionsIn(after.at(-1)?.body ?? '').at(-1)).toBe(23);
  const [, ...rest] = before;
  const resumed = messagesOf(
    stream(),
    records(23).slice(before[0]?.end),
    rest.map(({ end }) => end),
  );
  expect(resumed.slice(0, rest.length)).toEqual(rest);
});

test('another generation has other ids', () => {
  const ids = (generation: number) => messagesOf(stream({ generation }), records(5)).map(({ id }) => id);
  expect(ids(1).filter((id) => ids(2).includes(id))).toEqual([]);
});

test.each<[string, StreamFilter, number[]]>([
  ['an action', { actions: ['ticket.close'] }, [2]],
  ['kinds of actors', { actorKinds: ['SUPPORT_ENGINEER', 'SYSTEM'] }, [3]],
  ['an outcome', { outcome: 'REFUSED' }, [4]],
  ['a site', { siteIds: ['a-site'] }, [5]],
  ['two conditions', { actorKinds: ['USER'], outcome: 'SUCCEEDED' }, [1, 2, 5]],
  ['none of an empty list', { actions: [] }, []],
])('a filter by %s selects records', (_, filter, expected) => {
  const all = [
    record(1),
    record(2, { action: 'ticket.close' }),
    record(3, { actor: { kind: 'SUPPORT_ENGINEER', name: 'Erin' } }),
    record(4, { outcome: 'REFUSED' }),
    record(5, { siteId: 'a-site' }),
  ];
  const messages = messagesOf(stream({ filter }), all);
  expect(messages.flatMap(({ body }) => positionsIn(body))).toEqual(expected);
});

test('as OCSF, entries are events with the position as their sequence', () => {
  const [message] = messagesOf(stream({ format: 'OCSF' }), [record(7)]);
  expect(JSON.parse(message?.body ?? '').data.entries).toMatchObject([
    { class_uid: expect.any(Number), metadata: { version: '1.8.0', sequence: 7 } },
  ]);
});
