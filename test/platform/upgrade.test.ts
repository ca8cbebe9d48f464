/** What an earlier version has written is as it was after an upgrade, and the same rules hold for it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config/environment.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { newId } from '../../src/platform/ids.ts';
import { applyMigrations, readMigrations } from '../../src/platform/migrations.ts';
import { createEmptyDatabase } from '../support/postgres.ts';

/** The last migration of the version before the database had two roles and enforced the rules of open grants. */
const lastBefore = '20261126184500_subjects_of_issuers';

async function applyEarlierMigrations(url: string): Promise<void> {
  await applyMigrations(
    url,
    (await readMigrations()).filter(({ name }) => name <= lastBefore),
  );
}

async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const ids = {
  organization: newId(),
  site: newId(),
  product: newId(),
  admin: newId(),
  guardAdmin: newId(),
  engineer: newId(),
};
/** In the order of their tickets. */
const states = ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE', 'REVOKED', 'DENIED'] as const;
const grants = states.map(() => newId());

/** A ticket for each state of a grant, with what the earlier version wrote about it. */
async function fill(client: pg.Client): Promise<void> {
  await client.query(`
    INSERT INTO organizations VALUES ('${ids.organization}', 'Initech', true, '2026-03-01');
    INSERT INTO accounts (id, kind, email, name, capabilities, created_at) VALUES
      ('${ids.admin}', 'USER', 'olivia@initech.example', 'Olivia', '{}', '2026-03-01'),
      ('${ids.guardAdmin}', 'USER', 'gus@initech.example', 'Gus', '{}', '2026-03-01'),
      ('${ids.engineer}', 'SUPPORT_ENGINEER', 'erin@vendor.example', 'Erin', '{}', '2026-03-01');
    INSERT INTO memberships SELECT '${ids.organization}', id, '2026-03-01' FROM accounts WHERE kind = 'USER';
    INSERT INTO sites
      (id, organization_id, url, name, experience, support_access_restricted, data_residency_region, created_at) VALUES
      ('${ids.site}', '${ids.organization}', 'https://initech.example', 'Initech', 'CENTRALIZED', true, 'EU', '2026-03-01');
    INSERT INTO products VALUES ('${ids.product}', '${ids.site}', 'jira', 'Jira', true, '2026-03-01');`);
  for (const [at, state] of states.entries()) {
    const approved = !['PENDING_APPROVAL', 'DENIED'].includes(state);
    const activated = ['ACTIVE', 'REVOKED'].includes(state);
    const over = ['REVOKED', 'DENIED'].includes(state);
    await client.query(`
      WITH ticket AS (
        INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, assignee_id, version, created_at)
        VALUES ('${newId()}', 'SUP-${at + 1}', 'It is slow', '${ids.site}', '${ids.product}', '${ids.admin}',
                '${ids.engineer}', 2, '2026-03-01') RETURNING id)
      INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, path, engineer_id, requested_by_id,
                          requested_at, approval_due_at, customer_approved_at, customer_approved_by_id, activated_at,
                          ended_at, end_reason, version)
      SELECT '${grants[at]}', id, '${ids.site}', 'PRODUCT_DATA', '{}', '${state}',
             ${approved ? `'SUPPORT_PORTAL'` : 'NULL'}, '${ids.engineer}', '${ids.admin}',
             '2026-03-01', '2126-03-01',
             ${approved ? `'2026-03-02', '${ids.admin}'` : 'NULL, NULL'}, ${activated ? `'2026-03-03'` : 'NULL'},
             ${over ? `'2026-03-04', '${state}_BY_CUSTOMER'` : 'NULL, NULL'}, 3 FROM ticket;`);
    const decisions = [
      ...(approved ? [['CUSTOMER', 'APPROVED', ids.admin]] : []),
      // What is active was approved before its site was restricted.
      ...(state === 'REVOKED' ? [['GUARD', 'APPROVED', ids.guardAdmin]] : []),
      ...(state === 'DENIED' ? [['CUSTOMER', 'DENIED', ids.admin]] : []),
    ];
    for (const [stage, outcome, by] of decisions)
      await client.query('INSERT INTO decisions VALUES ($1, $2, $3, $4, $5, NULL, now())', [
        ...[newId(), grants[at], stage, outcome, by],
      ]);
    await client.query(
      `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                  organization_id, grant_id, details)
       VALUES ($1, now(), 'grant.request', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Grant', $2::text, $3, $2::text::uuid, '{}')`,
      [newId(), grants[at], ids.organization],
    );
    await client.query(
      `INSERT INTO events (id, type, occurred_at, payload) VALUES ($1, 'REQUESTED', now(), '{}')`,
      [newId()],
    );
  }
}

/** The rows of each table, in the order of the log where there is one. */
async function everything(client: pg.Client): Promise<Record<string, unknown[]>> {
  const contents: Record<string, unknown[]> = {};
  for (const table of ['organizations', 'accounts', 'sites', 'products', 'tickets', 'grants', 'decisions']) {
    contents[table] = (await client.query(`SELECT * FROM ${table} ORDER BY id`)).rows;
  }
  for (const table of ['audit_entries', 'events']) {
    contents[table] = (await client.query(`SELECT * FROM ${table} ORDER BY txid, seq`)).rows;
  }
  return contents;
}

test('a data folder of the version before starts with what is in it, and its gateway no longer owns the tables', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-upgrade-'));
  onTestFinished(() => rm(dataFolder, { recursive: true, force: true }));
  const before = await startEmbeddedPostgres({ dataFolder, settings: { fsync: 'off' } });
  await applyEarlierMigrations(before.url);
  const written = await withClient(before.url, async (client) => {
    await fill(client);
    return await everything(client);
  });
  await before.stop();

  const app = await createApp(parseConfig({ DATA_FOLDER: dataFolder, PORT: '0', LOG_LEVEL: 'silent' }));
  await app.dispose();
  const after = await startEmbeddedPostgres({ dataFolder, settings: { fsync: 'off' } });
  onTestFinished(() => after.stop());
  const { found, owners } = await withClient(after.url, async (client) => ({
    found: await everything(client),
    owners: (
      await client.query(
        `SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
      )
    ).rows,
  }));
  expect(owners).toEqual([{ owner: 'latchkey_owner' }]);
  // An upgrade adds columns; the operator of this start, and what it says of itself, come after what was there.
  for (const [table, rows] of Object.entries(written)) {
    const kept = (found[table] ?? []).filter((row) => rows.some((one) => idOf(one) === idOf(row)));
    expect(kept).toMatchObject(rows);
  }
});

const idOf = (row: unknown): unknown => (row as { id: string }).id;

test('open grants that break a rule stop the upgrade, which names them', async () => {
  const database = await createEmptyDatabase();
  onTestFinished(() => database.dispose());
  await applyEarlierMigrations(database.url);
  await withClient(database.url, async (client) => {
    await fill(client);
    await client.query(`UPDATE tickets SET status = 'CLOSED', closed_at = now() WHERE key = 'SUP-1'`);
    await client.query(`UPDATE tickets SET assignee_id = NULL WHERE key = 'SUP-3'`);
    await client.query(`UPDATE tickets SET assignee_id = NULL WHERE key = 'SUP-4'`);
  });
  await expect(applyMigrations(database.url)).rejects.toThrow(
    `open grants break a rule: ${grants[0]} grants_open_ticket, ${grants[2]} grants_assigned_engineer; docs/operating.md says how to end them under "Grants that break a rule"): the database is as it was before.`,
  );
  await withClient(database.url, async (client) => {
    await client.query(
      `UPDATE grants SET state = (CASE state WHEN 'ACTIVE' THEN 'REVOKED' ELSE 'WITHDRAWN' END)::grant_state,
              end_reason = 'TICKET_CLOSED', ended_at = now(), version = version + 1
        WHERE id = ANY($1) AND ended_at IS NULL`,
      [[grants[0], grants[2]]],
    );
  });
  expect((await applyMigrations(database.url)).length).toBeGreaterThan(0);
});
