import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTokenExpiry, type TokenExpiry } from '../../src/http/token-expiry.ts';

let expiries: TokenExpiry;
let expired: string[];
const named = (name: string) => ({ expire: () => void expired.push(name) });
const after = (milliseconds: number) => new Date(Date.now() + milliseconds);

beforeEach(() => {
  vi.useFakeTimers();
  expiries = createTokenExpiry();
  expired = [];
});
afterEach(() => {
  expiries.dispose();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('each expires at its moment, whatever the order in which they came', () => {
  for (const [name, at] of Object.entries({ b: 2_000, a: 1_000, c: 3_000, d: 3_000 })) {
    expiries.add(named(name), after(at));
  }
  vi.advanceTimersByTime(999);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(2_000);
  expect(expired).toEqual(['a', 'b', 'c', 'd']);
});

test('what has expired already does so at once, but not within the call', () => {
  expiries.add(named('late'), after(-1));
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(expired).toEqual(['late']);
});

test('what is removed does not expire, and leaves no timer', () => {
  const [one, other] = [named('one'), named('other')];
  const [soon, later] = [after(1_000), after(2_000)];
  expiries.add(one, soon);
  expiries.add(other, later);
  expiries.remove(one, soon);
  vi.advanceTimersByTime(1_500);
  expiries.remove(other, later);
  expiries.remove(other, later);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(1_500);
  expect(expired).toEqual([]);
});

test('a moment farther away than a timer can reach is waited for', () => {
  expiries.add(named('far'), after(60 * 86_400_000));
  vi.advanceTimersByTime(59 * 86_400_000);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(86_400_000);
  expect(expired).toEqual(['far']);
});
