import { expect, test } from 'vitest';
import { GenerationalCache } from '../../src/platform/generational-cache.ts';

test('an entry stays until the cache has been rotated twice', () => {
  const cache = new GenerationalCache<string, number>();
  cache.set('first', 1);
  cache.rotate();
  cache.set('second', 2);
  expect([cache.get('first'), cache.get('second'), cache.size]).toEqual([1, 2, 1]);
  cache.rotate();
  expect([cache.get('first'), cache.get('second'), cache.size]).toEqual([undefined, 2, 0]);
  cache.rotate();
  expect(cache.get('second')).toBeUndefined();
});

test('a key has its newest value, and a deleted key has none', () => {
  const cache = new GenerationalCache<string, number>();
  cache.set('key', 1);
  cache.rotate();
  cache.set('key', 2);
  expect(cache.get('key')).toBe(2);
  cache.delete('key');
  expect(cache.get('key')).toBeUndefined();
});
