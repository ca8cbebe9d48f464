import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { findDrift } from '../../prisma/drift.ts';
import { migrationListOf, noFilters, withSchemaEngine } from '../../prisma/schema-engine.ts';
import { readSiteUrl } from '../../src/organizations/site-url.ts';
import { applyMigrations, type Migration, readMigrations } from '../../src/platform/migrations.ts';
import { StartupError } from '../../src/platform/startup-error.ts';
import { createEmptyDatabase } from '../support/postgres.ts';

let url: string;

async function emptyDatabase(): Promise<string> {
  const database = await createEmptyDatabase();
  onTestFinished(() => database.dispose());
  return database.url;
}

beforeEach(async () => {
  url = await emptyDatabase();
});

async function query(sql: string, databaseUrl = url): Promise<unknown[]> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

/** Returns the message of the StartupError with which applying these migrations fails. */
async function refusal(migrations?: readonly Migration[]): Promise<string> {
  const error = await applyMigrations(url, migrations).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StartupError)) throw new Error(`Not a StartupError: ${error}`);
  expect(error.message).not.toContain('\n');
  return error.message;
}

const first: Migration = { name: '20990101000000_first', sql: 'CREATE TABLE first (id int);\n' };
const second: Migration = { name: '20990102000000_second', sql: 'CREATE TABLE second (id int);\n' };
const third: Migration = { name: '20990103000000_third', sql: 'CREATE TABLE third (id int);\n' };

test('an empty database gets every migration once, in order', async () => {
  const names = (await readMigrations()).map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  expect(await applyMigrations(url)).toEqual(names);
  expect(await applyMigrations(url)).toEqual([]);
  expect(
    await query('SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1'),
  ).toEqual(names);
});

test('if several gateways start together, one applies the migrations and the others wait for it', async () => {
  const applied = await Promise.all(Array.from({ length: 5 }, () => applyMigrations(url)));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  expect(await query('SELECT count(*)::int FROM _prisma_migrations')).toEqual([
    (await readMigrations()).length,
  ]);
});

test('a gateway waits for the lock that Prisma’s commands take', async () => {
  const prisma = new pg.Client(url);
  await prisma.connect();
  await prisma.query('SELECT pg_advisory_lock(72707369)');
  let finished = false;
  const applied = applyMigrations(url, [first]).then((names) => {
    finished = true;
    return names;
  });
  const waiting = `SELECT count(*)::int FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'advisory'`;
  while ((await query(waiting))[0] === 0);
  expect(finished).toBe(false);
  await prisma.end();
  expect(await applied).toEqual([first.name]);
});

describe('a migration', () => {
  test('may contain semicolons in functions, strings and comments', async () => {
    const sql = `
      CREATE FUNCTION answer() RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM 1; -- one; two
          RETURN 42;
        END
      $$;
      CREATE TABLE said AS SELECT 'a;b' AS words;
    `;
    await applyMigrations(url, [{ ...first, sql }]);
    expect(await query('SELECT answer()')).toEqual([42]);
    expect(await query('SELECT words FROM said')).toEqual(['a;b']);
  });

  test('that fails changes nothing, reports the database’s error, and runs again at the next start', async () => {
    const broken = { ...second, sql: 'CREATE TABLE half (id int); SELECT nonsense;' };
    expect(await refusal([first, broken])).toBe(
      `Migration ${second.name} failed and was rolled back (column "nonsense" does not exist): the database is as it was before.`,
    );
    expect(await query(`SELECT to_regclass('half'), to_regclass('first')::text`)).toEqual([null, 'first']);
    expect(await query('SELECT migration_name FROM _prisma_migrations')).toEqual([first.name]);
    expect(await applyMigrations(url, [first, second])).toEqual([second.name]);
  });

  test('fills before it, each part in a transaction of its own, from where the last one ended', async () => {
    const fill = `INSERT INTO parts SELECT coalesce($1::text, '0'), pg_current_xact_id()::text
                  RETURNING CASE WHEN part < '2' THEN (part::int + 1)::text END`;
    const table = { ...first, sql: 'CREATE TABLE parts (part text, txid text);' };
    const after = {
      ...second,
      sql: 'CREATE TABLE filled AS SELECT count(*)::int AS parts FROM parts;',
      fill,
    };
    await applyMigrations(url, [table, after]);
    expect(await query('SELECT parts FROM filled')).toEqual([3]);
    expect(await query('SELECT part FROM parts ORDER BY 1')).toEqual(['0', '1', '2']);
    expect(await query('SELECT count(DISTINCT txid)::int FROM parts')).toEqual([3]);
  });

  test('that others leave no room lets them go first, and is tried again', async () => {
    await applyMigrations(url, [first]);
    const [reader, later] = [new pg.Client(url), new pg.Client(url)];
    await reader.connect();
    await later.connect();
    await reader.query('BEGIN; SELECT FROM first');
    const applied = applyMigrations(url, [
      first,
      { ...second, sql: 'ALTER TABLE first ADD COLUMN more int' },
    ]);
    const waiting = `SELECT count(*)::int FROM pg_locks WHERE relation = 'first'::regclass AND NOT granted`;
    await vi.waitFor(async () => expect(await query(waiting)).toEqual([1]));
    // It would wait for as long as the reader goes on, if the migration did not give way.
    await later.query('SELECT FROM first');
    await reader.query('COMMIT');
    expect(await applied).toEqual([second.name]);
    await Promise.all([reader.end(), later.end()]);
  });

  test('of a newer version of the gateway is ignored', async () => {
    await applyMigrations(url, [first, second]);
    expect(await applyMigrations(url, [first])).toEqual([]);
  });

  test('that is older than the newest applied one is applied', async () => {
    await applyMigrations(url, [first, third]);
    expect(await applyMigrations(url, [first, second, third])).toEqual([second.name]);
  });

  test('that has no file stops the start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-migrations-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdtemp(join(folder, '20990101000000_'));
    await expect(readMigrations(folder)).rejects.toThrow('migration.sql');
  });

  test('contains no statement that ends its transaction', async () => {
    const endsTransaction = /^\s*(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)\s*(WORK|TRANSACTION)?\s*$/i;
    const withoutFunctions = (sql: string) => sql.replaceAll(/\$\$.*?\$\$/gs, '');
    const ending = (await readMigrations()).filter(({ sql }) =>
      withoutFunctions(sql)
        .split(';')
        .some((statement) => endsTransaction.test(statement)),
    );
    expect(ending.map(({ name }) => name)).toEqual([]);
  });
});

describe('the migration that keeps the terms of requests', () => {
  const uuid = (number: number) => `'00000000-0000-7000-8000-00000000000${number}'`;
  const at = `'2026-03-02T10:00:00Z'`;
  const [approval, end] = [`'SUPPORT_PORTAL', ${at}, ${uuid(2)}`, `${at}, 'WITHDRAWN_BY_ENGINEER'`];

  test('takes them from the site; of those that are over it knows none', async () => {
    await applyMigrations(
      url,
      (await readMigrations()).filter(({ name }) => name < '20261126213000'),
    );
    const rows = `
      INSERT INTO organizations VALUES (${uuid(1)}, 'Customer', true, now());
      INSERT INTO accounts (id, kind, email, name, created_at) VALUES (${uuid(2)}, 'USER', 'a@b.example', 'A', now());
      INSERT INTO sites (id, organization_id, url, name, experience, data_residency_region, max_grant_seconds, created_at)
        VALUES (${uuid(1)}, ${uuid(1)}, 'https://a.example', 'a', 'ORIGINAL', 'EU', 60, now());
      INSERT INTO products VALUES (${uuid(1)}, ${uuid(1)}, 'jira', 'Jira', true, now());
      INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
        SELECT id::uuid, 'SUP-' || right(id, 1), 'It is slow', ${uuid(1)}, ${uuid(1)}, ${uuid(2)}, now()
          FROM unnest(ARRAY[${[1, 2, 3].map(uuid)}]) AS id;
      INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at,
                          approval_due_at, version, path, customer_approved_at, customer_approved_by_id, ended_at, end_reason)
        SELECT id::uuid, id::uuid, ${uuid(1)}, 'PRODUCT_DATA', '{}', state::grant_state, ${uuid(2)}, ${at}, '2027-01-01', 1,
               path::grant_path, approved_at::timestamptz, approver::uuid, ended_at::timestamptz, reason::grant_end_reason
          FROM (VALUES (${uuid(1)}, 'PENDING_APPROVAL', NULL, NULL, NULL, NULL, NULL),
                       (${uuid(2)}, 'PENDING_GUARD_APPROVAL', ${approval}, NULL, NULL),
                       (${uuid(3)}, 'WITHDRAWN', NULL, NULL, NULL, ${end}))
            AS known(id, state, path, approved_at, approver, ended_at, reason)`;
    for (const statement of rows.split(';')) await query(statement);
    await applyMigrations(url);
    expect(
      await query(
        `SELECT ARRAY[guard_required::text, max_grant_seconds::text, same_person_may_approve_twice::text] FROM grants ORDER BY id`,
      ),
    ).toEqual([
      ['false', '60', 'false'],
      ['true', '60', 'false'],
      [null, null, null],
    ]);
  });
});

describe('a start is refused in one line', () => {
  test('if the database belongs to something else', async () => {
    await query('CREATE TABLE somebody_elses (id int)');
    expect(await refusal()).toBe(
      `The database is not empty and not Latchkey's (it has "somebody_elses"): DATABASE_URL must lead to an empty database or one of Latchkey's.`,
    );
  });

  test('but not if the database has only extensions', async () => {
    await query('CREATE EXTENSION pg_stat_statements');
    expect(await applyMigrations(url, [first])).toEqual([first.name]);
  });

  test('if an earlier migration failed, until it is marked as rolled back', async () => {
    await applyMigrations(url, [first, second]);
    await query('DROP TABLE second');
    await query(`UPDATE _prisma_migrations SET finished_at = NULL,
      started_at = '2026-01-02T03:04:05Z' WHERE migration_name = '${second.name}'`);
    expect(await refusal([first, second])).toBe(
      `Migration ${second.name} began on 2026-01-02T03:04:05.000Z and did not finish: docs/operating.md says what to do under "A migration that failed".`,
    );
    await query('UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL');
    expect(await applyMigrations(url, [first, second])).toEqual([second.name]);
  });

  test('if a migration was changed after it was applied', async () => {
    await applyMigrations(url, [first, second]);
    expect(await refusal([first, { ...second, sql: `${second.sql}-- better` }, third])).toMatch(
      `Migration ${second.name} is not the one that this database has: restore`,
    );
    expect(await query(`SELECT to_regclass('third')`)).toEqual([null]);
  });

  test('but not if only the line endings differ', async () => {
    await applyMigrations(url, [first]);
    expect(await applyMigrations(url, [{ ...first, sql: first.sql.replace('\n', '\r\n') }])).toEqual([]);
    await applyMigrations(url, [first, { ...second, sql: second.sql.replace('\n', '\r\n') }]);
    expect(await applyMigrations(url, [first, second])).toEqual([]);
  });

  test('if the database has a migration between ours that has no file', async () => {
    await applyMigrations(url, [first, second]);
    expect(await refusal([first, third])).toBe(
      `The database has migration ${second.name}, which this version of Latchkey lacks: start the version that applied it, or a later one.`,
    );
  });
});

describe('Prisma’s schema engine', () => {
  const applyByEngine = (databaseUrl: string, migrations: readonly Migration[]) =>
    withSchemaEngine(databaseUrl, (engine) =>
      engine.applyMigrations({ migrationsList: migrationListOf(migrations), filters: noFilters }),
    );

  /** `_prisma_migrations`: its columns, its constraints, and its rows without ids and times. */
  async function historyOf(databaseUrl: string): Promise<unknown> {
    return {
      columns: await query(
        `SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = '_prisma_migrations'::regclass AND attnum > 0 ORDER BY attnum`,
        databaseUrl,
      ),
      constraints: await query(
        `SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE conrelid = '_prisma_migrations'::regclass ORDER BY 1`,
        databaseUrl,
      ),
      rows: await query(
        `SELECT migration_name, checksum, length(id), applied_steps_count, logs, rolled_back_at,
                finished_at >= started_at
         FROM _prisma_migrations ORDER BY started_at`,
        databaseUrl,
      ),
    };
  }

  test('creates the same table and the same rows', async () => {
    const other = await emptyDatabase();
    const migrations = [...(await readMigrations()), { ...first, sql: '' }];
    await applyMigrations(url, migrations);
    await applyByEngine(other, migrations);
    expect(await historyOf(url)).toEqual(await historyOf(other));
  });

  test('finds a database migrated by a gateway up to date, without drift, and migrates it further', async () => {
    const migrations = await readMigrations();
    await applyMigrations(url);
    const migrationsList = migrationListOf(migrations);
    await withSchemaEngine(url, async (engine) => {
      const input = { migrationsList, filters: noFilters, optInToShadowDatabase: true };
      expect(await engine.diagnoseMigrationHistory(input)).toEqual({
        editedMigrationNames: [],
        failedMigrationNames: [],
        hasMigrationsTable: true,
        history: null,
      });
      expect(await engine.devDiagnostic({ migrationsList, filters: noFilters })).toEqual({
        action: { tag: 'createMigration' },
      });
    });
    expect(await applyByEngine(url, [...migrations, first])).toEqual({
      appliedMigrationNames: [first.name],
    });
  });

  test('can migrate a database before a gateway does', async () => {
    await applyByEngine(url, [first]);
    expect(await applyMigrations(url, [first, second])).toEqual([second.name]);
  });

  test('records a migration that failed, which a gateway then reports', async () => {
    await expect(applyByEngine(url, [{ ...first, sql: 'SELECT nonsense' }])).rejects.toThrow();
    expect(await refusal([first])).toMatch(`Migration ${first.name} began on`);
  });
});

describe('drift', () => {
  const { serverUrl } = inject('postgres');

  test('does not exist: the migrations create the tables of the schema', async () => {
    expect(await findDrift(serverUrl)).toBe('');
  });

  test('does not include what the schema language cannot express', async () => {
    const sql = `
      ALTER TABLE tickets ADD CONSTRAINT positive CHECK (version > 0);
      CREATE UNIQUE INDEX one_active ON grants (ticket_id, scope_kind) WHERE state = 'ACTIVE';
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
      CREATE TRIGGER refuse_more BEFORE TRUNCATE ON audit_entries EXECUTE FUNCTION refuse();`;
    expect(await findDrift(serverUrl, [{ ...first, sql }])).toBe('');
  });

  test.each([
    { sql: 'ALTER TABLE tickets ADD COLUMN colour text', drift: /DROP COLUMN "colour"/ },
    { sql: 'DROP INDEX "tickets_product_id_idx"', drift: /CREATE INDEX/ },
  ])('includes $sql', async ({ sql, drift }) => {
    expect(await findDrift(serverUrl, [{ ...first, sql }])).toMatch(drift);
  });
});

describe('the migration of the URLs of sites', () => {
  const spelling = '20261126230500_spell_site_urls';

  /** A database with sites at these URLs, from before the migration. */
  async function withSites(...urls: string[]): Promise<void> {
    await applyMigrations(
      url,
      (await readMigrations()).filter(({ name }) => name < spelling),
    );
    await query(`INSERT INTO organizations VALUES (gen_random_uuid(), 'Acme', false, now())`);
    for (const [index, of] of urls.entries())
      await query(`INSERT INTO sites (id, organization_id, url, name, experience, data_residency_region, created_at)
        SELECT '00000000-0000-7000-8000-00000000000${index}', id, '${of}', 'Site', 'CENTRALIZED', 'EU', now() FROM organizations`);
  }

  test('gives each the spelling that the gateway looks for, and again changes nothing', async () => {
    const urls = [
      ...[
        'https://one.example',
        'https://two.example:443',
        'https://three.example.',
        'https://four.example.:0443',
      ],
      ...['https://five.example:08443', 'https://six.example.:8443', 'https://seven.example:4430'],
    ];
    await withSites(...urls, 'https://odd..example', 'https://odd.example:0', 'https://odd.example..');
    await applyMigrations(url);
    const kept = await query('SELECT url FROM sites ORDER BY id');
    expect(kept.slice(0, urls.length)).toEqual(urls.map((of) => readSiteUrl(of)));
    expect(kept.slice(urls.length)).toEqual([
      'https://odd..example',
      'https://odd.example:0',
      'https://odd.example..',
    ]);
    const again = (await readMigrations()).find(({ name }) => name === spelling);
    const client = new pg.Client(url);
    onTestFinished(() => client.end());
    await client.connect();
    await client.query(again?.sql ?? '');
    expect(await query('SELECT url FROM sites ORDER BY id')).toEqual(kept);
  });

  test('changes nothing if two sites have the same, and names them', async () => {
    await withSites('https://acme.example', 'https://other.example.', 'https://acme.example:443');
    expect(await refusal()).toMatch(
      /the sites 0{8}-0000-7000-8000-0{12} and 0{8}-0000-7000-8000-0{11}2 have the same URL, https:\/\/acme\.example: give one/,
    );
    expect(await query('SELECT url FROM sites ORDER BY id')).toContain('https://other.example.');
    await query(`UPDATE sites SET url = 'https://acme-old.example' WHERE url = 'https://acme.example:443'`);
    expect(await applyMigrations(url)).toContain(spelling);
    expect(await query('SELECT url FROM sites ORDER BY id')).toEqual([
      ...['https://acme.example', 'https://other.example', 'https://acme-old.example'],
    ]);
  });
});
