import { serverNames } from '../servers.ts';
import { openStage } from '../stage.ts';
import { atMost, belowEveryPeer } from './goals.ts';
import type { Row } from './row.ts';

const subscribers = 10_000;
/** Those that connect first, so that what a server needs once is not counted as theirs. */
const first = 200;
const memoryDeadline = 60_000;

export const memory: Row = {
  name: 'memory',
  says: `${subscribers.toLocaleString('en')} subscribers with topics of their own, connected and silent: what each adds to the resident memory`,
  servers: serverNames,
  figures: [
    {
      name: 'each',
      says: 'KB for each subscriber',
      digits: 1,
      goals: [atMost('each', 25, 'KB'), belowEveryPeer('each')],
    },
  ],
  async measure(machinery, server) {
    const engineers = machinery.people.engineers.slice(0, subscribers);
    await using stage = await openStage(machinery, server);
    const credentials = await stage.credentialsOf(engineers);
    await stage.connect(engineers.slice(0, first), credentials.slice(0, first));
    const before = await stage.server.ask('memory', undefined, memoryDeadline);
    await stage.connect(engineers.slice(first), credentials.slice(first));
    const after = await stage.server.ask('memory', undefined, memoryDeadline);
    return { figures: { each: (after - before) / (subscribers - first) / 1024 }, faults: [] };
  },
};
