import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRetries } from '../../client/src/retries.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The attempts and their delays, each attempt failing at once, until there is no other. */
function attemptsOf(retries: ReturnType<typeof createRetries>, isUrgent = false) {
  const delays: number[] = [];
  for (let next = retries.next(isUrgent); next !== null; next = retries.next(isUrgent)) {
    expect(next.attempt).toBe(delays.length + 1);
    delays.push(next.delayMs);
    vi.advanceTimersByTime(next.delayMs);
  }
  return delays;
}

test('attempts follow each other with growing delays, until it is time to give up', () => {
  const retries = createRetries(5_000);
  const began = performance.now();
  const delays = attemptsOf(retries);
  expect(retries.lostAt).toBe(began);
  expect(delays.length).toBeGreaterThan(3);
  expect(delays.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(5_000);
  for (const [index, ms] of delays.entries()) {
    expect(ms).toBeGreaterThanOrEqual(125 * 2 ** index);
    expect(ms).toBeLessThanOrEqual(250 * 2 ** index);
  }
});

test('only the first attempt of urgent ones is made at once', () => {
  const [first, second] = attemptsOf(createRetries(5_000), true);
  expect(first).toBe(0);
  expect(second).toBeGreaterThan(0);
});

test('after a connection that works, attempts begin anew', () => {
  const retries = createRetries(5_000);
  attemptsOf(retries);
  retries.reset();
  expect(retries.lostAt).toBeNull();
  vi.advanceTimersByTime(3_600_000);
  expect(retries.next(false)?.attempt).toBe(1);
});

test('there is always another attempt if it never gives up', () => {
  const retries = createRetries(Number.POSITIVE_INFINITY);
  for (let attempt = 1; attempt <= 200; attempt += 1) {
    expect(retries.next(false)?.delayMs).toBeLessThanOrEqual(30_000);
    vi.advanceTimersByTime(30_000);
  }
});
