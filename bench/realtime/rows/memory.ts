import { serverNames } from '../servers.ts';
import { startTestbed } from '../testbed.ts';
import { atMost, belowEveryPeer } from './goals.ts';
import type { Row } from './row.ts';

const subscribers = 10_000;
/** Subscribers that connect before the measurement, so that a server's one-time costs are not counted. */
const first = 200;
const memoryDeadline = 60_000;

export const memory: Row = {
  name: 'memory',
  title: `${subscribers.toLocaleString('en')} subscribers with topics of their own, connected and idle: resident memory added by each`,
  servers: serverNames,
  figures: [
    {
      name: 'each',
      title: 'KB for each subscriber',
      digits: 1,
      goals: [atMost('each', 25, 'KB'), belowEveryPeer('each')],
    },
  ],
  async measure(infrastructure, server) {
    const engineers = infrastructure.people.engineers.slice(0, subscribers);
    await using testbed = await startTestbed(infrastructure, server);
    const credentials = await testbed.credentialsOf(engineers);
    await testbed.connect(engineers.slice(0, first), credentials.slice(0, first));
    const before = await testbed.server.ask('memory', undefined, memoryDeadline);
    await testbed.connect(engineers.slice(first), credentials.slice(first));
    const after = await testbed.server.ask('memory', undefined, memoryDeadline);
    return { figures: { each: (after - before) / (subscribers - first) / 1024 }, faults: [] };
  },
};
