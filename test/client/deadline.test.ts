import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  DeadlinePassedError,
  delay,
  orAborted,
  startDeadline,
  waitUntil,
} from '../../client/src/deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('a deadline', () => {
  test('aborts when its time is over, and says so', () => {
    const { signal } = startDeadline(1_000);
    vi.advanceTimersByTime(999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toBeInstanceOf(DeadlinePassedError);
  });

  test('aborts with the outer signal, for its reason', () => {
    const outer = new AbortController();
    const deadline = startDeadline(1_000, outer.signal);
    outer.abort('enough');
    expect(deadline.signal.reason).toBe('enough');
    deadline.clear();
    const late = startDeadline(1_000, outer.signal);
    expect(late.signal.reason).toBe('enough');
    late.clear();
  });

  test('never aborts after it is cleared', () => {
    const outer = new AbortController();
    const deadline = startDeadline(1_000, outer.signal);
    deadline.clear();
    outer.abort();
    expect(deadline.signal.aborted).toBe(false);
  });

  test('may be longer than timers can be', () => {
    const deadline = startDeadline(Number.POSITIVE_INFINITY);
    vi.advanceTimersByTime(86_400_000);
    expect(deadline.signal.aborted).toBe(false);
    deadline.clear();
  });
});

describe('a promise or an abort', () => {
  test('settles as the promise does', async () => {
    const { signal } = new AbortController();
    expect(await orAborted(Promise.resolve(7), signal)).toBe(7);
    await expect(orAborted(Promise.reject(new Error('broken')), signal)).rejects.toThrow('broken');
  });

  test('rejects with the reason of the signal when that aborts first, or has aborted', async () => {
    const controller = new AbortController();
    const waiting = orAborted(new Promise(() => undefined), controller.signal);
    controller.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    await expect(orAborted(new Promise(() => undefined), controller.signal)).rejects.toBe('enough');
  });
});

test('a wait until a time ends then, however far it is away, or when its signal aborts', async () => {
  const state = { isOver: false };
  const days = 40 * 86_400_000;
  void waitUntil(Date.now() + days, new AbortController().signal).then(() => {
    state.isOver = true;
  });
  await vi.advanceTimersByTimeAsync(days - 1);
  expect(state.isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(state.isOver).toBe(true);
  await waitUntil(Date.now() + days, AbortSignal.abort());
});

describe('a delay', () => {
  /** A delay of a second, and whether it has resolved. */
  function startDelay(signal: AbortSignal) {
    const state = { isOver: false };
    void delay(1_000, signal).then(() => {
      state.isOver = true;
    });
    return state;
  }

  test('resolves after its time', async () => {
    const state = startDelay(new AbortController().signal);
    await vi.advanceTimersByTimeAsync(999);
    expect(state.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.isOver).toBe(true);
  });

  test('resolves at once when its signal aborts, and leaves no timer', async () => {
    const controller = new AbortController();
    const state = startDelay(controller.signal);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(state.isOver).toBe(true);
  });

  test('resolves at once when its signal has aborted before', async () => {
    const state = startDelay(AbortSignal.abort());
    await vi.advanceTimersByTimeAsync(0);
    expect(state.isOver).toBe(true);
  });
});
