/** Every time is that of the database, and UTC, whatever the machine of a gateway and the database's time zone say. */
import { expect, onTestFinished, test } from 'vitest';
import { endExpiredGrants } from '../../src/commands/end-expired-grants.ts';
import { createDatabaseClock } from '../../src/platform/clock.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { type Json, startGateway, type TestGateway } from '../support/gateway.ts';
import { setMachineClock, withMachineClock } from '../support/machine-clock.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { rotating, seedOf } from '../support/size.ts';
import { attempt, done } from '../support/world.ts';

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;

/** A site with a product, and its admin, who is also the reporter. */
async function fill(gateway: TestGateway, name = 'acme') {
  const operator = await gateway.as('operator@vendor.example');
  const { id: organizationId } = await done(operator, 'createOrganization', { name });
  const site = { organizationId, url: `https://${name}.example`, name };
  const { id: siteId } = await done(operator, 'createSite', site);
  const { id: productId } = await done(operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
  const email = `olivia@${name}.example`;
  const { id: userId } = await done(operator, 'addUser', { organizationId, email, name: 'Olivia' });
  await done(operator, 'assignRole', { organizationId, userId, role: 'ORGANIZATION_ADMIN' });
  const olivia = await gateway.as(email);
  const file = () =>
    done(olivia, 'createTicket', { productId, summary: 'It is slow', grantDataAccess: false });
  return { operator, olivia, siteId, file };
}

/**
 * The rows whose id was not made from the moment that is recorded of them, by which lists would show them elsewhere; but for
 * the vendor's organization.
 */
async function misplaced({ sql }: TestGateway): Promise<unknown[]> {
  const { rows: tables } = await sql.query(
    `SELECT table_name AS name, min(column_name) AS moment FROM information_schema.columns
      WHERE table_schema = 'public' AND column_name IN ('created_at', 'requested_at', 'decided_at', 'occurred_at')
        AND table_name IN (SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'
                              AND column_name = 'id' AND data_type = 'uuid')
      GROUP BY 1`,
  );
  expect(tables.length).toBeGreaterThanOrEqual(9);
  const each = tables.map(
    ({ name, moment }) =>
      `SELECT '${name}' AS "table", id, ${moment} AS moment FROM ${name}
        WHERE ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint <> floor(extract(epoch FROM ${moment}) * 1000)
          AND id::text <> '${vendorOrganizationId}'`,
  );
  return (await sql.query(each.join(' UNION ALL '))).rows;
}

async function databaseTime(gateway: TestGateway): Promise<number> {
  const { rows } = await gateway.sql.query('SELECT clock_timestamp() AS now');
  return rows[0].now.getTime();
}

const seed = seedOf('ONE_CLOCK_SEED');

/** On an ordinary day, a machine that is behind and one that is ahead. */
const differences = rotating(
  [
    [-31 * day, day],
    [-day, 31 * day],
  ],
  seed,
).flat();

test.each(differences)(
  `a gateway whose machine is %i ms ahead changes no outcome, ONE_CLOCK_SEED=${seed}`,
  async (ahead) => {
    await using right = await startGateway({ maintenance: false });
    const { olivia, siteId, file } = await fill(right);
    const pending = await file();
    const policy = {
      requestWaitSeconds: 1_209_600,
      maxGrantSeconds: 3_600,
      samePersonMayApproveTwice: false,
    };
    await done(olivia, 'setSupportAccessPolicy', { siteId, ...policy });
    const began = await databaseTime(right);

    withMachineClock();
    setMachineClock(ahead);
    await using wrong = await startGateway({ databaseUrl: right.databaseUrl, maintenance: false });
    const database = openDatabase({
      url: right.databaseUrl,
      logger: createLogger('silent'),
      deadlines: generousDatabaseDeadlines,
    });
    onTestFinished(() => database.dispose());
    const dependencies = { database, clock: createDatabaseClock(await database.readClock()) };
    expect(
      await endExpiredGrants({ ...dependencies, logger: createLogger('silent'), announce: () => undefined }),
    ).toBe(0);
    const there = await wrong.as(olivia.email);
    const { grants } = await there.ask(
      '{ grants(filter: { states: [PENDING_APPROVAL] }) { edges { node { id } } } }',
    );
    expect(grants.edges).toHaveLength(1);

    const tooLong = new Date(began + 2 * hour).toISOString();
    expect(
      await attempt(there, 'approveDataAccess', { ticketId: pending.id, expiresAt: tooLong }),
    ).toMatchObject({
      code: 'EXPIRES_AT_BEYOND_POLICY',
    });
    const approved = await done(there, 'approveDataAccess', { ticketId: pending.id });
    expect(Date.parse(approved.expiresAt) - hour).toBeGreaterThanOrEqual(began);
    expect(Date.parse(approved.expiresAt) - hour).toBeLessThanOrEqual(await databaseTime(right));
    const { rows } = await right.sql.query(
      'SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM audit_entries WHERE occurred_at > $1',
      [new Date(began)],
    );
    expect(rows[0].first.getTime()).toBeGreaterThan(began);
    expect(rows[0].last.getTime()).toBeLessThanOrEqual(await databaseTime(right));

    const later = await fill(wrong, 'later');
    await later.file();
    setMachineClock(0);
    await fill(right, 'latest');
    const { organizations } = await later.operator.ask('{ organizations { edges { node { name } } } }');
    expect(organizations.edges.map(({ node }: Json) => node.name)).toEqual(['latest', 'later', 'acme']);
    expect(await misplaced(right)).toEqual([]);
  },
);

test.each(rotating(['America/New_York', 'Europe/Berlin', 'Asia/Kathmandu'], seed))(
  `times are UTC on a database with the time zone of %s, ONE_CLOCK_SEED=${seed}`,
  async (zone) => {
    const { url: databaseUrl, dispose } = await createTestDatabase();
    onTestFinished(dispose);
    const name = new URL(databaseUrl).pathname.slice(1);
    const database = openDatabase({ url: databaseUrl, logger: createLogger('silent') });
    await database.pool.query(`ALTER DATABASE ${name} SET timezone = '${zone}'`);
    await database.dispose();

    await using gateway = await startGateway({ databaseUrl, maintenance: false });
    const { rows: zones } = await gateway.sql.query('SHOW timezone');
    expect(zones).toEqual([{ TimeZone: zone }]);
    const { olivia, file } = await fill(gateway);
    const { id: ticketId } = await file();
    const soon = new Date((await databaseTime(gateway)) + hour / 2).toISOString();
    const { id: grantId, expiresAt } = await done(olivia, 'approveDataAccess', { ticketId, expiresAt: soon });
    expect(expiresAt).toBe(soon);
    const { rows } = await gateway.sql.query(
      'SELECT expires_at, activated_at <= clock_timestamp() AS is_past FROM grants WHERE id = $1::uuid',
      [Buffer.from(grantId, 'base64').toString().split(':')[1]],
    );
    expect(rows).toEqual([{ expires_at: new Date(soon), is_past: true }]);
    expect(await done(olivia, 'revokeDataAccess', { grantId })).toMatchObject({ state: 'REVOKED' });
    const log =
      'query ($from: DateTime!) { auditLog(first: 1, filter: { from: $from }) { edges { node { occurredAt } } } }';
    const from = new Date((await databaseTime(gateway)) - hour / 2).toISOString();
    const { auditLog } = await olivia.ask(log, { from });
    const newest = Date.parse(auditLog.edges[0].node.occurredAt);
    expect(Math.abs(newest - (await databaseTime(gateway)))).toBeLessThan(hour / 2);
  },
);

test('every moment in the database has a time zone', async () => {
  const { url, dispose } = await createTestDatabase();
  onTestFinished(dispose);
  const database = openDatabase({ url, logger: createLogger('silent') });
  onTestFinished(() => database.dispose());
  const { rows } = await database.pool.query(
    `SELECT table_name, column_name FROM information_schema.columns
      WHERE table_schema = 'public' AND data_type IN ('timestamp without time zone', 'time without time zone', 'date')`,
  );
  expect(rows).toEqual([]);
});
