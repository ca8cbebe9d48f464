/** How long a revocation takes until the engineer knows that the session is over, with two gateways. */
import { setTimeout as wait } from 'node:timers/promises';
import { findProgram } from '../../../test/support/find-program.ts';
import { startRedisServer } from '../../../test/support/redis-server.ts';
import type { CustomerHandlers } from '../../realtime/customer.ts';
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { startProcess } from '../../realtime/processes.ts';
import { atMost } from '../../realtime/rows/goals.ts';
import type { Goal, Row, Sample } from '../../realtime/rows/row.ts';
import { median, quantile } from '../../realtime/statistics.ts';
import { tokenOf } from '../asking.ts';
import type { EngineersHandlers } from '../engineers.ts';
import type { ServerHandlers } from '../servers/setting.ts';
import { insertWork } from '../work.ts';

const samples = 300;
/** The first revocations also open connections to the database, so they are not counted. */
const warmUp = 30;
const deadline = 60_000;
const goalWithoutRedisMs = 5_000;

export const revoke = rowOf({
  name: 'revoke',
  title:
    'access is revoked at one gateway, until the session has ended at the client of the engineer, at another',
  goal: atMost('p99', 100, 'ms'),
  pause: 65,
});

export const revokeWithoutRedis = rowOf({
  name: 'revoke-without-redis',
  title: 'as "revoke", while Redis is down',
  goal: atMost('p99', goalWithoutRedisMs, 'ms'),
  pause: 65,
  isRedisDown: true,
});

type Revocations = { name: string; title: string; goal: Goal; pause: number; isRedisDown?: boolean };

function rowOf({ name, title, goal, ...how }: Revocations): Row {
  return {
    ...{ name, title, servers: ['latchkey'] },
    figures: [
      { name: 'p50', title: 'median, ms', digits: 2 },
      { name: 'p99', title: '99th percentile, ms', digits: 2, goals: [goal] },
      { name: 'answer', title: 'until the response to the mutation: median, ms', digits: 2 },
    ],
    measure: (infrastructure) => measure(infrastructure, how),
  };
}

async function measure(
  infrastructure: Infrastructure,
  { pause, isRedisDown = false }: Pick<Revocations, 'pause' | 'isRedisDown'>,
): Promise<Sample> {
  const { people } = infrastructure;
  await using running = new AsyncDisposableStack();
  const database = running.use(await infrastructure.createDatabase());
  const redis = await startRedisServer(await findProgram('redis-server', 'REDIS_SERVER'));
  running.defer(() => redis.stop());
  const work = await insertWork(database.url, people, warmUp + samples);
  const setting = { databaseUrl: database.url, redisUrl: redis.url };
  const start = async (): Promise<string> => {
    const gateway = running.use(startProcess<ServerHandlers>('../decisions/servers/latchkey.ts'));
    return (await gateway.ask('start', setting, deadline)).url;
  };
  const [ofCustomer, ofEngineers] = [await start(), await start()];
  const customer = running.use(startProcess<CustomerHandlers>('./customer.ts'));
  const engineers = running.use(startProcess<EngineersHandlers>('../decisions/engineers.ts'));
  const emails = work.map(({ engineerEmail }) => engineerEmail);
  await engineers.ask('subscribe', { url: ofEngineers, emails }, deadline);
  if (isRedisDown) await redis.stop();

  const token = await tokenOf(ofCustomer, people.admins[0]?.email ?? '');
  const grantIds = work.map(({ grantId }) => Buffer.from(`Grant:${grantId}`).toString('base64'));
  const revoking = { url: `${ofCustomer}/graphql`, token, grantIds, pause };
  const { sentAt, answeredAt } = await customer.ask('revoke', revoking, deadline);
  let endedAt = new Float64Array();
  const end = performance.now() + 2 * goalWithoutRedisMs;
  do {
    await wait(200);
    endedAt = Float64Array.from(await engineers.ask('endedAt', undefined));
  } while (endedAt.includes(0) && performance.now() < end);

  const missing = endedAt.filter((at) => at === 0).length;
  const since = (moments: Float64Array) =>
    [...moments].map((at, one) => at - (sentAt[one] ?? 0)).slice(warmUp);
  const took = since(endedAt);
  return {
    figures: { p50: median(took), p99: quantile(took, 0.99), answer: median(since(answeredAt)) },
    faults:
      missing === 0 ? [] : [`${missing} of ${work.length} engineers do not know that the session is over`],
  };
}
