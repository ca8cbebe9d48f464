/**
 * Redis stops under running gateways while people decide on grants, or accepts connections and never responds. Every
 * event is still delivered within two seconds, every decision is effective at the other gateway at once, and wakes go
 * through Redis again by themselves.
 */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeDocument } from '../../schema/generated/operations.ts';
import { openPool } from '../events/gateway.ts';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { measureLateness } from '../support/lateness.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { bySize, rotating, seedOf } from '../support/size.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { startCaseload } from './caseload.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import { committedEvents, expectContractKept, openSubscriber } from './subscriber.ts';

const outageMs = 1_000 * Number(process.env['REDIS_OUTAGE_SECONDS'] ?? bySize(2, 30));
/** The latency in milliseconds within which every event must be delivered, whatever Redis does. */
const deliveryDeadline = 2_000;
const workers = 4;

let running: AsyncDisposableStack;
let deployment: Deployment;
let pool: pg.Pool;
let redis: TestRedis;
/** From the gateways to the current Redis server. */
let road: TcpProxy;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  const database = begun.adopt(await createTestDatabase(), (made) => made.dispose());
  redis = await startRedis();
  begun.defer(() => redis.stop());
  road = begun.adopt(await openTcpProxy(() => redis.port), (opened) => opened.dispose());
  const redisUrl = `redis://127.0.0.1:${road.port}`;
  deployment = begun.use(await startDeployment({ databaseUrl: database.url, redisUrl }));
  pool = begun.adopt(openPool(database.url, 1), (opened) => opened.end());
  running = begun.move();
});
afterAll(() => running?.disposeAsync());

/** Resolves when both gateways are subscribed on Redis again, and one of them wakes the other through it. */
async function wakesThroughRedis(): Promise<void> {
  using stack = new DisposableStack();
  const open = () => stack.adopt(new Redis(redis.url), (client) => client.disconnect());
  const [asking, listening] = [open(), open()];
  await eventually(async () =>
    expect(await asking.pubsub('NUMSUB', 'latchkey'), 'listeners').toEqual(['latchkey', 2]),
  );
  await listening.subscribe('latchkey');
  const woken = new Promise<void>((resolve) => {
    listening.on('message', (_channel: string, message: string) => {
      if (message.endsWith(' wake')) resolve();
    });
  });
  const late = once(AbortSignal.timeout(generousMs), 'abort').then(() => {
    throw new Error('No gateway wakes another through Redis');
  });
  await Promise.race([woken, late]);
}

const outages: [string, () => Promise<void>, () => Promise<void>][] = [
  [
    'is gone',
    () => redis.stop(),
    async () => {
      redis = await startRedis();
    },
  ],
  ['accepts connections and never answers', async () => road.stall(), async () => road.resume()],
];

const seed = seedOf('REDIS_OUTAGE_SEED');

test.each(rotating(outages, seed))(
  `while Redis %s, REDIS_OUTAGE_SEED=${seed}`,
  async (what, begin, end) => {
    const { gateways, world, clientOf } = deployment;
    const before = new Set((await committedEvents(pool)).map(({ id }) => id));
    const subscribers = await Promise.all(
      gateways.map(async ({ port }, index) => {
        const client = clientOf(world.services.watching, port);
        return openSubscriber(client, { name: `the watcher at gateway ${index}`, mayReceive: () => true });
      }),
    );

    using lateness = measureLateness();
    const stale: string[] = [];
    const caseload = startCaseload({
      ...{ name: what.replaceAll(' ', '-'), workers, world },
      // At one gateway only: the other learns of events through Redis or the database.
      clientOf: (email) => clientOf(email, gateways[0].port),
      async onDecided({ grantId, state, version }) {
        for (const { port } of gateways) {
          const client = clientOf(world.engineer.email, port);
          const { node } = await client.execute(NodeDocument, { id: grantId });
          if (node?.__typename === 'Grant' && node.state === state && node.version === version) continue;
          stale.push(`${grantId} was decided to be ${state} ${version}, and is ${JSON.stringify(node)}`);
        }
      },
    });

    await caseload.decisions(workers * 4);
    await begin();
    for (const since = performance.now(); performance.now() - since < outageMs; ) {
      await caseload.decisions(workers);
    }
    await end();
    // The gateways reconnect by themselves.
    await wakesThroughRedis();
    await caseload.decisions(workers * 4);
    await caseload.finish();

    const events = await committedEvents(pool, before);
    // The gateways answer too slowly also on a machine on which this process is late.
    const maySlowDown = lateness.allowance() < 300 ? [] : ['SERVICE_UNAVAILABLE', 'TOOK_TOO_LONG'];
    const setbacks = [...caseload.setbacks].filter(([code]) => !maySlowDown.includes(code));
    expect(setbacks, 'requests that had to be repeated').toEqual([]);
    expect(stale, 'reads that did not show a decision').toEqual([]);
    let latest = 0;
    for (const subscriber of subscribers) {
      await expectContractKept(subscriber, events, {
        context: `while Redis ${what}`,
        deadlineMs: generousMs,
      });
      const { name, received, losses } = subscriber;
      expect(losses, `connections lost by ${name}`).toEqual([]);
      const receivedAt = new Map(
        received.map(({ event: { subject }, at }) => [`${subject.id} ${subject.version}`, at]),
      );
      const delays = caseload.decided.map(
        ({ grantId, version, at }) => (receivedAt.get(`${grantId} ${version}`) ?? Number.NaN) - at,
      );
      latest = Math.max(latest, ...delays);
      expect(
        delays.filter((ms) => !(ms <= deliveryDeadline + lateness.allowance())),
        `milliseconds after which late decisions were delivered to ${name}`,
      ).toEqual([]);
    }
    if (process.env['OUTAGE_FIGURES'] !== undefined) {
      process.stdout.write(
        `Redis ${what}: ${caseload.decided.length} decisions, delivered ${Math.round(latest)} ms later at most\n`,
      );
    }
  },
  300_000 + 4 * outageMs,
);
