import { once } from 'node:events';
import { createServer } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { WakeBus } from '../../src/events/bus.ts';
import { createRedisBus, type RedisBusOptions } from '../../src/events/redis-bus.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { eventually } from '../support/eventually.ts';
import { measureLateness } from '../support/lateness.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { silent } from './gateway.ts';

let redis: TestRedis;
let proxy: TcpProxy;
const buses: WakeBus[] = [];

beforeEach(async () => {
  redis = await startRedis();
  proxy = await openTcpProxy(redis.port);
});
afterEach(async () => {
  await Promise.all(buses.splice(0).map((bus) => bus.dispose()));
  await proxy.dispose();
  await redis.stop();
});

function openBus(options: Partial<RedisBusOptions> = {}): WakeBus & { onWake: ReturnType<typeof vi.fn> } {
  const url = `redis://127.0.0.1:${proxy.port}`;
  const bus = createRedisBus({ url, topology: 'SINGLE', channel: 'wakes', logger: silent, ...options });
  buses.push(bus);
  const onWake = vi.fn();
  bus.subscribe(onWake);
  return { ...bus, onWake };
}

const isUp = (bus: WakeBus) => eventually(() => expect(bus.health().state).toBe('UP'));
const isDown = (bus: WakeBus) => eventually(() => expect(bus.health().state).toBe('DOWN'));
const wasWoken = (bus: { onWake: ReturnType<typeof vi.fn> }, count: number) =>
  eventually(() => expect(bus.onWake.mock.calls.length).toBeGreaterThanOrEqual(count));

describe('a bus over Redis', () => {
  test('wakes the others once it is up, and not itself', async () => {
    const [one, other] = [openBus(), openBus()];
    await Promise.all([isUp(one), isUp(other)]);
    // Once for the way being open.
    expect([one.onWake.mock.calls.length, other.onWake.mock.calls.length]).toStrictEqual([1, 1]);
    for (let round = 2; round < 12; round += 1) {
      one.publish();
      await wasWoken(other, round);
    }
    expect(one.onWake).toHaveBeenCalledTimes(1);
    other.publish();
    await wasWoken(one, 2);
    expect(other.onWake).toHaveBeenCalledTimes(11);
  });

  test('is up only when the server has acknowledged the subscription', async () => {
    const observer = new Redis(redis.url);
    await observer.client('PAUSE', 500, 'ALL');
    const bus = openBus();
    await eventually(() => expect(proxy.connections).toBe(2));
    expect(bus.health().state).toBe('DOWN');
    await isUp(bus);
    expect(await observer.pubsub('NUMSUB', 'wakes')).toStrictEqual(['wakes', 1]);
    observer.disconnect();
  });

  test('combines publications, and loses none of those made while a wake is in flight', async () => {
    const [one, other] = [openBus(), openBus()];
    await Promise.all([isUp(one), isUp(other)]);
    const observer = new Redis(redis.url);
    let wakes = 0;
    observer.on('message', (_channel: string, message: string) => {
      if (message.endsWith(' wake')) wakes += 1;
    });
    await observer.subscribe('wakes');
    for (let count = 0; count < 1000; count += 1) one.publish();
    await wasWoken(other, 3);
    // The first, and one more for all the others.
    await eventually(() => expect(wakes).toBe(2));
    observer.disconnect();
  });

  test('survives a restart of the server, and reports when it is back', async () => {
    const [one, other] = [openBus(), openBus()];
    await Promise.all([isUp(one), isUp(other)]);
    await redis.stop();
    await Promise.all([isDown(one), isDown(other)]);
    one.publish();
    redis = await startRedis({ port: redis.port });
    await Promise.all([isUp(one), isUp(other)]);
    // It is woken when it is connected again, and by the wake that could not be sent before.
    await wasWoken(other, 2);
    const before = other.onWake.mock.calls.length;
    one.publish();
    await wasWoken(other, before + 1);
  });

  test('notices within two seconds that messages no longer arrive, and recovers by itself', async () => {
    const [one, other] = [openBus(), openBus({ url: redis.url })];
    await Promise.all([isUp(one), isUp(other)]);
    proxy.stall();
    using lateness = measureLateness();
    const since = Date.now();
    one.publish();
    await isDown(one);
    expect(Date.now() - since).toBeLessThan(2000 + lateness.allowance());
    expect(other.health().state).toBe('UP');
    proxy.resume();
    await isUp(one);
    const before = other.onWake.mock.calls.length;
    one.publish();
    await wasWoken(other, before + 1);
    // The replaced connections are closed.
    await eventually(() => expect(proxy.connections).toBe(2));
  });

  test('starts without Redis, and with a Redis that never responds; connects once Redis is available', async () => {
    const mute = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const address = mute.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    proxy.cut();
    const [refused, unanswered] = [openBus(), openBus({ url: `redis://127.0.0.1:${port}` })];
    refused.publish();
    unanswered.publish();
    expect([refused.health().state, unanswered.health().state]).toStrictEqual(['DOWN', 'DOWN']);
    proxy.resume();
    await isUp(refused);
    using lateness = measureLateness();
    const since = Date.now();
    await unanswered.dispose();
    expect(Date.now() - since).toBeLessThan(500 + lateness.allowance());
    mute.close();
  });

  test('notices that its subscription was lost', async () => {
    const bus = openBus();
    await isUp(bus);
    const observer = new Redis(redis.url);
    const clients = String(await observer.client('LIST', 'TYPE', 'PUBSUB'));
    const id = /id=(\d+)/.exec(clients)?.[1] ?? '';
    await observer.client('KILL', 'ID', Number(id));
    await wasWoken(bus, 2);
    await isUp(bus);
    observer.disconnect();
  });

  test('logs why Redis refuses it, at the start and later, and not the password', async () => {
    const lines: string[] = [];
    const logger = createLogger('warn', { write: (line) => void lines.push(line) });
    const bus = openBus({ logger });
    await isUp(bus);
    const observer = new Redis(redis.url);
    await observer.config('SET', 'requirepass', 'right');
    await observer.client('KILL', 'TYPE', 'PUBSUB');
    await eventually(() => expect(lines.join('')).toContain('NOAUTH'));
    openBus({ url: `redis://:hunter%402@127.0.0.1:${redis.port}`, logger });
    await eventually(() => expect(lines.join('')).toContain('WRONGPASS'));
    expect(lines.join('')).not.toMatch(/hunter/);
    // Each reason once, however often it is tried again.
    expect(lines.filter((line) => line.includes('NOAUTH'))).toHaveLength(1);
    observer.disconnect();
  });

  test('leaves no connection and no timer when it is disposed, in any state', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    for (const moment of ['AT_ONCE', 'UP', 'STALLED', 'CUT'] as const) {
      proxy.resume();
      const bus = openBus();
      if (moment !== 'AT_ONCE') await isUp(bus);
      if (moment === 'STALLED') proxy.stall();
      if (moment === 'CUT') {
        proxy.cut();
        await isDown(bus);
      }
      await bus.dispose();
      await bus.dispose();
      bus.publish();
      expect(bus.health().state).toBe('DOWN');
      proxy.resume();
      await eventually(() => expect(proxy.connections).toBe(0));
    }
    // Waiting by a timer would count itself.
    const deadline = performance.now() + 60_000;
    while (timers() > before && performance.now() < deadline) await nextTurn();
    expect(timers()).toBeLessThanOrEqual(before);
  });
});
