import { serverNames } from '../servers.ts';
import { openStage } from '../stage.ts';
import { atLeastBare, timesTheBestPeer } from './goals.ts';
import type { Row } from './row.ts';

const subscribers = 1_000;
const events = 300;
const warmUpEvents = 30;

export const fanOut: Row = {
  name: 'fan-out',
  says: `${subscribers} subscribers to the same ${events} events, written as fast as they go: from the first write to the last delivery`,
  servers: serverNames,
  figures: [
    {
      name: 'rate',
      says: 'deliveries a second',
      digits: 0,
      goals: [atLeastBare('rate', 0.5), timesTheBestPeer('rate', 3)],
    },
    { name: 'perCpuSecond', says: "deliveries for a second of the server's processor", digits: 0 },
    { name: 'clients', says: 'of a processor that all clients together used, %', digits: 0 },
  ],
  async measure(machinery, server) {
    const { admins, organizationId } = machinery.people;
    await using stage = await openStage(machinery, server);
    await stage.connect(admins.slice(0, subscribers));
    const to = { organization: organizationId };
    await stage.deliver({ to, rate: null, events: warmUpEvents });
    const { written, account, due, cpu, faults } = await stage.deliver({ to, rate: null, events });
    const took = account.lastAt - (written.sentAt[0] ?? 0);
    const delivered = due - account.missing;
    return {
      figures: {
        rate: (delivered * 1_000) / took,
        perCpuSecond: (delivered * 1_000) / cpu.server,
        clients: (100 * cpu.clients) / took,
      },
      faults,
    };
  },
};
