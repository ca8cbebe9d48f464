import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { readMigrations } from '../../src/platform/migrations.ts';
import { prepareDatabase } from '../../src/platform/prepare-database.ts';
import { connect, refusalOf } from '../support/connect.ts';
import { createTestDatabase, gatewayUrl, type TestDatabase } from '../support/postgres.ts';

describe('a gateway on a migrated database', () => {
  let database: TestDatabase;
  let url: string;
  let gateway: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    url = database.url;
    gateway = new pg.Client(gatewayUrl(url));
    await gateway.connect();
  });
  afterAll(async () => {
    await gateway.end();
    await database.dispose();
  });

  test('may read and write rows of every table, and nothing else', async () => {
    const { rows } = await gateway.query(
      `SELECT relname AS name, string_agg(privilege, ' ' ORDER BY privilege) AS held
         FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
          AND has_table_privilege(oid, privilege)
        GROUP BY relname ORDER BY relname`,
    );
    const withDelete = 'DELETE INSERT SELECT UPDATE';
    const expected: Record<string, string> = {
      _prisma_migrations: 'SELECT',
      open_grant_rules: 'SELECT',
      audit_entries: 'INSERT SELECT',
      displaced_audit_entries: 'SELECT',
      ...{ audit_positions: 'SELECT', audit_renumberings: 'SELECT', audit_numbering: 'SELECT' },
      ...{
        audit_tiles: 'INSERT SELECT UPDATE',
        audit_checkpoints: 'INSERT SELECT',
        audit_removals: 'SELECT',
      },
      decisions: 'INSERT SELECT',
      ...Object.fromEntries(
        [
          ...['accounts', 'change_requests', 'grants', 'organizations', 'products', 'sites'],
          ...['rovo_data_deletions', 'support_sessions', 'tickets', 'invitations'],
        ].map((name) => [name, 'INSERT SELECT UPDATE']),
      ),
    };
    const held = Object.fromEntries(rows.map((row) => [row.name, row.held]));
    const { rows: tables } = await gateway.query(
      `SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')`,
    );
    expect(held).toEqual(Object.fromEntries(tables.map(({ name }) => [name, expected[name] ?? withDelete])));
    const { rows: sequences } = await gateway.query(
      `SELECT count(*)::int AS count, bool_and(has_sequence_privilege(oid, 'USAGE')) AS used,
              bool_or(has_sequence_privilege(oid, 'UPDATE')) AS set_back
         FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'`,
    );
    expect(sequences).toEqual([{ count: expect.any(Number), used: true, set_back: false }]);
  });

  test.each([
    'UPDATE audit_entries SET actor_name = $$$$',
    'DELETE FROM audit_entries',
    'UPDATE audit_removals SET removed_through = 1',
    'ALTER TABLE organizations DISABLE TRIGGER organizations_delay_audit_retention',
    'TRUNCATE audit_entries',
    'ALTER TABLE audit_entries DISABLE TRIGGER ALL',
    'ALTER TABLE audit_entries ALTER COLUMN txid SET DEFAULT 1',
    'DROP TRIGGER audit_entries_append_only ON audit_entries',
    'DROP TABLE audit_entries',
    'CREATE TRIGGER mine BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_change()',
    'CREATE RULE mine AS ON INSERT TO audit_entries DO INSTEAD NOTHING',
    'CREATE OR REPLACE FUNCTION is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    'CREATE FUNCTION now(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$',
    'CREATE SCHEMA mine',
    'CREATE TABLE mine (id int)',
    'SET session_replication_role = replica',
    `SELECT setval('audit_entries_seq_seq', 1)`,
    `UPDATE _prisma_migrations SET checksum = ''`,
    'CREATE ROLE mine SUPERUSER',
  ])('may not: %s', async (statement) => {
    expect(await refusalOf(gateway, statement)).toMatch(
      /permission denied|must be (able|owner|superuser)|no privileges/,
    );
  });

  test('cannot hide a table from the rules behind a temporary one', async () => {
    await gateway.query(
      'BEGIN; CREATE TEMP TABLE accounts AS SELECT * FROM public.accounts; CREATE TEMP TABLE text (id int)',
    );
    const organization = newId();
    await gateway.query(`INSERT INTO organizations VALUES ('${organization}', 'Acme', true, now())`);
    await gateway.query(
      `INSERT INTO pg_temp.accounts (id, kind, email, name) VALUES ('${organization}', 'USER', 'a@b.example', 'A')`,
    );
    expect(
      await refusalOf(
        gateway,
        `INSERT INTO memberships VALUES ('${organization}', '${organization}', now())`,
      ),
    ).toMatch(/memberships_account_id_kind/);
  });

  test('starts without the owner while no migration is missing, and says what is when one is', async () => {
    expect(await prepareDatabase({ url: gatewayUrl(url), owner: null })).toMatchObject({ waysAround: [] });
    const last = (await readMigrations()).at(-1)?.name;
    const superuser = await connect(url);
    await superuser.query(
      `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${last}'`,
    );
    onTestFinished(async () => {
      await superuser.query('UPDATE _prisma_migrations SET rolled_back_at = NULL');
    });
    await expect(prepareDatabase({ url: gatewayUrl(url), owner: null })).rejects.toThrow(
      `The tables of this version are not there yet: migration ${last} is missing. The role of DATABASE_URL may not make them: set DATABASE_OWNER_URL, or run \`npm run database:setup\`.`,
    );
  });

  test.each([
    ['SELECT, INSERT ON TABLE public."audit_entries"', ''],
    ['USAGE ON SEQUENCE public."ticket_numbers"', ''],
    ['USAGE ON SCHEMA public', 'PUBLIC, '],
  ])('is told when it lacks %s', async (lacking, others) => {
    const role = new URL(gatewayUrl(url)).username;
    const grant = `GRANT ${lacking} TO "${role}"`;
    const superuser = await connect(url);
    await superuser.query(`REVOKE ${lacking} FROM ${others}"${role}"`);
    await expect(prepareDatabase({ url: gatewayUrl(url), owner: null })).rejects.toThrow(
      `The role ${role} of DATABASE_URL lacks a privilege: run \`npm run database:setup\`, or let the owner of the tables run ${grant}.`,
    );
    await superuser.query(grant);
    await prepareDatabase({ url: gatewayUrl(url), owner: null });
  });
});
