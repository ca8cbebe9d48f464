/**
 * Gateways deliver while everything around them fails repeatedly: client connections are cut or stop transmitting, some
 * right after a subscription has started; Redis and gateways are killed; PostgreSQL drops the gateways' connections. Every
 * subscriber still receives every event once, of grants or of support sessions, whether it uses the client of this repository
 * or only the protocol.
 *
 * A failure prints the seed: CUTS_SEED=… draws the same faults in the same order.
 */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRedisBus } from '../../src/events/redis-bus.ts';
import { type Draw, drawSeeded } from '../api/tenancy-documents.ts';
import { openPool, silent } from '../events/gateway.ts';
import { generousMs } from '../support/deadlines.ts';
import { expectEveryPosition } from '../support/positions.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { insertOpenRequests, insertSessions, rawId } from '../support/rows.ts';
import { bySize, rotating } from '../support/size.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { startCaseload } from './caseload.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import { openRawSubscriber, type RawSubscriber } from './raw-subscriber.ts';
import type { Subscriber } from './reception.ts';
import { grantStream, type Stream, sessionStream } from './streams.ts';
import { committedEvents, expectContractKept, type Listener, openSubscriber } from './subscriber.ts';
import { createEventBudget, type WrittenGrant, writeEvents } from './writers.ts';

const eventCount = Number(process.env['CUTS_EVENTS'] ?? bySize(500, 10_000));
const eventsPerFault = 50;
const faultCount = Math.round(eventCount / eventsPerFault);
/** Of each customer and engineer. */
const grantsOfEach = 28;
/** The writers: some send commands to the gateways, the others write their own transactions. */
const writerCount = 16;
const caseWorkers = 2;
/** Of a hundred transactions, those with a storm of urgent events. */
const storms = 1;
/** Of a hundred other events, those of support sessions. */
const ofSessions = 40;
/** Milliseconds of silence after which a client counts its connection as lost: some transmit nothing for a while. */
const silenceMs = 2_000;
/** Subscribers that know only the protocol, beside those of the client; each newcomer is one more. */
const rawCount = bySize(2, 4);
const streams = [grantStream, sessionStream] as const;
const kinds = streams.map(({ kind }) => kind);

/** Codes of errors after which a client resumes, as docs/events.md says. */
const resumableCodes = ['FEED_UNAVAILABLE', 'FEED_CLOSED', 'SERVICE_UNAVAILABLE'];

const seed = Number(process.env['CUTS_SEED'] ?? Date.now() % 2 ** 31);
const seedNote = `CUTS_SEED=${seed}`;

/** The number of each kind among twenty faults. */
const shares = {
  CUT: 11,
  SWALLOWED: 3,
  REDIS_KILLED: 2,
  BACKENDS_TERMINATED: 2,
  NEWCOMER_CUT: 1,
  GATEWAY_KILLED: 1,
};
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

/** A subscriber, its connection, and the events that it may have missed because they were committed before it started. */
type Placed = { subscriber: Subscriber; road: TcpProxy; mayMiss: ReadonlySet<string> };

/**
 * Returns a function that makes a fault occur and resolves with the function that repairs it.
 * @param subscribeAndCut opens one more subscriber, whose connection is cut as soon as it has started
 */
function createBreaker(roads: readonly TcpProxy[], subscribeAndCut: () => Promise<TcpProxy>) {
  const { gateways } = deployment;
  const changes: Record<'redis' | 'gateways', Promise<void>> = {
    redis: Promise.resolve(),
    gateways: Promise.resolve(),
  };
  for (const change of Object.values(changes)) change.catch(() => undefined);
  const cutRoads = new Set<TcpProxy>();

  return {
    /** The connections that were cut: on an ordinary day, there are fewer cuts than connections. */
    cutRoads,
    async cause({ kind, target }: Fault): Promise<() => void> {
      if (kind === 'CUT' || kind === 'SWALLOWED') {
        const road = roads[target % roads.length];
        if (road === undefined) throw new Error('There is no connection to cut.');
        if (kind === 'CUT') {
          road.cut();
          cutRoads.add(road);
        } else road.stall();
        return () => road.resume();
      }
      if (kind === 'NEWCOMER_CUT') {
        const road = await subscribeAndCut();
        cutRoads.add(road);
        return () => road.resume();
      }
      if (kind === 'BACKENDS_TERMINATED') {
        // A gateway that loses a connection while it starts exits, so that it is started again.
        await changes.gateways;
        await pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'latchkey'`,
        );
        return () => undefined;
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

/** The accounts that subscribe: each may receive events of some of the grants that are written, not of others. */
function listenersOf({ acme, globex, engineer, otherEngineer, services }: Deployment['world']): Listener[] {
  const isOf = (customer: typeof acme): Listener['mayReceive'] => {
    const id = rawId(customer.organizationId);
    return ({ organizationId }) => organizationId === id;
  };
  const concerns = (person: typeof engineer): Listener['mayReceive'] => {
    const id = rawId(person.id);
    return ({ engineerIds }) => engineerIds.includes(id);
  };
  return [
    { name: engineer.email, mayReceive: concerns(engineer) },
    { name: otherEngineer.email, mayReceive: concerns(otherEngineer) },
    { name: services.watching, mayReceive: () => true },
    { name: services.acmeWatching, mayReceive: isOf(acme) },
    { name: acme.emails.organizationAdmin, mayReceive: isOf(acme) },
    { name: globex.emails.organizationAdmin, mayReceive: isOf(globex) },
  ];
}

/** The streams that an account follows by the client: one of the two in turn on an ordinary day. */
const streamsOf = (listener: number): Stream[] => rotating(streams, seed + listener);

/** The stream of a subscriber that knows only the protocol: each is followed over either transport. */
const streamOfRaw = (number: number): Stream => streams[Math.ceil(number / 2) % 2] ?? grantStream;

/** Inserts the grants and sessions of which events are written: clients select their tickets and engineers. */
async function insertGrants({ acme, globex, engineer, otherEngineer }: Deployment['world']) {
  const grants: WrittenGrant[] = [];
  const projects = [
    ['AE', acme, engineer],
    ['AO', acme, otherEngineer],
    ['GE', globex, engineer],
    ['GO', globex, otherEngineer],
  ] as const;
  for (const [project, customer, person] of projects) {
    const { rows } = await pool.query(`SELECT id FROM accounts WHERE email = $1`, [customer.emails.reporter]);
    const place = {
      project,
      siteId: rawId(customer.sites.main.id),
      productId: rawId(customer.sites.main.products.jira),
      reporterId: String(rows[0]?.id),
      engineerId: rawId(person.id),
    };
    const ids = await insertOpenRequests({ sql: pool }, place, grantsOfEach, 'The board does not load.');
    const sessionIds = await insertSessionOfEach(ids);
    const inserted = await pool.query(`SELECT id, ticket_id AS "ticketId" FROM grants WHERE id = ANY($1)`, [
      ids,
    ]);
    const audience = {
      organizationId: rawId(customer.organizationId),
      siteId: place.siteId,
      reporterId: place.reporterId,
      engineerIds: [place.engineerId],
    };
    const written = inserted.rows.map(({ id, ticketId }) => {
      return { id, ticketId, sessionId: sessionIds.get(id) ?? '', audience };
    });
    grants.push(...written);
  }
  return grants;
}

/** A session that is over under each request, past the rule that its grant is active. Returns their ids by grant. */
async function insertSessionOfEach(grantIds: readonly string[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  const client = await pool.connect();
  try {
    await client.query('BEGIN; SET LOCAL session_replication_role = replica');
    for (const grantId of grantIds) {
      const [id = ''] = await insertSessions({ sql: client }, grantId, 1);
      ids.set(grantId, id);
    }
    await client.query('COMMIT');
  } finally {
    client.release();
  }
  return ids;
}

test(
  `${eventCount} events by ${writerCount} writers through ${faultCount} faults: none lost, none twice, ${seedNote}`,
  async () => {
    const { gateways, world, clientOf, tokenOf } = deployment;
    const faults = drawFaults(drawSeeded(seed));
    const draw = drawSeeded(seed + 1);
    const listeners = listenersOf(world);
    const grants = await insertGrants(world);

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
    const subscribers: Placed[] = [];
    const rawSubscribers: RawSubscriber[] = [];
    for (const [number, listener] of listeners.entries()) {
      for (const stream of streamsOf(number)) {
        const road = await openRoad();
        roads.push(road);
        const client = clientOf(listener.name, road.port);
        const subscriber = await openSubscriber(client, { ...listener, stream, silenceMs });
        subscribers.push({ subscriber, road, mayMiss: new Set() });
      }
    }
    /** Opens a subscriber that knows only the protocol, as one of the accounts and over either transport in turn. */
    const openRawOn = async (road: TcpProxy, onStarted?: () => void) => {
      const number = rawSubscribers.length;
      const transport = number % 2 === 0 ? 'WebSocket' : 'event stream';
      const { name, mayReceive } = listeners[number % listeners.length] ?? draw.pick(listeners);
      const subscriber = await openRawSubscriber({
        ...{
          transport,
          url: `http://127.0.0.1:${road.port}`,
          token: () => tokenOf(name),
          stream: streamOfRaw(number),
          mayReceive,
          silenceMs,
        },
        name: `${name}, with a bare ${transport}`,
        ...(onStarted === undefined ? {} : { onStarted }),
      });
      opened.defer(() => subscriber.close());
      rawSubscribers.push(subscriber);
      return subscriber;
    };
    for (let number = 0; number < rawCount; number += 1) {
      const road = await openRoad();
      roads.push(road);
      subscribers.push({ subscriber: await openRawOn(road), road, mayMiss: new Set() });
    }
    const subscribeAndCut = async () => {
      const road = await openRoad();
      const subscriber = await openRawOn(road, () => road.cut());
      const mayMiss = new Set((await committedEvents(pool, new Set(), kinds)).map(({ id }) => id));
      subscribers.push({ subscriber, road, mayMiss });
      return road;
    };
    const before = new Set((await committedEvents(pool, new Set(), kinds)).map(({ id }) => id));

    const bus = createRedisBus({
      ...{ url: `redis://127.0.0.1:${redisRoad.port}`, topology: 'SINGLE', channel: 'latchkey' },
      logger: silent,
    });
    opened.adopt(bus, () => bus.dispose());
    const budget = createEventBudget();
    const writers = writerCount - caseWorkers;
    const writing = writeEvents({
      ...{ pool, grants, writers, budget, draw, storms, ofSessions },
      wake: bus.publish,
    });
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

    const breaker = createBreaker([...roads, caseRoad], subscribeAndCut);
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

    const events = await committedEvents(pool, before, kinds);
    const kept = new Set(events.map(({ id }) => id));
    const vanished = written.filter((id) => !kept.has(id));
    expect(vanished, `${seedNote}: committed, and not in the table`).toEqual([]);
    expect(events.length, `${seedNote}: with events of commands`).toBeGreaterThanOrEqual(eventCount);
    for (const { subscriber, road, mayMiss } of subscribers) {
      await expectContractKept(subscriber, events, { context: seedNote, deadlineMs: generousMs, mayMiss });
      const { name, stream, received, deliveries, losses, resumptions } = subscriber;
      if (breaker.cutRoads.has(road)) {
        expect(
          resumptions.length,
          `${seedNote}: resumptions of the ${stream.name} of ${name}`,
        ).toBeGreaterThan(0);
      }
      if (process.env['CUTS_FIGURES'] === undefined) continue;
      process.stdout.write(
        `${stream.name} of ${name}: ${received.length} events in ${deliveries} deliveries, ` +
          `${losses.length} connections lost or not made, ${resumptions.length} resumptions\n`,
      );
    }
    // Gateways were also killed while they gave positions to the entries of the audit log.
    await expectEveryPosition(pool);
    const ends = new Set(rawSubscribers.flatMap(({ errors }) => [...errors]));
    expect(
      [...ends].filter((code) => !resumableCodes.includes(code)),
      seedNote,
    ).toEqual([]);
  },
  300_000 + eventCount * 60,
);
