import { openDatabase } from '../../../src/platform/database.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { openCases, takeNextStep } from '../caseload.ts';
import type { CustomerHandlers } from '../customer.ts';
import { inLanes } from '../lanes.ts';
import type { People } from '../people.ts';
import { startProcess } from '../processes.ts';
import { openStage } from '../stage.ts';
import { median, quantile } from '../statistics.ts';
import { load } from './cpu.ts';
import { atMost } from './goals.ts';
import type { Row } from './row.ts';

const samples = 110;
/** The first ones make connections to the database, and are not counted. */
const warmUp = 30;
const pause = 65;
/** Of load, enough for all of them. */
const seconds = 12;
const revokeDeadline = 30_000;
const connections = 4;

export const revoke: Row = {
  name: 'revoke',
  says: `access is revoked over HTTP, amid the load of "cpu": until the engineer is told`,
  servers: ['latchkey'],
  figures: [
    { name: 'p50', says: 'median, ms', digits: 2 },
    { name: 'p99', says: '99th percentile, ms', digits: 2, goals: [atMost('p99', 100, 'ms')] },
    { name: 'answer', says: 'until the mutation is answered: median, ms', digits: 2 },
  ],
  async measure(machinery, server) {
    const { people } = machinery;
    const others = people.engineers.slice(0, load.subscribers);
    const losing = people.engineers.slice(load.subscribers, load.subscribers + warmUp + samples);
    let grantIds: string[] = [];
    await using stage = await openStage(machinery, server, {
      async prepare(url) {
        grantIds = await activeGrants(
          url,
          people,
          losing.map(({ id }) => id),
        );
      },
    });
    await using customer = startProcess<CustomerHandlers>('./customer.ts');
    const [token = ''] = await stage.credentialsOf(people.admins.slice(0, 1));
    await stage.connect([...others, ...losing]);

    const { rate, mayBatch } = load;
    const to = { engineers: others.map(({ id }) => id) };
    const events = rate * seconds;
    await stage.deliver({ to, rate, mayBatch, events: rate });
    const loading = stage.deliver({ to, rate, mayBatch, events });
    const { url } = stage.started;
    const revoking = customer.ask('revoke', { url, token, grantIds, pause }, revokeDeadline);
    const [{ faults }, { sentAt, answeredAt }] = await Promise.all([loading, revoking]);
    const toldAt = new Map<number, number>();
    for (const { subscriber, at, text } of await stage.subscribers.ask('asides', undefined))
      if (text.includes('"type":"REVOKED"')) toldAt.set(subscriber - load.subscribers, at);
    const counted = [...toldAt].filter(([at]) => at >= warmUp);
    const took = counted.map(([at, moment]) => moment - (sentAt[at] ?? 0));
    const answered = counted.map(([at]) => (answeredAt[at] ?? 0) - (sentAt[at] ?? 0));
    return {
      figures: { p50: median(took), p99: quantile(took, 0.99), answer: median(answered) },
      faults: [
        ...faults,
        ...(toldAt.size === losing.length ? [] : [`told only ${toldAt.size} of ${losing.length} engineers`]),
      ],
    };
  },
};

/** An active grant for each engineer, by global id. */
async function activeGrants(url: string, people: People, engineerIds: readonly string[]): Promise<string[]> {
  const cases = await openCases(url, people, engineerIds);
  const database = openDatabase({ url, logger: createLogger('silent'), poolSize: connections });
  try {
    return await inLanes(connections, cases, async (on) => {
      const requested = await takeNextStep(database, on, null, { isSilent: true });
      const active = await takeNextStep(database, on, requested, { isSilent: true });
      return Buffer.from(`Grant:${active.id}`).toString('base64');
    });
  } finally {
    await database.dispose();
  }
}
