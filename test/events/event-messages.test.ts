import { expect, test } from 'vitest';
import { createEventMessages } from '../../src/events/event-messages.ts';
import { eventKinds } from '../../src/events/kinds.ts';
import type { AppendedEvents } from '../../src/events/outbox.ts';
import { accessChanged, grantEvent } from './events.ts';

const appended: AppendedEvents = {
  events: [grantEvent(), accessChanged('01980000-0000-7000-8000-000000000001')].map((event, index) => ({
    event,
    offset: { txid: 2n ** 60n, seq: BigInt(index) + 2n ** 53n },
  })),
  snapshot: { next: 2n ** 60n + 7n, open: [{ txid: 2n ** 60n, through: 0n }] },
};

const [one, other] = [1, 2].map(() => createEventMessages('a secret', eventKinds));
const message = one?.encode(appended) ?? '';

test('a message of one gateway is read by another with the same secret', () => {
  expect(other?.decode(message)).toStrictEqual(appended);
  expect(other?.decode(one?.encode(appended) ?? '')).toStrictEqual(appended);
});

test('a message is not repeated, and has neither spaces nor anything of the events', () => {
  expect(one?.encode(appended)).not.toBe(message);
  expect(message).toMatch(/^[\w-]+$/);
  expect(Buffer.from(message, 'base64url').toString('latin1')).not.toContain(appended.events[0]?.event.id);
});

test.each([
  ['under another secret', () => createEventMessages('another secret', eventKinds).decode(message)],
  ['of which a byte was changed', () => one?.decode(`${message.slice(0, -30)}AAAA${message.slice(-26)}`)],
  ['that was cut off', () => one?.decode(message.slice(0, 40))],
  ['without content', () => one?.decode('')],
  ['with an event of an unknown kind', () => createEventMessages('a secret', []).decode(message)],
])('a message %s is not read', (_what, decode) => {
  expect(decode()).toBeUndefined();
});

test('a gateway reads the messages of more others than it keeps keys for', () => {
  const others = Array.from({ length: 300 }, () => createEventMessages('a secret', eventKinds));
  const messages = others.map((each) => each.encode(appended));
  for (const each of [...messages, ...messages]) expect(one?.decode(each)).toStrictEqual(appended);
});
