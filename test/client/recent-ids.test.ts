import { expect, test } from 'vitest';
import { createRecentIds } from '../../client/src/recent-ids.ts';

test('remembers as many ids as its capacity, and forgets the oldest first', () => {
  const ids = createRecentIds(2);
  expect(['a', 'b', 'a', 'b', 'c', 'c', 'b', 'a'].map((id) => ids.add(id))).toEqual([
    ...[true, true, false, false],
    ...[true, false, false, true],
  ]);
});
