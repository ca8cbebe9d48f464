import { expect, test } from 'vitest';
import { SizeBoundedCache } from '../../src/platform/size-bounded-cache.ts';

const create = () => new SizeBoundedCache<string>(100, (_key, value) => value.length);

test('keeps what fits, and finds it', () => {
  const cache = create();
  for (const key of ['a', 'b', 'c']) cache.set(key, 'x'.repeat(10));
  expect(['a', 'b', 'c'].map((key) => cache.get(key)?.length)).toEqual([10, 10, 10]);
  expect([cache.size, cache.get('d')]).toEqual([30, undefined]);
});

test('forgets the oldest entries before it grows over its size, however many there are', () => {
  const cache = create();
  for (let at = 0; at < 10_000; at++) {
    cache.set(String(at), 'x'.repeat(1 + (at % 50)));
    expect(cache.size).toBeLessThanOrEqual(100);
    expect(cache.get(String(at))).toBeDefined();
  }
  expect(cache.get('9000')).toBeUndefined();
});

test('keeps nothing that alone is too large', () => {
  const cache = create();
  cache.set('small', 'x');
  cache.set('large', 'x'.repeat(51));
  expect([cache.get('small'), cache.get('large'), cache.size]).toEqual(['x', undefined, 1]);
});
