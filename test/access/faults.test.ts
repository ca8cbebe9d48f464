/**
 * The decision point of two gateways that are processes of their own, over HTTP, while Redis and gateways fail and
 * customers revoke access: no answer is a yes once a revocation was answered, and every answer that arrived is on the audit
 * log. All moments are those of this process: what counts is whether the question was sent after the revocation was
 * answered. The answer of a paused gateway to an earlier question may come later.
 *
 * FAULT_FIGURES=1 prints how much was asked.
 */
import type pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { GatewayClient } from '../../client/src/index.ts';
import { AddServiceAccountDocument } from '../../schema/generated/operations.ts';
import { type Deployment, startDeployment } from '../delivery/deployment.ts';
import type { GatewayProcess } from '../delivery/gateway-process.ts';
import { openPool } from '../events/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { rawId } from '../support/rows.ts';
import { bySize, fullSize } from '../support/size.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { untilAnswered } from '../support/until-answered.ts';
import { type Desk, openDesks } from './desks.ts';
import { countEvaluations, nothingWrong, openLedger, yesAfterRevocation } from './ledger.ts';
import { startProductBackend } from './product-backend.ts';

vi.setConfig({ testTimeout: bySize(600_000, 3_600_000) });

const decisions = Number(process.env['FAULT_DECISIONS'] ?? bySize(300, 1_000_000));
const kills = Number(process.env['FAULT_KILLS'] ?? bySize(1, 20));
const decisionsPerKill = bySize(100, 2_000);
const engineers = bySize(4, 50);
const connections = bySize(2, 25);
/** Of one desk, between two revocations. */
const decisionsPerGrant = bySize(15, 200);
/** In each state of Redis. */
const pauses = bySize(1, 40);

const backend = 'jira@vendor.example';

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
  pool = begun.adopt(openPool(database.url, 2), (opened) => opened.end());
  await addBackend();
  running = begun.move();
});
afterAll(() => running?.disposeAsync());

async function addBackend(): Promise<void> {
  const input = {
    ...{ email: backend, name: 'Jira', idempotencyKey: 'backend-of-jira' },
    ...{ capabilities: ['ACCESS_EVALUATION'] as const, evaluatedProducts: ['jira'] },
  };
  const { addServiceAccount } = await untilAnswered(
    () => anyClientOf('operator@vendor.example').execute(AddServiceAccountDocument, { input }),
    () => undefined,
  );
  expect(addServiceAccount.__typename).toBe('ServiceAccount');
}

/** A client of a gateway that answers now; of another one the next time. */
function anyClientOf(email: string): GatewayClient {
  const answering = deployment.gateways.filter((gateway) => gateway.isRunning && !gateway.isPaused);
  turn += 1;
  return deployment.clientOf(email, (answering[turn % answering.length] ?? deployment.gateways[0]).port);
}
let turn = 0;

type Work = Awaited<ReturnType<typeof startWork>>;

/** Engineers at work, a backend that asks about them, and customers who revoke and grant again all the time. */
async function startWork(
  name: string,
  { asked = deployment.gateways as readonly GatewayProcess[], revoke = true } = {},
) {
  const { world, tokenOf } = deployment;
  const desks = await openDesks({ world, name, count: engineers, clientOf: anyClientOf });
  const ledger = openLedger(pool, desks.revokedAt);
  const backendAsks = startProductBackend({
    ...{ gateways: asked, connections, desks: desks.all, site: world.acme.sites.main.url },
    ...{ tokenOf: () => tokenOf(backend), onAnswer: ledger.note },
  });
  const over = Promise.withResolvers<void>();
  let isOver = false;

  async function revokeAndGrant(desk: Desk): Promise<void> {
    for (;;) {
      await Promise.race([desk.answers.more(decisionsPerGrant), over.promise]);
      if (isOver) return;
      await desks.revoke(desk);
      backendAsks.askSoon(desk);
      await Promise.race([desk.answers.more(2), over.promise]);
      await desks.grantAgain(desk);
    }
  }
  const customers = Promise.all(revoke ? desks.all.map(revokeAndGrant) : [over.promise]);
  customers.catch(() => undefined);

  return {
    ...{ desks, ledger, setbacks: backendAsks.setbacks },
    /** Resolves when so many more decisions were answered, by this gateway or by any. */
    async moreAnswers(count: number, gateway?: GatewayProcess): Promise<void> {
      await Promise.race([backendAsks.moreAnswers(count, gateway), customers.then(() => undefined)]);
    },
    async finish(): Promise<void> {
      isOver = true;
      over.resolve();
      await Promise.all([backendAsks.finish(), customers]);
    },
  };
}

/** Compares all answers with the audit log. */
async function expectNothingWrong(work: Work, before: number): Promise<void> {
  const { ledger, desks, setbacks } = work;
  expect(await ledger.close()).toEqual(nothingWrong);
  expect(await yesAfterRevocation(pool)).toEqual([]);
  expect((await countEvaluations(pool)) - before).toBeGreaterThanOrEqual(ledger.yes + ledger.no);
  expect(desks.revocations).toBeGreaterThan(0);
  expect(ledger.yes).toBeGreaterThan(0);
  expect(ledger.no).toBeGreaterThan(0);
  if (process.env['FAULT_FIGURES'] === undefined) return;
  process.stdout.write(
    `${ledger.yes} yes, ${ledger.no} no, ${desks.revocations} revocations; without an answer: ` +
      `${JSON.stringify([...setbacks, ...desks.setbacks])}\n`,
  );
}

/** Each with how it begins and how it ends. */
const statesOfRedis: [string, () => Promise<void>, () => Promise<void>][] = [
  ['up', async () => undefined, async () => undefined],
  [
    'down',
    () => redis.stop(),
    async () => {
      redis = await startRedis();
    },
  ],
  ['a black hole', async () => redisRoad.stall(), async () => redisRoad.resume()],
];

test(`none of ${decisions} decisions is a yes after the revocation was answered`, async () => {
  const [first, second] = deployment.gateways;
  const before = await countEvaluations(pool);
  const work = await startWork('revoked');
  const stride = Math.ceil(decisions / (statesOfRedis.length * pauses * 2));
  for (const [state, [, begin, end]] of statesOfRedis.entries()) {
    await begin();
    for (let pause = 0; pause < pauses; pause += 1) {
      const [paused, other] = (state + pause) % 2 === 0 ? [first, second] : [second, first];
      await work.moreAnswers(stride);
      paused.pause();
      await work.moreAnswers(stride, other);
      paused.resume();
    }
    await end();
  }
  await work.finish();
  await expectNothingWrong(work, before);
  expect(work.setbacks.get('UNREACHABLE')).toBeUndefined();
});

// A pause hits a transaction between its two round trips by chance only. Every day, test/access/evaluator.test.ts stands
// still there instead.
test.runIf(fullSize)(
  'access is revoked although a paused gateway has the locks of its evaluations',
  async () => {
    const [paused] = deployment.gateways;
    const before = await countEvaluations(pool);
    const work = await startWork('locked', { asked: [paused], revoke: false });
    for (let pause = 0; pause < 10; pause += 1) {
      const locked = await pauseWithLocks(paused, work);
      // The other gateway revokes. The database ends the transaction of the paused one, and its locks with it.
      await Promise.all(locked.map((desk) => work.desks.revoke(desk)));
      paused.resume();
      for (const desk of locked) await desk.answers.more(10);
      await Promise.all(locked.map((desk) => work.desks.grantAgain(desk)));
    }
    await work.finish();
    await expectNothingWrong(work, before);
  },
);

/** Pauses the gateway at a moment at which a transaction of its evaluations has locks. Returns the desks of these tickets. */
async function pauseWithLocks(gateway: GatewayProcess, work: Work): Promise<Desk[]> {
  for (;;) {
    await work.moreAnswers(1, gateway);
    gateway.pause();
    // Idle: what the database has been asked, it has answered, and the gateway has not asked for more.
    const { rows } = await pool.query<{ id: string }>(
      `SELECT t.id FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         JOIN tickets t ON hashtextextended(t.id::text, 2) = (l.classid::bigint << 32 | l.objid::bigint)
        WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted
          AND a.datname = current_database() AND a.state = 'idle in transaction'`,
    );
    const ids = new Set(rows.map(({ id }) => id));
    const locked = work.desks.all.filter(({ ticketId }) => ids.has(rawId(ticketId)));
    if (locked.length > 0) return locked;
    gateway.resume();
  }
}

test(`every answer is on the audit log although gateways are killed ${kills} times`, async () => {
  const [first, second] = deployment.gateways;
  const before = await countEvaluations(pool);
  const work = await startWork('killed');
  for (let kill = 0; kill < kills; kill += 1) {
    const [killed, other] = kill % 2 === 0 ? [first, second] : [second, first];
    if (!killed.isRunning) await killed.start();
    if (!other.isRunning) await other.start();
    await work.moreAnswers(decisionsPerKill, killed);
    await killed.kill();
    await work.moreAnswers(decisionsPerKill, other);
  }
  await work.finish();
  await expectNothingWrong(work, before);
});
