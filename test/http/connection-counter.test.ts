import { expect, test } from 'vitest';
import { createConnectionCounter } from '../../src/http/connection-counter.ts';

test('allows each bearer as many connections as the limit', () => {
  const counter = createConnectionCounter(2);
  expect(['ada', 'ada', 'ada', 'ben'].map((bearer) => counter.acquire(bearer))).toEqual([
    ...[true, true, false],
    true,
  ]);
});

test('a released connection may be replaced, a refused one was not counted', () => {
  const counter = createConnectionCounter(2);
  for (let attempt = 0; attempt < 5; attempt += 1) counter.acquire('ada');
  counter.release('ada');
  expect(counter.acquire('ada')).toBe(true);
  expect(counter.acquire('ada')).toBe(false);
  counter.release('ada');
  counter.release('ada');
  expect([1, 2, 3].map(() => counter.acquire('ada'))).toEqual([true, true, false]);
});
