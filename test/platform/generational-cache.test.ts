import { expect, test } from 'vitest';
import { GenerationalCache } from '../../src/platform/generational-cache.ts';

test('an entry is there until the memory has been turned twice', () => {
  const memory = new GenerationalCache<string, number>();
  memory.set('first', 1);
  memory.turn();
  memory.set('second', 2);
  expect([memory.get('first'), memory.get('second'), memory.size]).toEqual([1, 2, 1]);
  memory.turn();
  expect([memory.get('first'), memory.get('second'), memory.size]).toEqual([undefined, 2, 0]);
  memory.turn();
  expect(memory.get('second')).toBeUndefined();
});

test('the newer of two values for a key counts, and a deleted one is gone', () => {
  const memory = new GenerationalCache<string, number>();
  memory.set('key', 1);
  memory.turn();
  memory.set('key', 2);
  expect(memory.get('key')).toBe(2);
  memory.delete('key');
  expect(memory.get('key')).toBeUndefined();
});
