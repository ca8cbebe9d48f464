import { serverNames } from '../servers.ts';
import { median, quantile } from '../statistics.ts';
import { startTestbed } from '../testbed.ts';
import { atMost, atMostBare, holds } from './goals.ts';
import type { Row } from './row.ts';

const subscribers = 1_000;
const rate = 100;
const seconds = 15;
/** The warm-up rate, high enough for V8 to compile the hot code, as in a server that has run for some time. */
const warmUp = { rate: 1_000, events: 8_000, mayBatch: true } as const;
const settleSeconds = 2;

export const latency: Row = {
  name: 'latency',
  title: `${subscribers} subscribers with topics of their own, ${rate} events a second, each committed and then published: from just before the commit to the client`,
  servers: serverNames,
  figures: [
    {
      name: 'p50',
      title: 'median, ms',
      digits: 2,
      goals: [
        {
          title: '≤ 2 ms + a commit',
          isMet: (of) =>
            holds((all, commit) => all <= 2 + commit, of('p50', 'latchkey'), of('commit', 'latchkey')),
        },
      ],
    },
    {
      name: 'p99',
      title: '99th percentile, ms',
      digits: 2,
      goals: [atMost('p99', 50, 'ms'), atMostBare('p99', 2)],
    },
    { name: 'commit', title: 'the commit alone: median, ms', digits: 2 },
    { name: 'commit99', title: 'the same, 99th percentile, ms', digits: 2 },
    { name: 'delivery', title: 'after the commit: median, ms', digits: 2 },
    { name: 'delivery99', title: 'the same, 99th percentile, ms', digits: 2 },
  ],
  async measure(infrastructure, server) {
    const engineers = infrastructure.people.engineers.slice(0, subscribers);
    await using testbed = await startTestbed(infrastructure, server, { mustCommit: true });
    await testbed.connect(engineers);
    const to = { engineers: engineers.map(({ topic }) => topic) };
    await testbed.deliver({ to, ...warmUp });
    await testbed.deliver({ to, rate, events: rate * settleSeconds });
    const events = rate * seconds;
    const { written, account, faults } = await testbed.deliver({ to, rate, events });
    const arrived = [...account.arrivedAt.keys()].filter((event) => !Number.isNaN(account.arrivedAt[event]));
    const between = (from: Float64Array, to: Float64Array) =>
      arrived.map((event) => (to[event] ?? 0) - (from[event] ?? 0));
    const took = between(written.sentAt, account.arrivedAt);
    const commits = between(written.sentAt, written.acceptedAt);
    const delivery = between(written.acceptedAt, account.arrivedAt);
    return {
      figures: {
        p50: median(took),
        p99: quantile(took, 0.99),
        commit: median(commits),
        commit99: quantile(commits, 0.99),
        delivery: median(delivery),
        delivery99: quantile(delivery, 0.99),
      },
      faults,
    };
  },
};
