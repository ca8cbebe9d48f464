import { expect, test } from 'vitest';
import { backoffMs } from '../../src/client/backoff.ts';
import { createRecentIds } from '../../src/client/recent-ids.ts';
import { judge } from '../../src/client/reconnect-policy.ts';

test('waits grow to half a minute, and are random from half of that on', () => {
  const earliest = [1, 2, 3, 8, 100].map((attempt) => backoffMs(attempt, () => 0));
  const latest = [1, 2, 3, 8, 100].map((attempt) => backoffMs(attempt, () => 1));
  expect(latest).toEqual([250, 500, 1_000, 30_000, 30_000]);
  expect(earliest).toEqual(latest.map((delay) => delay / 2));
});

test('as many ids are remembered as it says, and the oldest forgotten first', () => {
  const ids = createRecentIds(2);
  expect(['a', 'b', 'a', 'b', 'c', 'c', 'b', 'a'].map((id) => ids.isNew(id))).toEqual([
    ...[true, true, false, false],
    ...[true, false, false, true],
  ]);
});

const graphqlError = (code: string) => [{ message: 'Told.', extensions: { code } }];
const close = (code: number) => ({ code, reason: 'Told.' });

test.for<[string, unknown, boolean, string]>([
  ['a completed stream', null, true, 'RETRY'],
  ['a broken connection', new Error('ECONNRESET'), true, 'RETRY'],
  ['a gateway that goes away', close(1001), true, 'RETRY'],
  ['a cut', close(1006), true, 'RETRY'],
  ['a gateway that asks to try later', close(1013), false, 'RETRY'],
  ['too many connections', close(4429), false, 'RETRY'],
  ['an internal error', close(4500), true, 'RETRY'],
  ['a token refused at the door', close(4403), false, 'GIVE_UP'],
  ['no token', close(4401), false, 'GIVE_UP'],
  ['a token that ran out', close(4403), true, 'NEW_TOKEN'],
  ['another subprotocol', close(4406), false, 'GIVE_UP'],
  ['a message too large', close(1009), true, 'GIVE_UP'],
  ['slowness', close(4413), true, 'RETRY'],
  ['a database away', graphqlError('SERVICE_UNAVAILABLE'), true, 'RETRY'],
  ['a feed that closes', graphqlError('FEED_CLOSED'), true, 'RETRY'],
  ['an expired token', graphqlError('UNAUTHENTICATED'), true, 'NEW_TOKEN'],
  ['an expired cursor', graphqlError('CURSOR_EXPIRED'), true, 'GIVE_UP'],
  ['a history replaced', graphqlError('HISTORY_REPLACED'), true, 'GIVE_UP'],
  ['lost rights', graphqlError('ACCESS_ENDED'), true, 'GIVE_UP'],
  ['a document that is wrong', graphqlError('GRAPHQL_VALIDATION_FAILED'), true, 'GIVE_UP'],
])('%s', ([, ended, wasAccepted, kind]) => {
  expect(judge(ended, wasAccepted).kind).toBe(kind);
});
