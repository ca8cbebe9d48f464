import { expect, test } from 'vitest';
import { backoffMs } from '../../client/src/backoff.ts';

test('doubles up to half a minute, less a random part of up to half', () => {
  const shortest = [1, 2, 3, 8, 100].map((attempt) => backoffMs(attempt, () => 0));
  const longest = [1, 2, 3, 8, 100].map((attempt) => backoffMs(attempt, () => 1));
  expect(longest).toEqual([250, 500, 1_000, 30_000, 30_000]);
  expect(shortest).toEqual(longest.map((ms) => ms / 2));
});
