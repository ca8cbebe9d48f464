/**
 * The database is restored to an earlier state, or a standby takes over, under a running gateway. Subscribers that hold
 * a lost event or a lost entry of the audit log are told HISTORY_REPLACED, whether they stayed connected or resume; the others
 * notice nothing.
 */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { dumpOf, restoreInto } from '../support/dump.ts';
import { eventually } from '../support/eventually.ts';
import { type Followed, followLog } from '../support/followed-log.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { bySize, rotating, seedOf } from '../support/size.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createDatabaseWithWorld, fileTicket, type WorldContents } from '../support/world.ts';
import { type Cluster, createCluster, createClusterLike, type Standby } from './clusters.ts';
import { connect, type TestSocket } from './sockets.ts';
import { transports } from './transports.ts';

/** Where all tests begin: a cluster with two customers. Tests work on copies of it. */
let template: Cluster;
let world: WorldContents;

beforeAll(async () => {
  template = await createCluster();
  const filled = await createDatabaseWithWorld();
  await restoreInto(template.url, await dumpOf(filled.url));
  await filled.dispose();
  world = filled.contents;
});
afterAll(() => template?.dispose());

/** Disposes of it after the test; the last one first. */
function use<Thing extends { dispose(): Promise<void> }>(thing: Thing): Thing {
  onTestFinished(() => thing.dispose());
  return thing;
}

const copyOf = async (cluster: Cluster): Promise<Cluster> => use(await (await cluster.copy()).restore());

/** A gateway whose database address can lead to another server. */
type Place = {
  gateway: TestGateway;
  proxy: TcpProxy;
  /** From now on the address leads there; open connections are cut. */
  switchTo(cluster: Cluster): void;
};

/** A gateway whose server is replaced may wait for an answer that never comes: it must give up before the test does. */
const patientDeadlines = { connectionMs: 20_000, statementMs: 20_000, answerMs: 20_000 };

async function openPlace(cluster: Cluster): Promise<Place> {
  let { port } = cluster;
  const proxy = use(await openTcpProxy(() => port));
  const url = new URL(cluster.url);
  url.port = String(proxy.port);
  const gateway = use(
    await startGateway({ databaseUrl: url.href, maintenance: false, databaseDeadlines: patientDeadlines }),
  );
  return {
    gateway,
    proxy,
    switchTo(other) {
      proxy.cut();
      port = other.port;
      proxy.resume();
    },
  };
}

/** A subscription over a raw WebSocket. */
type Subscriber = {
  readonly events: () => {
    id: string;
    type: string;
    cursor: string;
    grant: { id: string; version: number } | null;
  }[];
  /** Resolves when it has this many events that are not of the beginning; rejects if it ends before. */
  received(count: number): Promise<void>;
  /** Resolves with the error that ends it. */
  ended(): Promise<{ extensions: { code: string } }>;
  hasEnded(): boolean;
  close(): void;
};

const marks = new Set(['STARTED', 'CURRENT', 'CURRENT_COMPLETE']);

async function subscribe({ gateway }: Place, after: string | null = null): Promise<Subscriber> {
  const { token } = await gateway.as(world.services.watching);
  const socket: TestSocket = await connect(gateway.url, token);
  socket.send({
    id: '1',
    type: 'subscribe',
    payload: {
      query: `subscription ($after: String) {
        grantEvents(after: $after, withCurrentState: true) { id type cursor grant { id version } }
      }`,
      variables: { after },
    },
  });
  const events = () =>
    socket.messages.filter(({ type }) => type === 'next').map(({ payload }) => payload.data.grantEvents);
  const error = () => socket.messages.find(({ type }) => type === 'error')?.payload[0];
  const subscriber: Subscriber = {
    events,
    async received(count) {
      await socket.until(
        () => error() !== undefined || events().filter(({ type }) => !marks.has(type)).length >= count,
      );
      if (error() !== undefined) throw new Error(`It ended: ${JSON.stringify(error())}`);
    },
    async ended() {
      await socket.until(() => error() !== undefined);
      return error();
    },
    hasEnded: () => error() !== undefined,
    close: () => socket.socket.terminate(),
  };
  await socket.until(
    () =>
      error() !== undefined ||
      events().some(({ type }) => type === (after === null ? 'CURRENT_COMPLETE' : 'STARTED')),
  );
  return subscriber;
}

/** Files a ticket, which requests access: at least one event. Waits until the gateway can reach its database. */
async function act({ gateway }: Place): Promise<void> {
  await expect.poll(async () => (await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  const operator = await gateway.as('operator@vendor.example');
  await fileTicket(gateway, { ...world, operator });
}

/** Commits that the gateway has nothing to do with. */
async function useUpTransactions(cluster: Cluster, count: number): Promise<void> {
  await cluster.query(...Array.from({ length: count }, () => 'SELECT pg_current_xact_id()'));
}

const eventsIn = async (cluster: Cluster): Promise<number> => {
  const [row] = await cluster.query(
    `SELECT count(*)::int AS count FROM events WHERE payload->>'kind' = 'grant'`,
  );
  return Number(row?.['count']);
};

/** Follows the audit log: the tickets that were filed. */
async function followTickets({ gateway }: Place, after?: string): Promise<Followed> {
  const { token } = await gateway.as(world.services.auditing);
  const [transport = 'WebSocket'] = transports;
  const wanted = { url: gateway.url, token, filter: '{ action: TICKET_CREATE }', after };
  const followed = followLog(transport, wanted);
  onTestFinished(() => followed.end());
  return followed;
}

/** As a background job does, which these gateways do not have. */
const givePositions = (cluster: Cluster) =>
  eventually(async () =>
    expect(await cluster.query('SELECT waiting FROM give_audit_positions(1000)')).toEqual([
      { waiting: false },
    ]),
  );

type Watched = {
  place: Place;
  stays: Subscriber;
  resumes: { cursor: string };
  /** Who follows the audit log, and stays. */
  follows: Followed;
};

/** Starts a gateway on the cluster, with a subscriber that stays and the last cursor of one that has left. */
async function watch(cluster: Cluster): Promise<Watched & { more(): Promise<void> }> {
  const place = await openPlace(cluster);
  const before = await eventsIn(cluster);
  const [stays, leaves] = [await subscribe(place), await subscribe(place)];
  const resumes = { cursor: '' };
  await givePositions(cluster);
  const follows = await followTickets(place);
  await follows.started;
  const more = async () => {
    const tickets = follows.events.length;
    await act(place);
    await givePositions(cluster);
    await eventually(() => expect(follows.events).toHaveLength(tickets + 1));
    const count = (await eventsIn(cluster)) - before;
    for (const subscriber of [stays, leaves]) await subscriber.received(count);
    resumes.cursor = leaves.events().at(-1)?.cursor ?? '';
  };
  await more();
  return { place, stays, resumes, follows, more };
}

async function expectReplaced({ place, stays, resumes, follows }: Watched, cluster: Cluster): Promise<void> {
  const resumed = await subscribe(place, resumes.cursor);
  expect((await resumed.ended()).extensions.code).toBe('HISTORY_REPLACED');
  expect((await stays.ended()).extensions.code).toBe('HISTORY_REPLACED');
  expect(await (await followTickets(place, follows.cursor)).ended).toBe('HISTORY_REPLACED');
  expect(await follows.ended).toBe('HISTORY_REPLACED');
  await givePositions(cluster);
  const followsAgain = await followTickets(place);
  await followsAgain.started;
  // Both start again with what is true now, and go on from there.
  const again = await subscribe(place);
  const open = await cluster.query(
    `SELECT id, version FROM grants WHERE state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE')`,
  );
  const state = again.events().filter(({ type }) => type === 'CURRENT');
  expect(state.map(({ grant }) => grant?.version).toSorted()).toEqual(
    open.map(({ version }) => version).toSorted(),
  );
  expect(state).toHaveLength(open.length);
  const before = await eventsIn(cluster);
  await act(place);
  await again.received((await eventsIn(cluster)) - before);
  await givePositions(cluster);
  await eventually(() => expect(followsAgain.events).toHaveLength(1));
  const cursor = again.events().at(-1)?.cursor ?? '';
  again.close();
  const resumedAgain = await subscribe(place, cursor);
  await act(place);
  await resumedAgain.received(1);
}

/** On an ordinary day, the history is replaced in one of these ways. */
const seed = seedOf('HISTORY_SEED');
const ways = rotating(['base copy', 'dump', 'standby'] as const, seed);
const inWay = <Case>(way: (typeof ways)[number], cases: readonly Case[]) => (ways.includes(way) ? cases : []);

const more: [string, number] = ['more transactions than before', 400];

test.each(inWay('base copy', bySize([more], [more, ['fewer transactions than before', 0]])))(
  `a base copy is restored, and the database has had %s, HISTORY_SEED=${seed}`,
  async (_what, transactions) => {
    const cluster = await copyOf(template);
    const watched = await watch(cluster);
    const copy = await cluster.copy();
    for (let count = 0; count < bySize(1, 10); count += 1) await watched.more();
    const restored = use(await copy.restore());
    await useUpTransactions(restored, transactions);
    await cluster.stop();
    watched.place.switchTo(restored);
    await expectReplaced(watched, restored);
  },
  300_000,
);

test('a base copy is restored in which nothing is missing that subscribers have received', async () => {
  const cluster = await copyOf(template);
  const watched = await watch(cluster);
  const restored = use(await (await cluster.copy()).restore());
  await cluster.stop();
  watched.place.switchTo(restored);
  const resumed = await subscribe(watched.place, watched.resumes.cursor);
  const { follows } = watched;
  const resumedLog = await followTickets(watched.place, follows.cursor);
  const before = watched.stays.events().filter(({ type }) => !marks.has(type)).length;
  const known = await eventsIn(restored);
  await act(watched.place);
  const count = (await eventsIn(restored)) - known;
  await watched.stays.received(before + count);
  await resumed.received(count);
  await givePositions(restored);
  await eventually(() => expect([follows.events.length, resumedLog.events.length]).toEqual([2, 1]));
}, 300_000);

const fresh: [string, 'same' | 'fresh'] = ['a fresh cluster', 'fresh'];

test.each(inWay('dump', bySize([fresh], [fresh, ['the same cluster', 'same']])))(
  `a dump is restored into %s, HISTORY_SEED=${seed}`,
  async (_what, where) => {
    const cluster = await copyOf(template);
    const watched = await watch(cluster);
    const dump = await dumpOf(cluster.url);
    for (let count = 0; count < bySize(1, 10); count += 1) await watched.more();
    const target = where === 'same' ? cluster : use(await createClusterLike(cluster));
    if (where === 'fresh') await cluster.stop();
    await restoreInto(target.url, dump);
    watched.place.switchTo(target);
    await expectReplaced(watched, target);
  },
  300_000,
);

const little: [string, number, number] = ['a little', 1, 400];

test.each(inWay('standby', bySize([little], [little, ['much', 30, 0]])))(
  `an asynchronous standby that is %s behind takes over, HISTORY_SEED=${seed}`,
  async (_what, lost, transactions) => {
    const { primary, standby } = await withStandby();
    const watched = await watch(primary);
    await caughtUp(primary);
    await standby.disconnect();
    for (let count = 0; count < lost; count += 1) await watched.more();
    await primary.stop();
    const promoted = use(await standby.promote());
    await useUpTransactions(promoted, transactions);
    watched.place.switchTo(promoted);
    await expectReplaced(watched, promoted);
  },
  300_000,
);

test('a synchronous standby takes over: subscriptions go on', async () => {
  const { primary, standby } = await withStandby();
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`, 'SELECT pg_reload_conf()');
  await expect
    .poll(() => primary.query('SELECT sync_state FROM pg_stat_replication'))
    .toEqual([{ sync_state: 'sync' }]);
  const watched = await watch(primary);
  for (let count = 0; count < 2; count += 1) await watched.more();
  const { place, stays, resumes } = watched;
  // At first the address leads to the standby, which can only be read.
  place.proxy.cut();
  await primary.stop();
  place.switchTo({ ...primary, port: standby.port });
  expect(stays.hasEnded()).toBe(false);
  const promoted = use(await standby.promote());
  await promoted.query(`ALTER SYSTEM RESET synchronous_standby_names`, 'SELECT pg_reload_conf()');
  place.switchTo(promoted);
  const resumed = await subscribe(place, resumes.cursor);
  const received = stays.events().filter(({ type }) => !marks.has(type)).length;
  const known = await eventsIn(promoted);
  await act(place);
  const count = (await eventsIn(promoted)) - known;
  await stays.received(received + count);
  await resumed.received(count);
  expect([stays.hasEnded(), resumed.hasEnded()]).toEqual([false, false]);
}, 300_000);

async function withStandby(): Promise<{ primary: Cluster; standby: Standby }> {
  const primary = await copyOf(template);
  const standby = use(await (await primary.copy()).follow(primary));
  return { primary, standby };
}

/** Resolves when the standby has everything that was committed. */
async function caughtUp(primary: Cluster): Promise<void> {
  await expect
    .poll(() =>
      primary.query('SELECT flush_lsn >= pg_current_wal_flush_lsn() AS done FROM pg_stat_replication'),
    )
    .toEqual([{ done: true }]);
}
