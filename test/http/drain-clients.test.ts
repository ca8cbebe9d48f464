import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type DrainingClient, drainClients, whenClosed } from '../../src/http/drain.ts';
import { defaultLimits } from '../../src/http/limits.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** A client that closes when it is told to, or by itself. */
function createClient() {
  const emitter = new EventEmitter();
  const state = { drainedAt: null as number | null, close: () => void emitter.emit('close') };
  const client: DrainingClient = {
    startDraining() {
      state.drainedAt = Date.now();
      state.close();
    },
    closed: whenClosed(emitter),
  };
  return { client, state };
}

test.each([
  ['few clients within 10 ms for each', 20, 200],
  ['many clients within 2.5 s', 1_000, 2_500],
])('drains %s', async (_case, count, withinMs) => {
  const clients = Array.from({ length: count }, createClient);
  const startedAt = Date.now();
  const drained = drainClients(
    clients.map(({ client }) => client),
    defaultLimits,
  );
  await vi.advanceTimersByTimeAsync(withinMs);
  await drained;
  const delays = clients.map(({ state }) => (state.drainedAt ?? Number.POSITIVE_INFINITY) - startedAt);
  expect(Math.max(...delays)).toBeLessThanOrEqual(withinMs);
  // At random moments: of so many clients, some are drained in the second half of the time.
  expect(Math.max(...delays)).toBeGreaterThan(withinMs / 2);
  expect(Math.min(...delays)).toBeLessThan(withinMs / 2);
});

test('does not drain a client that has closed by itself', async () => {
  const { client, state } = createClient();
  const drained = drainClients([client], defaultLimits);
  state.close();
  await drained;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(state.drainedAt).toBeNull();
});

test('resolves only when all are closed', async () => {
  const { client, state } = createClient();
  const deaf = { startDraining: () => {}, closed: client.closed };
  let isDone = false;
  void drainClients([deaf], defaultLimits).then(() => {
    isDone = true;
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(isDone).toBe(false);
  state.close();
  await vi.advanceTimersByTimeAsync(0);
  expect(isDone).toBe(true);
});
