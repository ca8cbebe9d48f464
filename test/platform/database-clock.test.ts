import { expect, onTestFinished, test, vi } from 'vitest';
import { createDatabaseClock } from '../../src/platform/clock.ts';

const second = 1_000;
const noon = Date.parse('2030-01-01T12:00:00.000Z');

/** Stops every clock of this process; `wait` moves them. */
function stopTime(): { wait: (ms: number) => void } {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  return { wait: (ms) => void vi.advanceTimersByTime(ms) };
}

test('runs on from the time that was read, whatever the clock of the machine does', () => {
  const { wait } = stopTime();
  const clock = createDatabaseClock(new Date(noon));
  wait(3 * second);
  expect(clock()).toEqual(new Date(noon + 3 * second));
  vi.setSystemTime(0);
  expect(clock()).toEqual(new Date(noon + 3 * second));
});

test('a time that was read is returned as it is', () => {
  stopTime();
  const clock = createDatabaseClock(new Date(noon));
  for (const read of [noon - second, noon + second]) expect(clock(new Date(read))).toEqual(new Date(read));
});

test('a late answer does not set it back, and a later time sets it forward', () => {
  const { wait } = stopTime();
  const clock = createDatabaseClock(new Date(noon));
  wait(2 * second);
  clock(new Date(noon + second));
  expect(clock()).toEqual(new Date(noon + 2 * second));
  clock(new Date(noon + 9 * second));
  expect(clock()).toEqual(new Date(noon + 9 * second));
});

test('follows the database when its clock is set back, after five seconds', () => {
  const { wait } = stopTime();
  const clock = createDatabaseClock(new Date(noon));
  wait(6 * second);
  clock(new Date(noon - 3600 * second));
  wait(second);
  expect(clock()).toEqual(new Date(noon - 3599 * second));
});
