import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withDeadline } from '../../src/platform/deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const late = () => new Error('late');

test('settles as the work does, and leaves no timer running', async () => {
  await expect(withDeadline(Promise.resolve('done'), 1_000, late)).resolves.toBe('done');
  await expect(withDeadline(Promise.reject(new Error('failed')), 1_000, late)).rejects.toThrow('failed');
  await expect(withDeadline('a value', 1_000, late)).resolves.toBe('a value');
});

test('rejects after the given time, not earlier', async () => {
  let error: unknown;
  void withDeadline(new Promise(() => {}), 1_000, late).catch((reason: unknown) => {
    error = reason;
  });
  await vi.advanceTimersByTimeAsync(999);
  expect(error).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(error).toEqual(late());
});

test('rejects almost at once if the time is zero or negative', async () => {
  const outcome = expect(withDeadline(new Promise(() => {}), -5, late)).rejects.toThrow('late');
  await vi.advanceTimersByTimeAsync(1);
  await outcome;
});

test('ignores an error of the work after the deadline', async () => {
  const work = Promise.withResolvers<never>();
  const outcome = expect(withDeadline(work.promise, 1, late)).rejects.toThrow('late');
  await vi.advanceTimersByTimeAsync(1);
  await outcome;
  // An unhandled rejection would fail the run.
  work.reject(new Error('too late'));
});
