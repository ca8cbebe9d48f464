import pg from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { findDrift } from '../../prisma/drift.ts';
import { applyMigrations, noFilters, readMigrations } from '../../src/platform/migrations.ts';
import { withSchemaEngine } from '../../src/platform/schema-engine.ts';
import { StartupError } from '../../src/platform/startup-error.ts';
import { createEmptyDatabase } from '../support/postgres.ts';

const deadlines = { connect: 5_000, statement: 10_000 };

let url: string;

beforeEach(async () => {
  const database = await createEmptyDatabase();
  onTestFinished(() => database.dispose());
  url = database.url;
});

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test('an empty database gets every migration, in order, once', async () => {
  const { migrationDirectories } = await readMigrations();
  const names = migrationDirectories.map(({ path }) => path);
  expect(names).toEqual([...names].sort());
  expect(await applyMigrations(url)).toEqual(names);
  expect(await applyMigrations(url)).toEqual([]);
  expect(
    await query('SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1'),
  ).toEqual(names);
});

test('of gateways that start together one applies them and the others wait for it', async () => {
  const applied = await Promise.all(Array.from({ length: 5 }, () => applyMigrations(url)));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
  expect(await query('SELECT count(*)::int FROM _prisma_migrations')).toEqual([
    (await readMigrations()).migrationDirectories.length,
  ]);
});

describe('a migration', () => {
  async function apply(sql: string): Promise<unknown> {
    const migrationsList = {
      ...(await readMigrations()),
      migrationDirectories: [
        {
          path: '20990101000000_x',
          migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
        },
      ],
    };
    return await withSchemaEngine(url, deadlines, (engine) =>
      engine.applyMigrations({ migrationsList, filters: noFilters }),
    );
  }

  test('may hold semicolons within functions, texts and comments', async () => {
    await apply(`
      CREATE FUNCTION answer() RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM 1; -- one; two
          RETURN 42;
        END
      $$;
      CREATE TABLE said AS SELECT 'a;b' AS words;
    `);
    expect(await query('SELECT answer()')).toEqual([42]);
    expect(await query('SELECT words FROM said')).toEqual(['a;b']);
  });

  test('that fails changes nothing, and says what the database said', async () => {
    await expect(apply('CREATE TABLE half (id int); SELECT nonsense;')).rejects.toThrow(
      'column "nonsense" does not exist',
    );
    expect(await query(`SELECT to_regclass('half')`)).toEqual([null]);
  });
});

test('a database whose migration failed before, or that is not empty, is refused in one line', async () => {
  await query('CREATE TABLE somebody_elses (id int)');
  const refused = applyMigrations(url);
  await expect(refused).rejects.toThrow(StartupError);
  await expect(refused).rejects.toThrow(
    /^The database's tables could not be brought up to date \([^\n]+\)[^\n]*$/,
  );
});

test('the migrations lead to what the schema says', async () => {
  expect(await findDrift()).toBe('');
});

test('what the schema cannot say is no drift, and what it could is', async () => {
  const extend = (sql: string) => ({
    path: '20990101000000_x',
    migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: sql } },
  });
  const beyondWords = `
    ALTER TABLE tickets ADD CONSTRAINT positive CHECK (version > 0);
    CREATE UNIQUE INDEX one_active ON grants (ticket_id, scope_kind) WHERE state = 'ACTIVE';
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
    CREATE TRIGGER refuse_more BEFORE TRUNCATE ON audit_entries EXECUTE FUNCTION refuse();`;
  expect(await findDrift([extend(beyondWords)])).toBe('');
  expect(await findDrift([extend('ALTER TABLE tickets ADD COLUMN colour text')])).toMatch(
    /DROP COLUMN "colour"/,
  );
  expect(await findDrift([extend('DROP INDEX "tickets_product_id_idx"')])).toMatch(/CREATE INDEX/);
});
