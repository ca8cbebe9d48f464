/**
 * Gateways deliver while everything between them and their clients fails repeatedly: client connections are cut or stop
 * transmitting, Redis is killed, gateways are killed. Every subscriber still receives every event once.
 *
 * A failure prints the seed: CUTS_SEED=… draws the same faults in the same order.
 */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedisBus } from '../../src/events/redis-bus.ts';
import { newId } from '../../src/platform/ids.ts';
import { type Draw, drawSeeded } from '../api/tenancy-documents.ts';
import { openPool, silent } from '../events/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { rawId } from '../support/rows.ts';
import { bySize } from '../support/size.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { startCaseload } from './caseload.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import {
  committedEvents,
  expectContractKept,
  type Listener,
  openSubscriber,
  type Subscriber,
} from './subscriber.ts';
import { createEventBudget, type WrittenGrant, writeEvents } from './writers.ts';

const eventCount = Number(process.env['CUTS_EVENTS'] ?? bySize(1_000, 10_000));
const eventsPerFault = 50;
const faultCount = Math.round(eventCount / eventsPerFault);
const grantCount = 200;
/** The writers: some send commands to the gateways, the others write their own transactions. */
const writerCount = 16;
const caseWorkers = 2;

const seed = Number(process.env['CUTS_SEED'] ?? Date.now() % 2 ** 31);
const seedNote = `CUTS_SEED=${seed}`;

/** The number of each kind among twenty faults. */
const shares = { CUT: 11, SWALLOWED: 5, REDIS_KILLED: 3, GATEWAY_KILLED: 1 };
type FaultKind = keyof typeof shares;
const faultKinds = Object.keys(shares) as FaultKind[];

let running: AsyncDisposableStack;
let deployment: Deployment;
let pool: pg.Pool;
let redis: TestRedis;
/** From the gateways to the current Redis server. */
let redisRoad: TcpProxy;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  const database = begun.adopt(await createTestDatabase(), (made) => made.dispose());
  redis = await startRedis();
  begun.defer(() => redis.stop());
  redisRoad = begun.adopt(await openTcpProxy(() => redis.port), (road) => road.dispose());
  const redisUrl = `redis://127.0.0.1:${redisRoad.port}`;
  deployment = begun.use(await startDeployment({ databaseUrl: database.url, redisUrl }));
  pool = begun.adopt(openPool(database.url, writerCount), (opened) => opened.end());
  running = begun.move();
});
afterAll(() => running?.disposeAsync());

type Fault = {
  kind: FaultKind;
  /** Chooses the connection, or the gateway, that fails. */
  target: number;
  /** The number of faults that occur before this one is repaired. */
  lasting: number;
};

/** Each kind as often as it should occur, in random order. */
function drawFaults(draw: Draw): Fault[] {
  const drawn = faultKinds.flatMap((kind) =>
    Array.from({ length: Math.round((faultCount * shares[kind]) / 20) }, (_fault, number) => ({
      kind,
      // The connections are cut in turn, so that each one is cut.
      target: kind === 'CUT' ? number : draw.below(1_000),
      // Some connections transmit nothing until their clients notice.
      lasting: draw.below(kind === 'SWALLOWED' && draw.chance(20) ? 40 : 4),
      order: draw.below(2 ** 31),
    })),
  );
  return drawn.sort((one, other) => one.order - other.order);
}

/** Returns a function that makes a fault occur and resolves with the function that repairs it. */
function createBreaker(roads: readonly TcpProxy[]) {
  const { gateways } = deployment;
  const changes: Record<'redis' | 'gateways', Promise<void>> = {
    redis: Promise.resolve(),
    gateways: Promise.resolve(),
  };
  for (const change of Object.values(changes)) change.catch(() => undefined);

  return {
    async cause({ kind, target }: Fault): Promise<() => void> {
      if (kind === 'CUT' || kind === 'SWALLOWED') {
        const road = roads[target % roads.length];
        if (kind === 'CUT') road?.cut();
        else road?.stall();
        return () => road?.resume();
      }
      if (kind === 'REDIS_KILLED') {
        await changes.redis;
        await redis.stop();
        return () => {
          changes.redis = changes.redis.then(async () => {
            await redis.stop();
            redis = await startRedis();
          });
        };
      }
      // One at a time: the other keeps running.
      await changes.gateways;
      const gateway = gateways[target % 2 === 0 ? 0 : 1];
      await gateway.kill();
      changes.gateways = gateway.start();
      return () => undefined;
    },
    async repaired() {
      await Promise.all(Object.values(changes));
    },
  };
}

/**
 * The subscribers and the grants that are written: each subscriber may receive events of some grants, not of others.
 */
function drawSubscribers(draw: Draw): { listeners: Listener[]; grants: WrittenGrant[] } {
  const { world } = deployment;
  const acme = rawId(world.acme.organizationId);
  const globex = rawId(world.globex.organizationId);
  const engineer = rawId(world.engineer.id);
  const otherEngineer = rawId(world.otherEngineer.id);
  return {
    listeners: [
      { name: world.engineer.email, mayReceive: ({ engineerIds }) => engineerIds.includes(engineer) },
      {
        name: world.otherEngineer.email,
        mayReceive: ({ engineerIds }) => engineerIds.includes(otherEngineer),
      },
      { name: world.services.watching, mayReceive: () => true },
      { name: world.services.acmeWatching, mayReceive: ({ organizationId }) => organizationId === acme },
      {
        name: world.acme.emails.organizationAdmin,
        mayReceive: ({ organizationId }) => organizationId === acme,
      },
      {
        name: world.globex.emails.organizationAdmin,
        mayReceive: ({ organizationId }) => organizationId === globex,
      },
    ],
    grants: Array.from({ length: grantCount }, () => ({
      id: newId(),
      audience: {
        organizationId: draw.pick([acme, globex]),
        siteId: newId(),
        reporterId: newId(),
        engineerIds: [draw.pick([engineer, otherEngineer])],
      },
    })),
  };
}

test(
  `${eventCount} events by ${writerCount} writers through ${faultCount} faults: none lost, none twice, ${seedNote}`,
  async () => {
    const { gateways, world, clientOf } = deployment;
    const faults = drawFaults(drawSeeded(seed));
    const draw = drawSeeded(seed + 1);
    const { listeners, grants } = drawSubscribers(draw);

    await using opened = new AsyncDisposableStack();
    /** Each connection goes to a random running gateway: a client that loses its gateway moves to another. */
    const openRoad = async () => {
      const road = await openTcpProxy(() => {
        const alive = gateways.filter(({ isRunning }) => isRunning);
        return draw.pick(alive.length > 0 ? alive : gateways).port;
      });
      return opened.adopt(road, () => road.dispose());
    };
    const roads: TcpProxy[] = [];
    const subscribers: Subscriber[] = [];
    for (const listener of listeners) {
      const road = await openRoad();
      roads.push(road);
      // Clients must notice within the test that their connection transmits nothing.
      const silenceMs = 2_000;
      subscribers.push(await openSubscriber(clientOf(listener.name, road.port), { ...listener, silenceMs }));
    }
    const before = new Set((await committedEvents(pool)).map(({ id }) => id));

    const bus = createRedisBus({
      ...{ url: `redis://127.0.0.1:${redisRoad.port}`, topology: 'SINGLE', channel: 'latchkey' },
      logger: silent,
    });
    opened.adopt(bus, () => bus.dispose());
    const budget = createEventBudget();
    const writers = writerCount - caseWorkers;
    const writing = writeEvents({ pool, grants, writers, budget, draw, wake: bus.publish });
    writing.catch(() => undefined);
    const caseRoad = await openRoad();
    const caseload = startCaseload({
      ...{ name: 'case', workers: caseWorkers, world },
      clientOf: (email) => clientOf(email, caseRoad.port),
      // Each ticket causes four events and two decisions.
      mayBegin: async () => {
        await budget.begin(4);
      },
      onDecided: async () => budget.committed(2),
    });

    const breaker = createBreaker([...roads, caseRoad]);
    const repairs: { at: number; repair: () => void }[] = [];
    for (const [index, fault] of faults.entries()) {
      budget.allow(eventsPerFault);
      await Promise.race([budget.hasCommitted(index * eventsPerFault), writing]);
      for (const { repair } of repairs.filter(({ at }) => at === index)) repair();
      repairs.push({ at: index + 1 + fault.lasting, repair: await breaker.cause(fault) });
    }
    for (const { repair } of repairs.filter(({ at }) => at >= faults.length)) repair();
    await breaker.repaired();
    await Promise.race([budget.hasCommitted(eventCount), writing]);
    budget.end();
    const [written] = await Promise.all([writing, caseload.finish()]);

    const events = await committedEvents(pool, before);
    const kept = new Set(events.map(({ id }) => id));
    const vanished = written.filter((id) => !kept.has(id));
    expect(vanished, `${seedNote}: committed, and not in the table`).toEqual([]);
    expect(events.length, `${seedNote}: with events of commands`).toBeGreaterThanOrEqual(eventCount);
    for (const subscriber of subscribers) {
      await expectContractKept(subscriber, events, { context: seedNote, deadlineMs: 120_000 });
      const { name, received, deliveries, losses, resumptions } = subscriber;
      expect(resumptions.length, `${seedNote}: resumptions of ${name}`).toBeGreaterThan(0);
      if (process.env['CUTS_FIGURES'] === undefined) continue;
      process.stdout.write(
        `${name}: ${received.length} events in ${deliveries} deliveries, ` +
          `${losses.length} connections lost or not made, ${resumptions.length} resumptions\n`,
      );
    }
  },
  300_000 + eventCount * 60,
);
