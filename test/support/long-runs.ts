/**
 * The test files that take much longer than the others: faults, starts of whole gateways, deployments and browsers. On an
 * ordinary day `npm test` runs a quarter of them, chosen by a seed; `npm run test:full` runs all, and `npm test` with the name
 * of a file runs that.
 */
/** The longest first, so that every turn takes about as long. */
export const longRuns = [
  'test/startup.test.ts',
  'test/platform/embedded-postgres.test.ts',
  'test/platform/migrations.test.ts',
  'test/delivery/cuts.test.ts',
  'test/delivery/postgres-restart.test.ts',
  'test/delivery/one-stalled.test.ts',
  'test/delivery/redis-outage.test.ts',
  'test/http/slow-consumers.test.ts',
  'test/http/graphiql.test.ts',
  'test/access/faults.test.ts',
  'test/tour/watch-and-approve.test.ts',
  'test/delivery/moving-on.test.ts',
  'test/deployment/proxy.test.ts',
  'test/client/package.test.ts',
  'test/delivery/cycles.test.ts',
  'test/api/outage.test.ts',
  'test/api/replica.test.ts',
  'test/http/drain.test.ts',
  'test/delivery/history.test.ts',
  'test/platform/database-roles.test.ts',
  'test/database-dies.test.ts',
  'test/sample-data/load.test.ts',
  'test/breaking.test.ts',
  'test/delivery/hostile.test.ts',
  'test/run.test.ts',
  'test/notifications/gateways.test.ts',
  'test/events/outages.test.ts',
  'test/api/shown-as-it-happened.test.ts',
  'test/deployment/image.test.ts',
  'test/platform/upgrade.test.ts',
  'test/delivery/unavailable.test.ts',
  'test/api/tenancy-past-events.test.ts',
  'test/access/revocation.test.ts',
  'test/platform/support.test.ts',
];

const turns = 4;

/** Those that this seed leaves to other days. */
export function leftToOtherDays(seed: number): string[] {
  return longRuns.filter((_, place) => !isOnTurn(place, seed));
}

/** Back and forth through the turns: each gets long ones and short ones. */
function isOnTurn(place: number, seed: number): boolean {
  const inRound = place % turns;
  const turn = Math.floor(place / turns) % 2 === 0 ? inRound : turns - 1 - inRound;
  return turn === seed % turns;
}
