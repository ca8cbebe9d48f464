/** Setting up the two roles of a database: who owns the tables, and as whom gateways run. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, expect, inject, onTestFinished, test } from 'vitest';
import { setUpRoles, urlAs } from '../../src/platform/database-roles.ts';
import { newId } from '../../src/platform/ids.ts';
import { applyMigrations, readMigrations } from '../../src/platform/migrations.ts';
import { prepareDatabase } from '../../src/platform/prepare-database.ts';
import { compileCache } from '../support/compile-cache.ts';
import { connect, refusalOf } from '../support/connect.ts';
import { administer } from '../support/databases.ts';
import { createEmptyDatabase } from '../support/postgres.ts';

let url: string;
let owner: string;
let runtime: string;

beforeEach(async () => {
  const { serverUrl } = inject('postgres');
  const database = await createEmptyDatabase();
  url = database.url;
  owner = `owner_${randomBytes(4).toString('hex')}`;
  runtime = owner.replace('owner', 'gateway');
  onTestFinished(async () => {
    await database.dispose();
    for (const role of [owner, runtime]) await administer(serverUrl, `DROP ROLE IF EXISTS ${role}`);
  });
});

const variable = 'DATABASE_OWNER_URL';
const withPassword = (name: string, password: string) => ({ name, login: { password, onlyIfNew: false } });
const program = fileURLToPath(new URL('../../src/database-setup.ts', import.meta.url));
const setUp = async (env: Record<string, string> = {}, ...more: string[]) => {
  const parameters = [program, '--url', url, '--owner', owner, '--runtime', runtime, ...more];
  const { stdout } = await promisify(execFile)(process.execPath, parameters, {
    cwd: tmpdir(),
    env: { ...compileCache, ...env },
  });
  return stdout.trim().split('\n');
};

test('by its command takes an empty database to one on which gateways run, and can be repeated', async () => {
  const printed = await setUp();
  expect(printed).toEqual([
    `Created the role ${owner}: it owns the tables and migrates them.`,
    `Created the role ${runtime}: gateways run as it, and it only reads and writes rows.`,
    `Applied ${(await readMigrations()).length} migrations.`,
    'Set for each gateway:',
    expect.stringMatching(`^DATABASE_URL=postgresql://${runtime}:[0-9a-f]{48}@`),
    expect.stringMatching(`^DATABASE_OWNER_URL=postgresql://${owner}:[0-9a-f]{48}@`),
  ]);
  const [gatewaysUrl = '', ownersUrl = ''] = printed.slice(4).map((line) => line.replace(/^\w+=/, ''));
  const access = { url: gatewaysUrl, owner: { url: ownersUrl, role: null, variable } as const };
  expect(await prepareDatabase(access)).toEqual({ name: runtime, waysAround: [] });

  expect(await setUp({ DATABASE_OWNER_PASSWORD: 'changed' }, '--owner-nologin')).toEqual([
    `Found the role ${owner}: it owns the tables and migrates them.`,
    `Found the role ${runtime}: gateways run as it, and it only reads and writes rows.`,
    'Applied 0 migrations.',
    'Set for each gateway:',
    expect.stringMatching(`^DATABASE_URL=postgresql://${runtime}:DATABASE_RUNTIME_PASSWORD@`),
  ]);
  expect(await prepareDatabase(access)).toEqual({ name: runtime, waysAround: [] });
});

test('hands the tables of a gateway with one role to the owner, with what is in them', async () => {
  await applyMigrations(url);
  const superuser = await connect(url);
  await superuser.query(`INSERT INTO organizations VALUES ('${newId()}', 'Acme', true, now())`);
  const roles = { owner: withPassword(owner, 'one'), runtime: withPassword(runtime, 'two') };
  expect(await setUpRoles(url, roles, '--url')).toEqual({ owner: true, runtime: true });
  const access = {
    url: urlAs(url, { name: runtime, password: 'two' }),
    owner: { url: urlAs(url, { name: owner, password: 'one' }), role: null, variable },
  } as const;
  expect(await prepareDatabase(access)).toEqual({ name: runtime, waysAround: [] });
  const { rows } = await superuser.query(
    `SELECT DISTINCT owner::regrole::text FROM (
       SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace
       UNION ALL SELECT proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace
       UNION ALL SELECT typowner FROM pg_type WHERE typnamespace = 'public'::regnamespace) AS object`,
  );
  expect(rows).toEqual([{ owner }]);
  const gateway = await connect(access.url);
  expect((await gateway.query('SELECT name FROM organizations ORDER BY id')).rows).toEqual([
    { name: 'The vendor' },
    { name: 'Acme' },
  ]);
  expect(await refusalOf(gateway, 'CREATE TEMP TABLE accounts (id uuid)')).toMatch('permission denied');
  // Once more: nothing changes, and a table that another version adds is covered.
  expect(await setUpRoles(url, roles, '--url')).toEqual({ owner: false, runtime: false });
  const asOwner = await connect(access.owner.url);
  await asOwner.query('CREATE TABLE added (id int)');
  await prepareDatabase(access);
  expect(await refusalOf(gateway, 'DELETE FROM added')).toBe('accepted');
});

test('is asked for where the role of the gateway could go around the rules', async () => {
  const ownerOfAll = { url, role: null, variable } as const;
  const { username } = new URL(url);
  await expect(prepareDatabase({ url, owner: ownerOfAll })).rejects.toThrow(
    `The role ${username} of DATABASE_URL could go around the rules of the database (it is a superuser, `,
  );
  // Nothing was taken from it, and alone it works as before.
  const { waysAround } = await prepareDatabase({ url, owner: null });
  expect(waysAround).toContain('it owns tables');
  expect(waysAround).toContain('it may change entries of the audit log');
});

test('is not enough for a role that another one of its rights lets go around them', async () => {
  const roles = { owner: withPassword(owner, 'one'), runtime: withPassword(runtime, 'two') };
  await setUpRoles(url, roles, '--url');
  const superuser = await connect(url);
  const access = {
    url: urlAs(url, { name: runtime, password: 'two' }),
    owner: { url: urlAs(url, { name: owner, password: 'one' }), role: null, variable },
  } as const;
  await prepareDatabase(access);
  for (const [right, undo, way] of [
    [`GRANT ${owner} TO ${runtime}`, `REVOKE ${owner} FROM ${runtime}`, 'it owns tables'],
    [
      `ALTER ROLE ${runtime} CREATEROLE`,
      `ALTER ROLE ${runtime} NOCREATEROLE`,
      'it may change roles (CREATEROLE)',
    ],
    [
      `GRANT CREATE ON SCHEMA public TO ${runtime}`,
      `REVOKE CREATE ON SCHEMA public FROM ${runtime}`,
      'it may create objects (CREATE)',
    ],
    [
      `GRANT SET ON PARAMETER session_replication_role TO ${runtime}`,
      `REVOKE SET ON PARAMETER session_replication_role FROM ${runtime}`,
      'it may switch triggers off (session_replication_role)',
    ],
    [
      `GRANT pg_write_all_data TO ${runtime}`,
      `REVOKE pg_write_all_data FROM ${runtime}`,
      'it may change entries of the audit log',
    ],
    [
      `GRANT pg_write_server_files TO ${runtime}`,
      `REVOKE pg_write_server_files FROM ${runtime}`,
      'it may write files of the server',
    ],
  ]) {
    await superuser.query(right ?? '');
    await expect(prepareDatabase(access)).rejects.toThrow(way);
    await superuser.query(undo ?? '');
  }
  await prepareDatabase(access);
});
