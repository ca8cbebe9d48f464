import { afterEach, expect, test, vi } from 'vitest';
import { createAdaptiveThrottle } from '../../src/events/adaptive-throttle.ts';

afterEach(() => void vi.useRealTimers());

/** The delay after two seconds at this event rate, with a batch every `stepMs`. */
function delayAt(perSecond: number, stepMs: number): number {
  vi.useFakeTimers({ toFake: ['performance'] });
  const throttle = createAdaptiveThrottle({ longest: 20 });
  let delay = 0;
  for (let passed = 0; passed < 2000; passed += stepMs) {
    vi.advanceTimersByTime(stepMs);
    delay = throttle.delayAfter((perSecond * stepMs) / 1000);
  }
  return delay;
}

test.each([2, 10, 25])(
  'there is no delay at a low rate, and a delay under load, with a batch every %i ms',
  (stepMs) => {
    expect(delayAt(0, stepMs)).toBe(0);
    expect(delayAt(100, stepMs)).toBe(0);
    expect(delayAt(475, stepMs)).toBeGreaterThan(5);
    expect(delayAt(475, stepMs)).toBeLessThan(15);
    expect(delayAt(1_000, stepMs)).toBe(20);
    expect(delayAt(100_000, stepMs)).toBe(20);
  },
);

test('a burst after a rest is not delayed, and load is soon forgotten', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const throttle = createAdaptiveThrottle({ longest: 20 });
  vi.advanceTimersByTime(5_000);
  expect(throttle.delayAfter(20)).toBe(0);
  expect(throttle.delayAfter(1_000)).toBe(20);
  vi.advanceTimersByTime(2_000);
  expect(throttle.delayAfter(1)).toBe(0);
});
