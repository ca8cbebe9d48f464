import { describe, expect, test } from 'vitest';
import { firstRenewalMs, nextRenewalMs } from '../../client/src/renewal.ts';

describe('the first renewal of a token', () => {
  test.for([
    ['an hour', 3_600_000, 3_540_000, 3_570_000],
    ['three minutes', 180_000, 120_000, 150_000],
    ['nine seconds', 9_000, 6_000, 7_500],
  ] as const)(
    'of %s leaves a third of its time, a minute at most, less a random part of up to half',
    ([, remaining, earliest, latest]) => {
      expect(firstRenewalMs(remaining, () => 0)).toBe(earliest);
      expect(firstRenewalMs(remaining, () => 1)).toBe(latest);
    },
  );

  test('is left out if the token expires within a second, or has expired by the clock of the client', () => {
    for (const remaining of [999, 0, -60_000]) expect(firstRenewalMs(remaining)).toBeNull();
  });

  test('of a token that does not say when it expires is never due', () => {
    expect(firstRenewalMs(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});

test('the next attempts are at half of the remaining time, until it is less than a second', () => {
  const attempts: number[] = [];
  for (let remaining = 60_000, ms = nextRenewalMs(remaining); ms !== null; ms = nextRenewalMs(remaining)) {
    remaining -= ms;
    attempts.push(remaining);
  }
  expect(attempts).toEqual([30_000, 15_000, 7_500, 3_750, 1_875, 937.5]);
});
