import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createExpiryTimer, type ExpiryTimer } from '../../src/http/expiry-timer.ts';

let expiryTimer: ExpiryTimer;
let expired: string[];
const named = (name: string) => ({ expire: () => void expired.push(name) });
const after = (milliseconds: number) => new Date(Date.now() + milliseconds);

beforeEach(() => {
  vi.useFakeTimers();
  expiryTimer = createExpiryTimer(() => new Date());
  expired = [];
});
afterEach(() => {
  expiryTimer.dispose();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('everything expires at its time, in whatever order it was scheduled', () => {
  for (const [name, at] of Object.entries({ b: 2_000, a: 1_000, c: 3_000, d: 3_000 })) {
    expiryTimer.schedule(named(name), after(at));
  }
  vi.advanceTimersByTime(999);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(2_000);
  expect(expired).toEqual(['a', 'b', 'c', 'd']);
});

test('a time in the past expires at once, but not during the call', () => {
  expiryTimer.schedule(named('late'), after(-1));
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(expired).toEqual(['late']);
});

test('what is cancelled does not expire, and leaves no timer', () => {
  const [one, other] = [named('one'), named('other')];
  const [soon, later] = [after(1_000), after(2_000)];
  expiryTimer.schedule(one, soon);
  expiryTimer.schedule(other, later);
  expiryTimer.cancel(one, soon);
  vi.advanceTimersByTime(1_500);
  expiryTimer.cancel(other, later);
  expiryTimer.cancel(other, later);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1_500);
  expect(expired).toEqual([]);
});

test('a time beyond the longest delay of a timer is waited for', () => {
  expiryTimer.schedule(named('far'), after(60 * 86_400_000));
  vi.advanceTimersByTime(59 * 86_400_000);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(86_400_000);
  expect(expired).toEqual(['far']);
});

test('it goes by its clock, whatever the clock of the machine shows', () => {
  const began = performance.now();
  const clock = () => new Date(performance.now() - began);
  const other = createExpiryTimer(clock);
  other.schedule(named('one'), new Date(1_000));
  vi.setSystemTime(Date.now() + 86_400_000);
  vi.advanceTimersByTime(999);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['one']);
});
