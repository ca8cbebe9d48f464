/** Every obstacle has a text that says what is wrong, how to confirm it and how to fix it. */
import { describe, expect, test } from 'vitest';
import { obstacleCodes } from '../../src/roles/eligibility.ts';
import { obstacleTexts } from '../../src/roles/obstacle-messages.ts';
import { obstacleOrder } from '../support/who-may-grant.ts';

describe.each(obstacleOrder)('%s', (code) => {
  const text = obstacleTexts[code];

  test.each(['message', 'howToConfirm', 'fix'] as const)('has a sentence for %s', (part) => {
    expect(text[part]).toMatch(/^[A-Z].{10,}\.$/);
  });

  test('has three different sentences', () => {
    expect(Object.keys(text).sort()).toEqual(['fix', 'howToConfirm', 'message']);
    expect(new Set(Object.values(text)).size).toBe(3);
  });
});

test('every obstacle has texts, and every text belongs to an obstacle', () => {
  expect(Object.keys(obstacleTexts).sort()).toEqual([...obstacleCodes].sort());
});

test('no two obstacles have the same texts', () => {
  const messages = Object.values(obstacleTexts).map(({ message }) => message);
  expect(new Set(messages).size).toBe(obstacleCodes.length);
});
