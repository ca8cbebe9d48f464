import type { Infrastructure } from '../infrastructure.ts';
import { type ServerName, serverNames } from '../servers.ts';
import { median, quantile } from '../statistics.ts';
import { startTestbed } from '../testbed.ts';
import { atMost, atMostBare, holds, noWorseThanTheBestPeer } from './goals.ts';
import type { Figure, Goal, Row, Sample } from './row.ts';

const subscribers = 1_000;
const rate = 100;
const seconds = 15;
/** The warm-up rate, high enough for V8 to compile the hot code, as in a server that has run for some time. */
const warmUp = { rate: 1_000, events: 8_000, mayBatch: true } as const;
const settleSeconds = 2;

const load = `${subscribers} subscribers with topics of their own, ${rate} events a second, each committed and then published`;

/** Events that another process commits, as another gateway does. */
export const latency: Row = {
  name: 'latency',
  title: `${load}: from just before the commit to the client`,
  servers: serverNames,
  figures: figuresWith(
    [
      {
        title: '≤ 2 ms + a commit',
        isMet: (of) =>
          holds((all, commit) => all <= 2 + commit, of('p50', 'latchkey'), of('commit', 'latchkey')),
      },
    ],
    [atMost('p99', 50, 'ms'), atMostBare('p99', 2)],
  ),
  measure: (infrastructure, server) => measure(infrastructure, server, 'WRITER'),
};

/** Events that the server itself commits, as after its own mutations. */
export const ownCommits: Row = {
  name: 'own-commits',
  title: `${load} by the server itself: from just before the commit to the client`,
  servers: serverNames,
  figures: figuresWith([noWorseThanTheBestPeer('p50')], [noWorseThanTheBestPeer('p99')]),
  measure: (infrastructure, server) => measure(infrastructure, server, 'SERVER'),
};

function figuresWith(goalsOfMedian: readonly Goal[], goalsOf99: readonly Goal[]): Figure[] {
  return [
    { name: 'p50', title: 'median, ms', digits: 2, goals: goalsOfMedian },
    { name: 'p99', title: '99th percentile, ms', digits: 2, goals: goalsOf99 },
    { name: 'commit', title: 'the commit alone: median, ms', digits: 2 },
    { name: 'commit99', title: 'the same, 99th percentile, ms', digits: 2 },
    { name: 'delivery', title: 'after the commit: median, ms', digits: 2 },
    { name: 'delivery99', title: 'the same, 99th percentile, ms', digits: 2 },
  ];
}

async function measure(
  infrastructure: Infrastructure,
  server: ServerName,
  writtenBy: 'WRITER' | 'SERVER',
): Promise<Sample> {
  const engineers = infrastructure.people.engineers.slice(0, subscribers);
  await using testbed = await startTestbed(infrastructure, server, { mustCommit: true, writtenBy });
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
}
