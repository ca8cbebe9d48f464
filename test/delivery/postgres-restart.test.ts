/**
 * PostgreSQL restarts under running gateways while people decide on grants. Subscriptions stay open and continue where
 * they were; every committed event is delivered, and every acknowledged decision was committed.
 */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool } from '../events/gateway.ts';
import { generousMs } from '../support/deadlines.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { rawId } from '../support/rows.ts';
import { bySize, rotating, seedOf } from '../support/size.ts';
import { startCaseload } from './caseload.ts';
import { type Deployment, startDeployment } from './deployment.ts';
import { committedEvents, expectContractKept, type Listener, openSubscriber } from './subscriber.ts';

const workers = 4;
const restarts = bySize(1, 3);

let running: AsyncDisposableStack;
let deployment: Deployment;
let postgres: OwnPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  postgres = begun.adopt(await startOwnPostgres(), (own) => own.dispose());
  const redis = begun.adopt(await startRedis(), (started) => started.stop());
  deployment = begun.use(await startDeployment({ databaseUrl: postgres.url, redisUrl: redis.url }));
  pool = begun.adopt(openPool(postgres.url, 1), (opened) => opened.end());
  running = begun.move();
});
afterAll(() => running?.disposeAsync());

/** Error codes after which a client tries again. */
const mayFailWith = new Set(['SERVICE_UNAVAILABLE', 'TOOK_TOO_LONG']);

const ways: [string, () => Promise<void>][] = [
  ['restarted', () => postgres.stop()],
  ['killed', () => postgres.crash()],
];
const seed = seedOf('RESTART_SEED');

test.each(rotating(ways, seed))(
  `PostgreSQL is %s again and again, RESTART_SEED=${seed}`,
  async (what, bringDown) => {
    const { gateways, world, clientOf } = deployment;
    const before = new Set((await committedEvents(pool)).map(({ id }) => id));
    const engineerId = rawId(world.engineer.id);
    const listeners: Listener[] = [
      { name: world.services.watching, mayReceive: () => true },
      { name: world.acme.emails.organizationAdmin, mayReceive: () => true },
      { name: world.engineer.email, mayReceive: ({ engineerIds }) => engineerIds.includes(engineerId) },
    ];
    const subscribers = await Promise.all(
      gateways.flatMap(({ port }, index) =>
        listeners.map(({ name: email, mayReceive }) =>
          openSubscriber(clientOf(email, port), { name: `${email} at gateway ${index}`, mayReceive }),
        ),
      ),
    );
    let turn = 0;
    const caseload = startCaseload({
      ...{ name: what, workers, world },
      clientOf: (email) => {
        turn += 1;
        return clientOf(email, gateways[turn % 2 === 0 ? 0 : 1].port);
      },
    });

    for (let restart = 0; restart < restarts; restart += 1) {
      await caseload.decisions(workers * bySize(2, 4));
      await bringDown();
      await caseload.setbacksSeen(workers);
      await postgres.start();
    }
    // The gateways recover by themselves.
    await caseload.decisions(workers * bySize(2, 4));
    await caseload.finish();

    const events = await committedEvents(pool, before);
    for (const subscriber of subscribers) {
      await expectContractKept(subscriber, events, { context: `PostgreSQL ${what}`, deadlineMs: generousMs });
      const { name, received, losses } = subscriber;
      expect(losses, `connections lost by ${name}`).toEqual([]);
      const delivered = new Set(
        received.map(({ event: { subject } }) => `${subject.id} ${subject.state} ${subject.version}`),
      );
      expect(
        caseload.decided.filter(
          ({ grantId, state, version }) => !delivered.has(`${grantId} ${state} ${version}`),
        ),
        `decisions acknowledged, and never delivered to ${name}`,
      ).toEqual([]);
    }
    expect([...caseload.setbacks.keys()].filter((code) => !mayFailWith.has(code))).toEqual([]);
    if (process.env['OUTAGE_FIGURES'] !== undefined) {
      process.stdout.write(
        `PostgreSQL ${what}: ${caseload.decided.length} decisions, ${events.length} events, ` +
          `requests repeated ${JSON.stringify([...caseload.setbacks])}\n`,
      );
    }
  },
  300_000,
);
