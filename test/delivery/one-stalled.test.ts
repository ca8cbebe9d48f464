/** One of many clients stops reading: it is closed in time, resumes without loss, and does not slow down the others. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { developmentToken } from '../../client/src/index.ts';
import type { WakeBus } from '../../src/events/bus.ts';
import { createRedisBus } from '../../src/events/redis-bus.ts';
import { withDeadline } from '../../src/platform/deadline.ts';
import { grantEvent } from '../events/events.ts';
import { openPool, silent, write } from '../events/gateway.ts';
import { closeOf } from '../http/server-fixture.ts';
import { generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { measureLateness } from '../support/lateness.ts';
import { startRedis } from '../support/redis.ts';
import { globalId, insertOpenRequests, rawId } from '../support/rows.ts';
import { bySize, fullSize } from '../support/size.ts';
import { done, startGatewayWithWorld, type World } from '../support/world.ts';
import { type Audience, assemble } from './audience.ts';
import { type InspectedGateway, startInspectedGateway } from './inspected-gateway.ts';

const clients = bySize(12, 200);
const megabyte = 1024 * 1024;
/** The growth of the gateway's memory that is allowed while a client is stalled, and afterwards. */
const mostMemory = 32 * megabyte;
const bigText = 'x'.repeat(6 * 1024);
/** The number of events and open grants: their text is larger than the gateway may keep in memory. */
const flood = 150;

/** 300 KB of each event. */
const greedy = Array.from({ length: 48 }, (_, at) => `a${at}: grant { justification }`).join(' ');
const modest = 'type grant { id version }';
const subscriptionFor = (selection: string) =>
  `subscription Events($after: String, $withCurrentState: Boolean!) {
     grantEvents(after: $after, withCurrentState: $withCurrentState) { id cursor ${selection} }
   }`;

let stack: AsyncDisposableStack;
let gateway: InspectedGateway;
let pool: ReturnType<typeof openPool>;
let bus: WakeBus;
let audience: Audience;
let stalledToken: string;
/** The p99 latency of deliveries, in milliseconds, while every client reads. */
let calm: number;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const { gateway: office, world } = stack.use(await startGatewayWithWorld({ maintenance: false }));
  const { databaseUrl } = office;
  const redisServer = stack.adopt(await startRedis(), (server) => server.stop());
  const redis = { url: redisServer.url, topology: 'SINGLE', channel: 'latchkey-stalled' } as const;
  pool = stack.adopt(openPool(databaseUrl, 2), (opened) => opened.end());
  const watchers = await addWatchers(world.operator);
  await openRequests(office, world, flood);
  gateway = stack.adopt(await startInspectedGateway({ databaseUrl, redis }), (started) => started.dispose());
  bus = stack.adopt(createRedisBus({ ...redis, logger: silent }), (opened) => opened.dispose());
  await new Promise<void>((resolve) => bus.subscribe(resolve));
  const [first = '', ...tokens] = await Promise.all(
    watchers.map((email) => developmentToken(gateway.url, email)()),
  );
  stalledToken = first;
  audience = stack.adopt(await assemble(gateway.url, tokens, clients - 1), (assembled) => assembled.leave());
  await writeTogether(flood, bigText);
  calm = p99(sorted(await writeOneByOne(bySize(30, 300))));
});
afterAll(() => stack.disposeAsync());

/** Accounts that may receive every event. */
async function addWatchers(operator: Person): Promise<string[]> {
  const emails = Array.from({ length: 6 }, (_, at) => `watching-${at}@vendor.example`);
  for (const email of emails)
    await done(operator, 'addServiceAccount', { email, name: email, capabilities: ['GRANT_WATCHING'] });
  return emails;
}

/** Opens this many requests with a long text, one for each ticket. */
async function openRequests(office: TestGateway, { acme }: World, count: number): Promise<void> {
  const { rows } = await office.sql.query('SELECT id FROM accounts WHERE email = $1', [acme.emails.reporter]);
  const { id: siteId, products } = acme.sites.main;
  const place = { project: 'STALLED', siteId: rawId(siteId), productId: rawId(products.jira) };
  await insertOpenRequests(office, { ...place, reporterId: rows[0]?.id, engineerId: null }, count, bigText);
}

/** Writes this many events in one transaction; resolves with the latency of each delivery when all have arrived. */
async function writeTogether(
  count: number,
  justification = 'small',
): Promise<{ ids: string[]; latencies: number[] }> {
  const events = Array.from({ length: count }, () => {
    const event = grantEvent();
    return { ...event, grant: { ...event.grant, justification } };
  });
  const ids = events.map(({ id }) => id);
  const writtenAt = performance.now();
  await write(pool, ...events);
  bus.publish();
  return { ids, latencies: await audience.hasReceived(ids, writtenAt) };
}

/**
 * Writes events, each after everybody has received the previous one: `count`, and more until `arrivals` are resolved.
 */
async function writeOneByOne(count: number, ...arrivals: Promise<unknown>[]): Promise<number[]> {
  let isOver = arrivals.length === 0;
  const all = withDeadline(
    Promise.all(arrivals),
    generousMs,
    () => new Error('The gateway did not close the stalled client in time.'),
  ).finally(() => {
    isOver = true;
  });
  all.catch(() => undefined);
  const latencies: number[] = [];
  for (let written = 0; written < count || !isOver; written += 1)
    latencies.push(...(await writeTogether(1)).latencies);
  await all;
  return latencies;
}

const sorted = (numbers: number[]) => numbers.sort((one, other) => one - other);

function p99(latencies: readonly number[]): number {
  return latencies[Math.floor(latencies.length * 0.99)] ?? 0;
}

type Received = { id: string; cursor: string; type?: string; grant?: { id: string; version: number } | null };

/** Subscribes on a separate socket that can be paused, and keeps what it receives. */
async function subscribe(selection: string, variables: { after?: string; withCurrentState: boolean }) {
  let port: number | undefined;
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    createConnection: () => {
      const connection = connectTcp(Number(new URL(gateway.url).port), '127.0.0.1');
      connection.once('connect', () => {
        port = connection.localPort;
      });
      return connection;
    },
  });
  onTestFinished(() => socket.terminate());
  const received: Received[] = [];
  const send = (message: object) => socket.send(JSON.stringify(message));
  socket.on('message', (data) => {
    const { type, payload }: Json = JSON.parse(String(data));
    if (type === 'connection_ack')
      send({ id: '1', type: 'subscribe', payload: { query: subscriptionFor(selection), variables } });
    if (type !== 'next') return;
    received.push(payload.data.grantEvents);
    socket.emit('received');
  });
  await once(socket, 'open');
  send({ type: 'connection_init', payload: { authorization: `Bearer ${stalledToken}` } });
  return {
    socket,
    received,
    port,
    async until(enough: () => boolean): Promise<void> {
      while (!enough()) await once(socket, 'received');
    },
  };
}

type Stalled = {
  stalled: Awaited<ReturnType<typeof subscribe>>;
  /** The events that it has received, or that were written before it subscribed. */
  before: readonly string[];
};

/** The ids of what a client that resumes must have received: every event, or every open grant. */
async function written(what: 'events' | 'grants'): Promise<string[]> {
  const { rows } =
    what === 'events'
      ? await pool.query(`SELECT id FROM events WHERE payload->>'kind' = 'grant'`)
      : await pool.query('SELECT id FROM grants');
  return rows.map(({ id }) => (what === 'events' ? id : globalId('Grant', id)));
}

/** Milliseconds by which latencies may differ on a busy machine. */
const noise = 250;

/** A generous time in milliseconds for the gateway to fill the kernel's buffers for a client. */
const filling = 1_000;

type Case = {
  what: string;
  stall: () => Promise<Stalled>;
  /** Otherwise it is cut. */
  readsItsCloseFrame: boolean;
  /** The events that it must receive when it resumes. */
  stillToReceive: 'events' | 'grants';
};

test.for<Case>([
  {
    what: 'while events happen',
    async stall() {
      const stalled = await subscribe(greedy, { withCurrentState: false });
      await stalled.until(() => stalled.received.length > 0);
      stalled.socket.pause();
      const before = await written('events');
      await writeTogether(flood, bigText);
      return { stalled, before };
    },
    readsItsCloseFrame: true,
    stillToReceive: 'events',
  },
  {
    what: 'while it receives the current state',
    async stall() {
      const stalled = await subscribe(greedy, { withCurrentState: true });
      await stalled.until(() => stalled.received.length > 0);
      stalled.socket.pause();
      // A client that was cut off in the current state gets all of it again.
      return { stalled, before: [] };
    },
    readsItsCloseFrame: false,
    stillToReceive: 'grants',
  },
  {
    what: 'while it receives what it has missed',
    async stall() {
      const first = await subscribe(modest, { withCurrentState: true });
      await first.until(() => first.received.at(-1)?.type === 'CURRENT_COMPLETE');
      first.socket.terminate();
      const before = await written('events');
      await writeTogether(flood, bigText);
      const stalled = await subscribe(greedy, {
        after: first.received.at(-1)?.cursor ?? '',
        withCurrentState: false,
      });
      await stalled.until(() => stalled.received.length > 0);
      stalled.socket.pause();
      return { stalled, before };
    },
    readsItsCloseFrame: false,
    stillToReceive: 'events',
  },
])('a client that stops reading $what', async ({ stall, readsItsCloseFrame, stillToReceive }) => {
  const memoryBefore = await gateway.memory();
  const closed = gateway.logged('closed because its client does not read');
  const { stalled, before } = await stall();
  using lateness = measureLateness();
  const stalledAt = performance.now();
  const gone = gateway.gone(stalled.port);
  const close = closeOf(stalled.socket);
  const closedAfter = closed.then(() => performance.now() - stalledAt);
  const wait = async () => {
    await closed;
    if (readsItsCloseFrame) stalled.socket.resume();
    await gone;
    return performance.now() - stalledAt;
  };
  const goneAfter = wait();

  const atFirst = await writeOneByOne(bySize(15, 50));
  const memoryMeanwhile = await gateway.memory();
  const latencies = sorted(atFirst.concat(await writeOneByOne(bySize(20, 250), goneAfter)));
  const memoryAfter = await gateway.memory();
  // Both processes measure: the gateway closes the client, and this one notices it.
  const late = lateness.allowance() + (await gateway.latenessAllowance());
  stalled.socket.resume();

  expect((await close).code, 'how it was closed').toBe(readsItsCloseFrame ? 4413 : 1006);
  expect({ repeated: audience.repeated, ends: audience.ends }, 'what went wrong for the others').toEqual({
    repeated: [],
    ends: [],
  });
  expect(await closedAfter, 'milliseconds until it was closed').toBeLessThan(5_000 + filling + late);
  if (!readsItsCloseFrame)
    expect((await goneAfter) - (await closedAfter), 'milliseconds until it was cut').toBeLessThan(
      3_000 + late,
    );
  expect(p99(latencies), `p99 of the others, which was ${calm} ms`).toBeLessThanOrEqual(
    Math.max(3 * calm, noise) + late,
  );
  expect(latencies.at(-1), 'the slowest of all deliveries, in milliseconds').toBeLessThan(3_000 + late);
  for (const memory of [memoryMeanwhile, memoryAfter]) {
    expect(memory.heap - memoryBefore.heap, 'bytes that the heap grew by').toBeLessThan(mostMemory);
    // A gateway that has hardly begun still grows by other things than this client.
    if (fullSize)
      expect(memory.rss - memoryBefore.rss, 'bytes that the process grew by').toBeLessThan(mostMemory);
  }

  const after = stalled.received.at(-1)?.cursor ?? '';
  const resumed = await subscribe(modest, { after, withCurrentState: false });
  const due = (await written(stillToReceive)).filter((id) => !before.includes(id));
  const missing = () => {
    const received = new Set(
      [...stalled.received, ...resumed.received].map(stillToReceive === 'events' ? idOf : grantOf),
    );
    return due.filter((id) => !received.has(id));
  };
  await withDeadline(
    resumed.until(() => missing().length === 0),
    generousMs,
    () => new Error(`It resumed, and missed ${missing().length} of ${due.length} ${stillToReceive}.`),
  );
  const { ids } = await writeTogether(10);
  await resumed.until(() => resumed.received.some(({ id }) => id === ids.at(-1)));
  const ofResumed = resumed.received.map(idOf);
  expect(ofResumed.slice(-10), 'what happened after it resumed').toEqual(ids);
  expect(new Set(ofResumed).size, 'events of the resumption, each once').toBe(ofResumed.length);
});

const idOf = ({ id }: Received) => id;
const grantOf = ({ grant }: Received) => grant?.id ?? '';
