/** For how long an organization keeps its log, and from when on that counts. */
import { describe, expect, test } from 'vitest';
import {
  type AuditRetention,
  keptForEver,
  retentionInEffect,
  shortens,
  withRetention,
} from '../../src/audit/retention.ts';

const now = new Date('2026-03-01T12:00:00Z');
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000);
const set = (days: number | null, effectiveAt: Date | null = null, before: number | null = null) => ({
  ...{ auditRetentionDays: days, auditRetentionEffectiveAt: effectiveAt, auditRetentionDaysBefore: before },
});

test.each<[number | null, number | null, boolean]>([
  [null, 180, true],
  [365, 180, true],
  [180, 365, false],
  [180, null, false],
  [180, 180, false],
  [null, null, false],
])('from %s to %s days shortens: %s', (before, after, expected) => {
  expect(shortens(before, after)).toBe(expected);
});

describe('a retention', () => {
  test.each<[string, AuditRetention, number | null, AuditRetention]>([
    ['that is shortened waits for seven days', keptForEver, 365, set(365, inDays(7))],
    ['that is shortened again waits anew', set(365, inDays(-1)), 180, set(180, inDays(7), 365)],
    ['that is lengthened counts at once', set(180, inDays(-1)), 365, set(365)],
    ['that is taken back before its time counts no more', set(180, inDays(1), 365), 365, set(365)],
    ['that is given up counts no more', set(180, inDays(1)), null, keptForEver],
    [
      'that is longer than one that waits, and shorter than what counts, waits from now on',
      set(180, inDays(1)),
      365,
      set(365, inDays(7)),
    ],
    ['that is set again stays as it is', set(180, inDays(3), 365), 180, set(180, inDays(3), 365)],
  ])('%s', (_, present, days, expected) => {
    expect(withRetention(present, days, now)).toEqual(expected);
  });

  test('counts from its time on; until then the one before does', () => {
    const shortened = set(180, inDays(7), 365);
    expect(retentionInEffect(shortened, inDays(6.99))).toBe(365);
    expect(retentionInEffect(shortened, inDays(7))).toBe(180);
    expect(retentionInEffect(set(180), now)).toBe(180);
    expect(retentionInEffect(keptForEver, now)).toBeNull();
  });
});
