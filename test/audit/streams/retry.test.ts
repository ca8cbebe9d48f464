import { expect, test } from 'vitest';
import { type Answer, mostAttempts, next } from '../../../src/audit/streams/retry.ts';

const now = new Date('2026-11-28T12:00:00Z');
const [second, minute, hour] = [1_000, 60_000, 3_600_000];

/** After how many milliseconds the next attempt is made. */
function pauseAfter(attempt: number, answer: Answer, chance = 0): number {
  const result = next(attempt, answer, now, chance);
  if (result.outcome !== 'RETRY') throw new Error(`${result.outcome} after attempt ${attempt}`);
  return result.at.getTime() - now.getTime();
}

const failed: Answer = { status: 500 };

test.each([200, 201, 202, 204, 299])('%i is a delivery', (status) => {
  expect(next(1, { status }, now, 0)).toEqual({ outcome: 'DELIVERED' });
  expect(next(mostAttempts, { status }, now, 0)).toEqual({ outcome: 'DELIVERED' });
});

test.each([100, 300, 301, 302, 307, 308, 400, 401, 404, 500, 503, 0])('%i is none', (status) => {
  expect(next(1, { status }, now, 0).outcome).toBe('RETRY');
});

test('there are ten attempts, in 75 hours and a half', () => {
  const pauses = Array.from({ length: 9 }, (_, at) => pauseAfter(at + 1, failed));
  expect(pauses).toEqual([
    ...[5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour],
  ]);
  const all = pauses.reduce((sum, pause) => sum + pause, 0);
  expect(all).toBeGreaterThan(75 * hour);
  expect(all).toBeLessThan(76 * hour);
  expect(next(10, failed, now, 0)).toMatchObject({ outcome: 'DISABLE', reason: 'FAILED' });
});

test('chance puts an attempt off by a tenth at most', () => {
  for (const attempt of [1, 5, 9]) {
    const pause = pauseAfter(attempt, failed);
    expect(pauseAfter(attempt, failed, 1)).toBeCloseTo(pause * 1.1);
    expect(pauseAfter(attempt, failed, 0.5)).toBeCloseTo(pause * 1.05);
  }
});

test('410 disables at once, whatever attempt it is', () => {
  for (const attempt of [1, 10])
    expect(next(attempt, { status: 410 }, now, 0)).toMatchObject({ outcome: 'DISABLE', reason: 'GONE' });
});

test.each([429, 502, 504])('%i lets the endpoint rest for a minute at least', (status) => {
  expect(pauseAfter(1, { status })).toBe(minute);
  expect(pauseAfter(2, { status })).toBe(5 * minute);
});

test.each([
  ['seconds', '120', 2 * minute],
  ['a date', 'Sat, 28 Nov 2026 12:03:00 GMT', 3 * minute],
  ['less than the pause', '1', 5 * second],
  ['a date in the past', 'Sat, 28 Nov 2026 11:00:00 GMT', 5 * second],
  ['more than a day', '864000', 24 * hour],
  ['a negative number', '-5', 5 * second],
  ['something else', 'soon', 5 * second],
  ['nothing', '', 5 * second],
])('Retry-After with %s is heard as far as it makes sense', (_, retryAfter, pause) => {
  expect(pauseAfter(1, { status: 503, retryAfter })).toBe(pause);
});

test('Retry-After never makes an attempt sooner', () => {
  expect(pauseAfter(6, { status: 429, retryAfter: '60' })).toBe(10 * hour);
});

test('no answer is a failure in its own words', () => {
  expect(next(1, { error: 'The endpoint refused the connection.' }, now, 0)).toMatchObject({
    ...{ outcome: 'RETRY', error: 'The endpoint refused the connection.' },
  });
});
