import { openDatabase } from '../../../src/platform/database.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { openCases, runNextStep } from '../caseload.ts';
import { mapConcurrently } from '../concurrency.ts';
import type { CustomerHandlers } from '../customer.ts';
import type { People } from '../people.ts';
import { startProcess } from '../processes.ts';
import { median, quantile } from '../statistics.ts';
import { startTestbed } from '../testbed.ts';
import { load } from './cpu.ts';
import { atMost } from './goals.ts';
import type { Row } from './row.ts';

const samples = 110;
/** The first revocations also open connections to the database, so they are not counted. */
const warmUp = 30;
const pause = 65;
/** Seconds of load: enough for all samples. */
const seconds = 12;
const revokeDeadline = 30_000;
const connections = 4;

export const revoke: Row = {
  name: 'revoke',
  title: `access is revoked over HTTP, under the load of "cpu": until the engineer receives the event`,
  servers: ['latchkey'],
  figures: [
    { name: 'p50', title: 'median, ms', digits: 2 },
    { name: 'p99', title: '99th percentile, ms', digits: 2, goals: [atMost('p99', 100, 'ms')] },
    { name: 'answer', title: 'until the response to the mutation: median, ms', digits: 2 },
  ],
  async measure(infrastructure, server) {
    const { people } = infrastructure;
    const others = people.engineers.slice(0, load.subscribers);
    const losing = people.engineers.slice(load.subscribers, load.subscribers + warmUp + samples);
    let grantIds: string[] = [];
    await using testbed = await startTestbed(infrastructure, server, {
      async prepare(url) {
        grantIds = await activeGrants(
          url,
          people,
          losing.map(({ id }) => id),
        );
      },
    });
    await using customer = startProcess<CustomerHandlers>('./customer.ts');
    const [token = ''] = await testbed.credentialsOf(people.admins.slice(0, 1));
    await testbed.connect([...others, ...losing]);

    const { rate, mayBatch } = load;
    const to = { engineers: others.map(({ id }) => id) };
    const events = rate * seconds;
    await testbed.deliver({ to, rate, mayBatch, events: rate });
    const loading = testbed.deliver({ to, rate, mayBatch, events });
    const { url } = testbed.started;
    const revoking = customer.ask('revoke', { url, token, grantIds, pause }, revokeDeadline);
    const [{ faults }, { sentAt, answeredAt }] = await Promise.all([loading, revoking]);
    const receivedAt = new Map<number, number>();
    for (const { subscriber, at, text } of await testbed.subscribers.ask('otherTexts', undefined))
      if (text.includes('"type":"REVOKED"')) receivedAt.set(subscriber - load.subscribers, at);
    const counted = [...receivedAt].filter(([at]) => at >= warmUp);
    const took = counted.map(([at, received]) => received - (sentAt[at] ?? 0));
    const answered = counted.map(([at]) => (answeredAt[at] ?? 0) - (sentAt[at] ?? 0));
    return {
      figures: { p50: median(took), p99: quantile(took, 0.99), answer: median(answered) },
      faults: [
        ...faults,
        ...(receivedAt.size === losing.length
          ? []
          : [`delivered only to ${receivedAt.size} of ${losing.length} engineers`]),
      ],
    };
  },
};

/** Returns the global id of an active grant for each engineer. */
async function activeGrants(url: string, people: People, engineerIds: readonly string[]): Promise<string[]> {
  const cases = await openCases(url, people, engineerIds);
  const database = openDatabase({ url, logger: createLogger('silent'), poolSize: connections });
  try {
    return await mapConcurrently(connections, cases, async (on) => {
      const requested = await runNextStep(database, on, null, { withoutEvents: true });
      const active = await runNextStep(database, on, requested, { withoutEvents: true });
      return Buffer.from(`Grant:${active.id}`).toString('base64');
    });
  } finally {
    await database.dispose();
  }
}
