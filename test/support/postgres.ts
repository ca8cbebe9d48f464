import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { inject } from 'vitest';
import { setUpRoles, urlAs } from '../../src/platform/database-roles.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { applyMigrations, migrateAsOwner } from '../../src/platform/migrations.ts';
import { administer, databaseUrl } from './databases.ts';
import { generousMs } from './deadlines.ts';
import { reservePort } from './ports.ts';

/** The server that all test files share, with a migrated template database. */
export interface SharedPostgres {
  /** As its superuser. */
  readonly serverUrl: string;
  readonly template: string;
  /** The folder of its Unix socket; null for a server that was not started here. */
  readonly socketFolder: string | null;
  /** As whom gateways run on the template and its copies. */
  readonly runtime: { readonly name: string; readonly password: string };
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: SharedPostgres;
  }
}

export interface TestDatabase {
  /** As a superuser, for what gateways may not do. */
  readonly url: string;
  dispose(): Promise<void>;
}

/** The URL of a database as gateways reach it: on the run's server, as the runtime role. */
export function gatewayUrl(url: string): string {
  const { serverUrl, runtime } = inject('postgres');
  return new URL(url).host === new URL(serverUrl).host ? urlAs(url, runtime) : url;
}

/** As `gatewayUrl`, by the server's Unix socket where there is one: a statement takes less processor time than by TCP. */
export function fastGatewayUrl(url: string): string {
  const { socketFolder } = inject('postgres');
  const byTcp = gatewayUrl(url);
  if (socketFolder === null || byTcp === url) return byTcp;
  return byTcp.replace(/@[^/]*/, `@${encodeURIComponent(socketFolder)}:${new URL(byTcp).port}`);
}

/** Creates a migrated, empty database for the caller on the run's server. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return await createDatabase(copyOf(inject('postgres').template));
}

/** Creates a database without tables for the caller on the run's server. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return await createDatabase('');
}

/**
 * Creates a copy of a database that is filled once per run, by the first caller. Every caller that gives this name in the
 * run must give the same function; it returns what tests need to know of the contents, as JSON.
 */
export async function createFilledDatabase<Contents>(
  name: string,
  fill: (url: string) => Promise<Contents>,
): Promise<TestDatabase & { contents: Contents }> {
  const { serverUrl, template } = inject('postgres');
  const original = `${template}_${name}`;
  const contents = await alone(serverUrl, name, async (client): Promise<Contents> => {
    const { rows } = await client.query(
      `SELECT shobj_description(oid, 'pg_database') AS contents FROM pg_database WHERE datname = $1`,
      [original],
    );
    if (typeof rows[0]?.contents === 'string') return JSON.parse(rows[0].contents);
    await client.query(`DROP DATABASE IF EXISTS ${original} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${original} TEMPLATE ${template} STRATEGY WAL_LOG`);
    const filled = await fill(databaseUrl(serverUrl, original));
    await client.query(`COMMENT ON DATABASE ${original} IS ${pg.escapeLiteral(JSON.stringify(filled))}`);
    return filled;
  });
  return { ...(await createDatabase(copyOf(original))), contents };
}

/** Does the work while no other process of the run does work of this name. */
async function alone<Result>(
  serverUrl: string,
  name: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: generousMs });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [name]);
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Its files as they are, without writing each of their pages to the log: that takes less than half the time. */
const copyOf = (database: string) => `TEMPLATE ${database} STRATEGY FILE_COPY`;

async function createDatabase(from: string): Promise<TestDatabase> {
  const { serverUrl } = inject('postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(serverUrl, `CREATE DATABASE ${name} ${from}`);
  return {
    url: databaseUrl(serverUrl, name),
    dispose: () => administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** A migrated server for one test, which can be stopped, killed and suspended. */
export interface OwnPostgres {
  /** Stays the same across restarts. */
  readonly url: string;
  start(): Promise<void>;
  /** Closes every connection and shuts down. */
  stop(): Promise<void>;
  /** Stops at once, as in a crash: the next start recovers from the log. */
  crash(): Promise<void>;
  /** Suspends the server: it and its connections stay open and answer nothing. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  dispose(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  return await startOwn(testSettings);
}

/** Two servers of the same cluster: the second one replays what the first one sends. Both belong to the caller. */
export async function startOwnPostgresWithReplica(): Promise<{ primary: OwnPostgres; replica: OwnPostgres }> {
  // A replica must not be outside of what it follows, however long it was stopped.
  const settings = { ...testSettings, wal_keep_size: '1GB' };
  const primary = await startOwn(settings);
  const { port, username, password } = new URL(primary.url);
  const follow = `host=127.0.0.1 port=${port} user=${username} password=${decodeURIComponent(password)}`;
  const standby = { ...settings, primary_conninfo: follow, wal_retrieve_retry_interval: '100ms' };
  const begin = (folder: string) => writeFile(join(folder, 'postgres/cluster/standby.signal'), '');
  const replica = await startOwn(standby, begin).catch(async (error: unknown) => {
    await primary.dispose();
    throw error;
  });
  return { primary, replica };
}

async function startOwn(
  settings: Readonly<Record<string, string>>,
  prepare: (dataFolder: string) => Promise<void> = async () => undefined,
): Promise<OwnPostgres> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-postgres-'));
  await promisify(execFile)('cp', ['-a', `${await migratedCluster()}/.`, dataFolder]);
  await prepare(dataFolder);
  const port = await reservePort();
  const start = () => startEmbeddedPostgres({ dataFolder, port, settings });
  let server: EmbeddedPostgres = await start();
  const { url } = server;

  const signal = async (name: NodeJS.Signals): Promise<void> => {
    for (const pid of await processesOf(dataFolder)) {
      try {
        process.kill(pid, name);
      } catch {
        // It ended since it was listed.
      }
    }
  };
  const own: OwnPostgres = {
    url,
    async start() {
      server = await start();
    },
    stop: () => server.stop(),
    async crash() {
      const [postmaster] = await processesOf(dataFolder);
      if (postmaster !== undefined) process.kill(postmaster, 'SIGQUIT');
      await server.exited;
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    async dispose() {
      await own.thaw();
      await server.stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
  return own;
}

/** A data folder with a migrated cluster. The first caller of a run creates it, which takes longer than to copy it. */
async function migratedCluster(): Promise<string> {
  const { serverUrl, template } = inject('postgres');
  const folder = migratedFolder(template);
  await alone(serverUrl, 'migrated', async () => {
    if (existsSync(folder)) return;
    const draft = `${folder}-draft`;
    await rm(draft, { recursive: true, force: true });
    const server = await startEmbeddedPostgres({ dataFolder: draft, settings: testSettings });
    await applyMigrations(server.url).finally(() => server.stop());
    await rename(draft, folder);
  });
  return folder;
}

const migratedFolder = (template: string) => join(tmpdir(), `latchkey-migrated-${template}`);

/** The process ids of the server: the postmaster first, then its children. */
async function processesOf(dataFolder: string): Promise<number[]> {
  const lockFile = await readFile(join(dataFolder, 'postgres/cluster/postmaster.pid'), 'utf8').catch(
    () => '',
  );
  const postmaster = Number.parseInt(lockFile, 10);
  if (!Number.isSafeInteger(postmaster)) return [];
  const children = await promisify(execFile)('pgrep', ['-P', String(postmaster)]);
  return [postmaster, ...children.stdout.trim().split('\n').map(Number)];
}

/**
 * Test data need not survive a crash of the machine. But an acknowledged commit survives a crash of the server, because
 * synchronous_commit hands it to the operating system first.
 */
const testSettings = {
  ...{ fsync: 'off', full_page_writes: 'off', max_connections: '300' },
  // Only the transactions of tests are open, and plans depend on nothing else.
  autovacuum: 'off',
  // The files are in memory: whoever reads waits for nobody.
  io_method: 'sync',
  // Every new connection of a client computes so many hashes.
  scram_iterations: '1',
};

/** Starts the run's server (or uses the one at TEST_DATABASE_URL) and creates the template database. */
export async function startSharedPostgres(
  existing: string | undefined,
): Promise<SharedPostgres & { dispose(): Promise<void> }> {
  const template = `latchkey_template_${randomBytes(4).toString('hex')}`;
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
  const settings = { ...testSettings, unix_socket_directories: dataFolder };
  const server = existing === undefined ? await startEmbeddedPostgres({ dataFolder, settings }) : undefined;
  const serverUrl = server?.url ?? existing ?? '';
  if (server !== undefined) await hashAgain(serverUrl);
  await administer(serverUrl, `CREATE DATABASE ${template}`);
  const [owner, runtime] = [
    `${template}_owner`,
    { name: `${template}_gateway`, password: randomBytes(16).toString('hex') },
  ];
  await migrateForGateways(databaseUrl(serverUrl, template), owner, runtime);
  return {
    serverUrl,
    template,
    socketFolder: server === undefined ? null : dataFolder,
    runtime,
    async dispose() {
      for (const folder of [migratedFolder(template), `${migratedFolder(template)}-draft`])
        await rm(folder, { recursive: true, force: true });
      if (server === undefined) {
        for (const name of await databasesOf(serverUrl, template))
          await administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        for (const name of [owner, runtime.name]) await administer(serverUrl, `DROP ROLE IF EXISTS ${name}`);
      }
      await server?.stop();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

/** The template, and those that were filled from it. */
async function databasesOf(serverUrl: string, template: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: generousMs });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)',
      [template],
    );
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

/** Sets the same password once more, so that the server keeps it by its present settings. */
async function hashAgain(serverUrl: string): Promise<void> {
  const { username, password } = new URL(serverUrl);
  const literal = pg.escapeLiteral(decodeURIComponent(password));
  await administer(serverUrl, `ALTER ROLE ${pg.escapeIdentifier(username)} PASSWORD ${literal}`);
}

/** Migrates an empty database as its owner, for gateways that run as the runtime role. */
async function migrateForGateways(
  url: string,
  owner: string,
  runtime: SharedPostgres['runtime'],
): Promise<void> {
  const variable = 'DATABASE_URL';
  const login = { password: runtime.password, onlyIfNew: true };
  await setUpRoles(
    url,
    { owner: { name: owner, login: null }, runtime: { name: runtime.name, login } },
    variable,
  );
  await migrateAsOwner({ url, role: owner, variable }, runtime.name);
}
