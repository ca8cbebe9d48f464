import { afterEach, expect, test, vi } from 'vitest';
import { createAdaptiveThrottle } from '../../src/events/adaptive-throttle.ts';

afterEach(() => void vi.useRealTimers());

/** The pause after two seconds in which so many came, in even steps of a few milliseconds. */
function pauseAt(perSecond: number, stepMs: number): number {
  vi.useFakeTimers({ toFake: ['performance'] });
  const pace = createAdaptiveThrottle({ longest: 20 });
  let pause = 0;
  for (let passed = 0; passed < 2000; passed += stepMs) {
    vi.advanceTimersByTime(stepMs);
    pause = pace.after((perSecond * stepMs) / 1000);
  }
  return pause;
}

test.each([2, 10, 25])(
  'nothing waits at ease, and each a while under load, looked at every %i ms',
  (stepMs) => {
    expect(pauseAt(0, stepMs)).toBe(0);
    expect(pauseAt(100, stepMs)).toBe(0);
    expect(pauseAt(475, stepMs)).toBeGreaterThan(5);
    expect(pauseAt(475, stepMs)).toBeLessThan(15);
    expect(pauseAt(1_000, stepMs)).toBe(20);
    expect(pauseAt(100_000, stepMs)).toBe(20);
  },
);

test('a burst after a rest does not wait, and load is soon forgotten', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const pace = createAdaptiveThrottle({ longest: 20 });
  vi.advanceTimersByTime(5_000);
  expect(pace.after(20)).toBe(0);
  expect(pace.after(1_000)).toBe(20);
  vi.advanceTimersByTime(2_000);
  expect(pace.after(1)).toBe(0);
});
