/** What is due is ended in batches until nothing is left. A ticket that fails or is locked holds up no other. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { unrecordedReadings } from '../../src/audit/readings.ts';
import { startBackgroundJobs } from '../../src/commands/background-jobs.ts';
import { endExpiredGrants } from '../../src/commands/end-expired-grants.ts';
import type { Dependencies } from '../../src/commands/execute.ts';
import { FailedTickets, type SweepOptions } from '../../src/commands/sweep.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { insertOpenRequests, rawId } from '../support/rows.ts';
import { bySize } from '../support/size.ts';
import { startGatewayWithWorld, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: bySize(120_000, 600_000) });

/** The requests wait for an hour. */
const later = () => new Date(Date.now() + 2 * 3_600_000);
const logger = createLogger('silent');
let gateway: TestGateway;
let world: World;
let database: Database;
let dependencies: Dependencies;
let projects = 0;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  database = openDatabase({
    ...{ url: gateway.databaseUrl, logger, poolSize: 4, deadlines: generousDatabaseDeadlines },
  });
  dependencies = { database, clock: later, announce: () => undefined, logger };
});
afterAll(async () => {
  await database.dispose();
  await gateway.dispose();
});

async function requests(count: number): Promise<string[]> {
  projects += 1;
  const { main } = world.acme.sites;
  const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [
    world.acme.emails.reporter,
  ]);
  const of = { project: `DUE${'E'.repeat(projects)}`, reporterId: rows[0]?.id, engineerId: null };
  const place = { siteId: rawId(main.id), productId: rawId(main.products.jira) };
  return await insertOpenRequests(gateway, { ...place, ...of }, count, 'The board does not load.');
}

/** How many of the grants are in each state, and how many entries and events tell of their end. */
async function seen(grantIds: readonly string[]) {
  const { rows } = await gateway.sql.query(
    `SELECT state, count(*)::int AS grants,
            sum((SELECT count(*) FROM audit_entries a WHERE a.grant_id = g.id AND a.action = 'grant.expire'))::int AS entries,
            sum((SELECT count(*) FROM events e WHERE e.type = 'EXPIRED' AND e.payload->>'grantId' = g.id::text))::int AS events
       FROM grants g WHERE id = ANY ($1::uuid[]) GROUP BY state ORDER BY state`,
    [grantIds],
  );
  return rows;
}

test('a sweep goes on until nothing is left, beside another one', async () => {
  const count = bySize(30, 20_000);
  const ids = await requests(count);
  const options = { ticketsAtOnce: bySize(4, 100) };
  const begun = performance.now();
  const ended = await Promise.all([1, 2].map(() => endExpiredGrants(dependencies, options)));
  const perSecond = Math.round((1_000 * count) / (performance.now() - begun));
  if (count > 1_000) process.stdout.write(`${count} expired grants were ended at ${perSecond} a second\n`);
  expect(ended.reduce((one, other) => one + other)).toBe(count);
  if (count < 1_000)
    expect(await seen(ids)).toEqual([{ state: 'EXPIRED', grants: count, entries: count, events: count }]);
});

test('one that fails and one that is locked hold up no other, and come back', async () => {
  const ids = await requests(12);
  const [poisoned = '', locked = ''] = [ids[5], ids[8]];
  const others = ids.filter((id) => id !== poisoned && id !== locked);
  const holder = await gateway.sql.connect();
  await gateway.sql.query(`CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'poison'; END $$;
    CREATE TRIGGER poison BEFORE UPDATE ON grants FOR EACH ROW WHEN (OLD.id = '${poisoned}') EXECUTE FUNCTION poison()`);
  const options: SweepOptions = { failed: new FailedTickets() };
  try {
    await holder.query('BEGIN');
    await holder.query(
      'SELECT pg_advisory_xact_lock(hashtextextended(ticket_id::text, 2)) FROM grants WHERE id = $1',
      [locked],
    );
    await expect(endExpiredGrants(dependencies, options)).rejects.toThrow('1 tickets were passed over');
    expect(await seen(others)).toEqual([{ state: 'EXPIRED', grants: 10, entries: 10, events: 10 }]);
    expect(await seen([poisoned, locked])).toMatchObject([
      { state: 'PENDING_APPROVAL', grants: 2, entries: 0 },
    ]);
    // The next sweep does not meet what has just failed again.
    expect(await endExpiredGrants(dependencies, options)).toBe(0);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
    await gateway.sql.query('DROP FUNCTION poison CASCADE');
  }
  expect(await endExpiredGrants(dependencies, options)).toBe(1);
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + FailedTickets.pauseMs);
  expect(await endExpiredGrants(dependencies, options).finally(() => vi.restoreAllMocks())).toBe(1);
  expect(await seen(ids)).toEqual([{ state: 'EXPIRED', grants: 12, entries: 12, events: 12 }]);
});

test('old rows are deleted until none is left, whatever becomes of those of other tables', async () => {
  let left = 12_000;
  const asked: number[] = [];
  await new Promise<void>((resolve) => {
    const jobs = startBackgroundJobs(
      dependencies,
      { mailer: null, consoleUrl: null, sealer: null, post: null, readings: unrecordedReadings },
      [
        () => Promise.reject(new Error('this table is broken')),
        async (_, __, limit) => {
          const deleted = Math.min(limit, left);
          left -= deleted;
          asked.push(deleted);
          if (deleted < limit) void jobs.dispose().then(resolve);
          return deleted;
        },
      ],
    );
  });
  expect(asked).toEqual([5_000, 5_000, 2_000]);
});
