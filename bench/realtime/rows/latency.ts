import { serverNames } from '../servers.ts';
import { openStage } from '../stage.ts';
import { median, quantile } from '../statistics.ts';
import { atMost, atMostBare, holds } from './goals.ts';
import type { Row } from './row.ts';

const subscribers = 1_000;
const rate = 100;
const seconds = 15;
/** First at a rate that compiles what is often called, as in a server that has run for some time. */
const warmUp = { rate: 1_000, events: 8_000, mayBatch: true } as const;
const settleSeconds = 2;

export const latency: Row = {
  name: 'latency',
  says: `${subscribers} subscribers with topics of their own, ${rate} events a second, each committed and then published: from just before the commit to the client`,
  servers: serverNames,
  figures: [
    {
      name: 'p50',
      says: 'median, ms',
      digits: 2,
      goals: [
        {
          says: '≤ 2 ms + a commit',
          isMet: (of) =>
            holds((all, commit) => all <= 2 + commit, of('p50', 'latchkey'), of('commit', 'latchkey')),
        },
      ],
    },
    {
      name: 'p99',
      says: '99th percentile, ms',
      digits: 2,
      goals: [atMost('p99', 50, 'ms'), atMostBare('p99', 2)],
    },
    { name: 'commit', says: 'of it the commit: median, ms', digits: 2 },
    { name: 'commit99', says: 'the same, 99th percentile, ms', digits: 2 },
    { name: 'told', says: 'from the commit on: median, ms', digits: 2 },
    { name: 'told99', says: 'the same, 99th percentile, ms', digits: 2 },
  ],
  async measure(machinery, server) {
    const engineers = machinery.people.engineers.slice(0, subscribers);
    await using stage = await openStage(machinery, server, { mustCommit: true });
    await stage.connect(engineers);
    const to = { engineers: engineers.map(({ topic }) => topic) };
    await stage.deliver({ to, ...warmUp });
    await stage.deliver({ to, rate, events: rate * settleSeconds });
    const events = rate * seconds;
    const { written, account, faults } = await stage.deliver({ to, rate, events });
    const arrived = [...account.arrivedAt.keys()].filter((event) => !Number.isNaN(account.arrivedAt[event]));
    const between = (from: Float64Array, to: Float64Array) =>
      arrived.map((event) => (to[event] ?? 0) - (from[event] ?? 0));
    const took = between(written.sentAt, account.arrivedAt);
    const commits = between(written.sentAt, written.takenAt);
    const told = between(written.takenAt, account.arrivedAt);
    return {
      figures: {
        p50: median(took),
        p99: quantile(took, 0.99),
        commit: median(commits),
        commit99: quantile(commits, 0.99),
        told: median(told),
        told99: quantile(told, 0.99),
      },
      faults,
    };
  },
};
