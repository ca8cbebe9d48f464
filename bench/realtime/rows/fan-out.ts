import { serverNames } from '../servers.ts';
import { startTestbed } from '../testbed.ts';
import { atLeastBare, timesTheBestPeer } from './goals.ts';
import type { Row } from './row.ts';

const subscribers = 1_000;
const events = 300;
const warmUpEvents = 30;

export const fanOut: Row = {
  name: 'fan-out',
  title: `${subscribers} subscribers to the same ${events} events, written as fast as possible: from the first write to the last delivery`,
  servers: serverNames,
  figures: [
    {
      name: 'rate',
      title: 'deliveries a second',
      digits: 0,
      goals: [atLeastBare('rate', 0.5), timesTheBestPeer('rate', 3)],
    },
    { name: 'perCpuSecond', title: "deliveries for a second of the server's processor", digits: 0 },
    { name: 'clients', title: 'of a processor that all clients together used, %', digits: 0 },
  ],
  async measure(infrastructure, server) {
    const { admins, organizationId } = infrastructure.people;
    await using testbed = await startTestbed(infrastructure, server);
    await testbed.connect(admins.slice(0, subscribers));
    const to = { organization: organizationId };
    await testbed.deliver({ to, rate: null, events: warmUpEvents });
    const { written, account, due, cpu, faults } = await testbed.deliver({ to, rate: null, events });
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
