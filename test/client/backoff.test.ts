import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backoffMs, delay } from '../../src/client/backoff.ts';

test('doubles up to half a minute, less a random part of up to half', () => {
  const shortest = [1, 2, 3, 8, 100].map((attempt) => backoffMs(attempt, () => 0));
  const longest = [1, 2, 3, 8, 100].map((attempt) => backoffMs(attempt, () => 1));
  expect(longest).toEqual([250, 500, 1_000, 30_000, 30_000]);
  expect(shortest).toEqual(longest.map((ms) => ms / 2));
});

describe('a delay', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

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
