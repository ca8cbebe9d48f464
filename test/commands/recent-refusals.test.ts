import { expect, test } from 'vitest';
import { createRecentRefusals } from '../../src/commands/recent-refusals.ts';

test('an account is remembered for half a minute at least, and for a minute at most', () => {
  let now = 0;
  const refusals = createRecentRefusals(() => now);
  expect(refusals.has('one')).toBe(false);
  now = 29_000;
  refusals.note('one');
  now = 59_000;
  expect(refusals.has('one')).toBe(true);
  now = 89_500;
  expect(refusals.has('one')).toBe(false);
});

test('after a pause nobody is remembered', () => {
  let now = 0;
  const refusals = createRecentRefusals(() => now);
  refusals.note('one');
  now = 60_000;
  expect(refusals.has('one')).toBe(false);
});

test('however many accounts are refused, a bounded number is remembered, with the latest among them', () => {
  const refusals = createRecentRefusals(() => 0);
  for (let number = 0; number < 25_000; number += 1) refusals.note(`account ${number}`);
  expect(refusals.has('account 0')).toBe(false);
  expect(refusals.has('account 24999')).toBe(true);
});
