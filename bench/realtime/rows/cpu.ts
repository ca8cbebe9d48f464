import { serverNames } from '../servers.ts';
import { startTestbed } from '../testbed.ts';
import { atMostBare, belowEveryPeer } from './goals.ts';
import type { Row } from './row.ts';

export const load = { subscribers: 2_000, rate: 1_000, seconds: 8, mayBatch: true } as const;
const warmUpSeconds = 8;
/** The minimum share of the target rate for the measurement to count. */
const keptShare = 0.97;

export const cpu: Row = {
  name: 'cpu',
  title: `${load.subscribers} subscribers with topics of their own, ${load.rate} events a second: processor time of the server's process`,
  servers: serverNames,
  figures: [
    {
      name: 'each',
      title: 'µs for each delivery',
      digits: 0,
      goals: [atMostBare('each', 1.5), belowEveryPeer('each')],
    },
    { name: 'rate', title: 'events a second, as written', digits: 0 },
  ],
  async measure(infrastructure, server) {
    const engineers = infrastructure.people.engineers.slice(0, load.subscribers);
    await using testbed = await startTestbed(infrastructure, server);
    await testbed.connect(engineers);
    const { rate, mayBatch } = load;
    const to = { engineers: engineers.map(({ topic }) => topic) };
    await testbed.deliver({ to, rate, mayBatch, events: rate * warmUpSeconds });
    const events = rate * load.seconds;
    const { written, account, cpu: used, faults } = await testbed.deliver({ to, rate, mayBatch, events });
    const kept = ((events - 1) * 1_000) / ((written.sentAt.at(-1) ?? 0) - (written.sentAt[0] ?? 0));
    const delivered = events - account.missing;
    return {
      figures: { each: (used.server * 1_000) / delivered, rate: kept },
      faults: [
        ...faults,
        ...(kept < keptShare * rate ? [`wrote only ${kept.toFixed(0)} events a second`] : []),
      ],
    };
  },
};
