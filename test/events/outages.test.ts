import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FeedUnavailableError } from '../../src/events/errors.ts';
import type { GrantEventEnvelope } from '../../src/events/kinds/grant.ts';
import { origin } from '../../src/events/position.ts';
import { createRedisBus } from '../../src/events/redis-bus.ts';
import { eventually } from '../support/eventually.ts';
import { measureLateness } from '../support/lateness.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { rotating, seedOf } from '../support/size.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { grantEvent } from './events.ts';
import {
  type Delivery,
  type Gateway,
  idsOf,
  listener,
  openGateway,
  openPool,
  silent,
  take,
  write,
} from './gateway.ts';

let database: OwnPostgres;
let pool: pg.Pool;
let redis: TestRedis;
let proxy: TcpProxy;
let gateways: Gateway[] = [];

beforeAll(async () => {
  database = await startOwnPostgres();
  // An acknowledged commit must survive a crash.
  pool = openPool(`${database.url}?options=-c%20synchronous_commit%3Don`);
});
beforeEach(async () => {
  redis = await startRedis();
  proxy = await openTcpProxy(redis.port);
});
afterEach(async () => {
  await Promise.all(gateways.map((each) => each.dispose()));
  gateways = [];
  await proxy.dispose();
  await redis.stop();
});
afterAll(async () => {
  await pool.end();
  await database.dispose();
});

/** Milliseconds: so that a gateway soon notices that its database does not respond. */
const deadlines = { connectionMs: 1_000, statementMs: 1_000, answerMs: 1_000, disposeMs: 1_000 };

async function openGateways(
  count: number,
  { pollInterval = 1000, ...options }: { pollInterval?: number; deadlines?: typeof deadlines } = {},
): Promise<Gateway[]> {
  const url = `redis://127.0.0.1:${proxy.port}`;
  for (let index = 0; index < count; index += 1) {
    const bus = createRedisBus({ url, topology: 'SINGLE', channel: 'wakes', logger: silent });
    gateways.push(await openGateway(database.url, { bus, pollInterval, ...options }));
  }
  await allAre('UP');
  return gateways;
}

const allAre = (state: 'UP' | 'DOWN') =>
  eventually(() => {
    for (const { bus } of gateways) expect(bus.health().state).toBe(state);
  });

/** Commits an event and wakes this gateway. */
async function commitAt({ relay }: Gateway): Promise<GrantEventEnvelope> {
  const event = grantEvent();
  await write(pool, event);
  relay.wake();
  return event;
}

/** Commits an event at one gateway; returns the milliseconds until it arrives at another. */
async function latency(from: Gateway, subscribed: AsyncIterator<Delivery>): Promise<number> {
  const { id } = await commitAt(from);
  const since = performance.now();
  const next = await subscribed.next();
  expect(next).toMatchObject({ value: { event: { id } } });
  return performance.now() - since;
}

describe('two gateways on one Redis', () => {
  test('wake each other before they would poll', async () => {
    const [one, other] = await openGateways(2, { pollInterval: 600_000 });
    if (one === undefined || other === undefined) throw new Error('no gateway');
    const subscribed = other.feed.subscribe(listener());
    for (let count = 0; count < 20; count += 1) await latency(one, subscribed);
  });

  test("deliver each other's events within two seconds while Redis is gone or unresponsive", async () => {
    const [one, other] = await openGateways(2);
    if (one === undefined || other === undefined) throw new Error('no gateway');
    const subscribed = other.feed.subscribe(listener());

    using lateness = measureLateness();
    for (const outage of [proxy.stall, proxy.cut]) {
      outage();
      // Before the loss of Redis is noticed, and after.
      expect(await latency(one, subscribed)).toBeLessThan(2000 + lateness.allowance());
      await allAre('DOWN');
      for (let count = 0; count < 3; count += 1) {
        expect(await latency(one, subscribed)).toBeLessThan(2000 + lateness.allowance());
      }
      proxy.resume();
      await allAre('UP');
    }
  });

  test('lose nothing while Redis stops and starts', async () => {
    const [one, other] = await openGateways(2);
    if (one === undefined || other === undefined) throw new Error('no gateway');
    const subscribed = other.feed.subscribe(listener());
    const committed: GrantEventEnvelope[] = [];
    const received: Delivery[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let count = 0; count < 20; count += 1) committed.push(await commitAt(one));
      await redis.stop();
      for (let count = 0; count < 20; count += 1) committed.push(await commitAt(one));
      redis = await startRedis({ port: redis.port });
      received.push(...(await take(subscribed, 40)));
      await allAre('UP');
    }
    expect(idsOf(received)).toStrictEqual(idsOf(committed));
  });
});

describe('a gateway whose database', () => {
  test('does not respond ends all subscriptions that wait for it, though few may read at a time', async () => {
    const at = await openGateway(database.url, { readers: 1, outage: 1000, recentEvents: 0, deadlines });
    gateways.push(at);
    await database.freeze();
    const resumed = Array.from({ length: 20 }, () => at.feed.subscribe(listener({ after: origin })).next());
    const ends = await Promise.allSettled(resumed).finally(() => database.thaw());
    expect(ends).toHaveLength(20);
    for (const end of ends) expect(end).toMatchObject({ reason: expect.any(FeedUnavailableError) });
  });

  const outages: [string, () => Promise<void>, () => Promise<void>][] = [
    ['is restarted', () => database.stop(), () => database.start()],
    ['crashes', () => database.crash(), () => database.start()],
    ['stops responding', () => database.freeze(), () => database.thaw()],
  ];
  const seed = seedOf('OUTAGES_SEED');
  test.each(rotating(outages, seed, 2))(
    `%s keeps its subscriptions, and they miss nothing, OUTAGES_SEED=${seed}`,
    async (_what, begin, end) => {
      const [one, other] = await openGateways(2, { deadlines });
      if (one === undefined || other === undefined) throw new Error('no gateway');
      const live = other.feed.subscribe(listener());
      const committed = [await commitAt(one), await commitAt(one)];
      const received = await take(live, 2);
      const [first] = received;
      const next = live.next();
      // Committed, and perhaps not read before the outage.
      committed.push(await commitAt(one));
      await begin();
      const resumed = other.feed.subscribe(listener({ after: first?.position ?? origin }));
      const resumption = resumed.next();
      await eventually(() => expect(other.relay.stats().failures).toBeGreaterThan(0));
      await end();
      for (const event of [grantEvent(), grantEvent()]) {
        await eventually(() => write(pool, event));
        one.relay.wake();
        committed.push(event);
      }
      const value = (await next).value;
      if (value !== undefined) received.push(value);
      received.push(...(await take(live, 2)));
      expect(idsOf(received)).toStrictEqual(idsOf(committed));
      const again = [(await resumption).value, ...(await take(resumed, 3))].flatMap((one) => one ?? []);
      expect(idsOf(again)).toStrictEqual(idsOf(committed.slice(1)));
    },
  );

  test('is unavailable at the start begins once it is available', async () => {
    await database.stop();
    const opening = openGateway(database.url);
    await database.start();
    const gateway = await opening;
    gateways.push(gateway);
    const subscribed = gateway.feed.subscribe(listener());
    const { id } = await commitAt(gateway);
    expect(idsOf(await take(subscribed, 1))).toStrictEqual([id]);
  });
});
