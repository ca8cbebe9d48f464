/**
 * Redis goes away under whole gateways while people decide, or accepts connections and never answers. Nobody waits
 * longer than two seconds to be told, every decision holds at once at the other gateway, and delivery goes back to
 * Redis by itself.
 */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { NodeDocument } from '../../schema/generated/operations.ts';
import { openPool } from '../events/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { startCaseload } from './caseload.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import { committedEvents, expectContractKept, openSubscriber } from './subscriber.ts';

/** REDIS_OUTAGE_SECONDS=30 for the promised length. */
const outageMs = 1_000 * Number(process.env['REDIS_OUTAGE_SECONDS'] ?? 5);
/** Milliseconds within which everything is told, whatever Redis does. */
const tellingDeadline = 2_000;
const workers = 4;

let running: AsyncDisposableStack;
let deployment: Deployment;
let pool: pg.Pool;
let redis: TestRedis;
/** From the gateways to the present Redis. */
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

/** Resolves when both gateways listen on Redis again, and one that decides wakes the other through it. */
async function wakesThroughRedis(): Promise<void> {
  using stack = new DisposableStack();
  const open = () => stack.adopt(new Redis(redis.url), (client) => client.disconnect());
  const [asking, listening] = [open(), open()];
  await vi.waitFor(
    async () => expect(await asking.pubsub('NUMSUB', 'latchkey'), 'listeners').toEqual(['latchkey', 2]),
    { timeout: 15_000, interval: 50 },
  );
  await listening.subscribe('latchkey');
  const woken = new Promise<void>((resolve) => {
    listening.on('message', (_channel: string, message: string) => {
      if (message.endsWith(' wake')) resolve();
    });
  });
  const late = once(AbortSignal.timeout(15_000), 'abort').then(() => {
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

test.each(outages)(
  'while Redis %s',
  async (what, begin, end) => {
    const { gateways, world, clientOf } = deployment;
    const before = new Set((await committedEvents(pool)).map(({ id }) => id));
    const subscribers = await Promise.all(
      gateways.map(async ({ port }, index) => {
        const client = clientOf(world.services.watching, port);
        return openSubscriber(client, { name: `the watcher at gateway ${index}`, hears: () => true });
      }),
    );

    const stale: string[] = [];
    const caseload = startCaseload({
      ...{ name: what.replaceAll(' ', '-'), workers, world },
      // At one gateway only, so that the other is told of nothing by itself.
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
    // By itself: nobody has touched the gateways.
    await wakesThroughRedis();
    await caseload.decisions(workers * 4);
    await caseload.finish();

    const events = await committedEvents(pool, before);
    expect([...caseload.setbacks], 'requests that had to be repeated').toEqual([]);
    expect(stale, 'answers that were behind a decision').toEqual([]);
    let latest = 0;
    for (const subscriber of subscribers) {
      await expectContractKept(subscriber, events, { told: `while Redis ${what}`, deadlineMs: 10_000 });
      const { name, heard, losses } = subscriber;
      expect(losses, `connections lost by ${name}`).toEqual([]);
      const heardAt = new Map(heard.map(({ event: { grant }, at }) => [`${grant.id} ${grant.version}`, at]));
      const lateness = caseload.decided.map(
        ({ grantId, version, at }) => (heardAt.get(`${grantId} ${version}`) ?? Number.NaN) - at,
      );
      latest = Math.max(latest, ...lateness);
      expect(
        lateness.filter((ms) => !(ms <= tellingDeadline)),
        `milliseconds by which decisions came too late to ${name}`,
      ).toEqual([]);
    }
    if (process.env['OUTAGE_FIGURES'] !== undefined) {
      process.stdout.write(
        `Redis ${what}: ${caseload.decided.length} decisions, told ${Math.round(latest)} ms later at most\n`,
      );
    }
  },
  120_000 + 4 * outageMs,
);
