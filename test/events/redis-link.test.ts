/** During an outage of Redis, a gateway tries to connect about once a second. */
import { getEventListeners, once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { queryObjects } from 'node:v8';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRedisLink, type RedisChannel } from '../../src/events/redis-link.ts';

const attempts = 20;

/** Accepts connections and closes them at once. */
let refusing: Server;
let port: number;
beforeAll(async () => {
  refusing = createServer((socket) => void socket.destroy()).listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  ({ port } = refusing.address() as AddressInfo);
});
afterAll(() => void refusing.close());

/** What is attached to the signal, which outlives every attempt, and the signals that can still be reached. */
const attachedTo = (signal: AbortSignal) => ({
  listeners: getEventListeners(signal, 'abort').length,
  signals: queryObjects(AbortSignal, { format: 'count' }),
});

test.each<RedisChannel['topology']>(['SINGLE', 'CLUSTER'])(
  '%s: failed attempts to connect leave no listener and no signal behind',
  async (topology) => {
    const { signal } = new AbortController();
    const target = { url: `redis://127.0.0.1:${port}`, topology, channel: 'wakes' };
    const before = attachedTo(signal);
    for (let made = 0; made < attempts; made += 1) {
      await expect(openRedisLink(target, () => undefined, signal)).rejects.toThrow();
    }
    const after = attachedTo(signal);
    expect(after.listeners).toBe(0);
    // The first attempt of all may create some that are kept.
    expect(after.signals).toBeLessThan(before.signals + attempts / 2);
  },
);
