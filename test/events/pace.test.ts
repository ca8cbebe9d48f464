import { expect, test, vi } from 'vitest';
import { createAllowance, createPace } from '../../src/events/pace.ts';

test('the pause grows while each read brings many events, up to its bound, and shrinks again', () => {
  const pace = createPace({ shortest: 2, longest: 16 });
  expect([1, 5, 5, 5, 5, 3, 1, 1, 0, 0].map((events) => pace.after(events))).toEqual([
    2, 4, 8, 16, 16, 16, 8, 4, 2, 2,
  ]);
});

test('some are allowed at once, then one every so often, and after a rest some at once again', () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(1000);
  const allowance = createAllowance({ burst: 3, every: 5 });
  expect(Array.from({ length: 5 }, () => allowance.take())).toEqual([0, 0, 0, 5, 10]);
  now.mockReturnValue(1025);
  expect(Array.from({ length: 4 }, () => allowance.take())).toEqual([0, 0, 0, 5]);
  now.mockRestore();
});
