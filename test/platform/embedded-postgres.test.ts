import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { keptCursorSecret } from '../../src/platform/data-folder.ts';
import { ownDataFolder } from '../../src/platform/data-folder-owner.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { runningServer, waitUntilGone } from '../../src/platform/embedded-postgres-process.ts';
import { lockFile } from '../../src/platform/file-lock.ts';
import { StartupError } from '../../src/platform/startup-error.ts';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { fullSize, rotating, seedOf } from '../support/size.ts';

const run = promisify(execFile);

const seed = seedOf('EMBEDDED_SEED');

/** The machine does not crash. */
const settings = { fsync: 'off' };

let folder: string;
let dataFolder: string;
/** A data folder after its first start. Copying it takes less than creating a cluster. */
let template: string;

beforeAll(async () => {
  template = await mkdtemp(join(tmpdir(), 'latchkey-embedded-template-'));
  const first = await startEmbeddedPostgres({ dataFolder: template, settings });
  await query(first.url, 'CREATE TABLE of_the_first_start AS SELECT 42 AS answer');
  await first.stop();
  await expect(query(first.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
});
afterAll(() => rm(template, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-embedded-'));
  // Readable by other users, as folders usually are.
  await chmod(folder, 0o755);
  dataFolder = join(folder, 'data');
  // Callbacks run in reverse order, so this one runs last, when everything in the folder has stopped.
  const made = folder;
  onTestFinished(() => rm(made, { recursive: true, force: true, maxRetries: 10 }));
});

async function copyTemplate(): Promise<void> {
  if (!existsSync(dataFolder)) await run('cp', ['-a', template, dataFolder]);
}

async function start(): Promise<EmbeddedPostgres> {
  await copyTemplate();
  const postgres = await startEmbeddedPostgres({ dataFolder, settings });
  onTestFinished(() => postgres.stop());
  return postgres;
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: generousMs });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

/** The process id of the server, from its lock file. */
async function serverProcess(): Promise<number> {
  return Number.parseInt(await readFile(join(dataFolder, 'postgres/cluster/postmaster.pid'), 'utf8'), 10);
}

const gatewayScript = fileURLToPath(new URL('./embedded-postgres-gateway.ts', import.meta.url));

/** Starts another process that runs a server on the data folder until it is stopped. */
async function startElsewhere(): Promise<{ process: ChildProcess; url: string }> {
  await copyTemplate();
  const child = spawn(process.execPath, [gatewayScript, dataFolder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const lines = createInterface({ input: child.stdout });
  const [url] = await once(lines, 'line', { signal: AbortSignal.timeout(generousMs) });
  return { process: child, url };
}

test('the first start created a cluster, and the next start uses it', async () => {
  const { url } = await start();
  expect(await query(url, `SELECT current_setting('server_version_num')::int / 10000`)).toEqual([18]);
  expect(await query(url, 'SELECT answer FROM of_the_first_start')).toEqual([42]);
});

test('the server accepts only the password in the data folder, and listens only on this machine', async () => {
  const { url, port } = await start();
  const password = join(dataFolder, 'postgres/password');
  expect((await stat(password)).mode & 0o777).toBe(0o600);
  await expect(query(url.replace(/:[^:@]+@/, ':guess@'), 'SELECT 1')).rejects.toThrow(
    /password authentication/,
  );
  expect(await query(url, 'SHOW listen_addresses')).toEqual(['127.0.0.1']);
  expect(await query(url, 'SHOW unix_socket_directories')).toEqual(['']);
  expect(Number(new URL(url).port)).toBe(port);
});

test('the server can be stopped twice, and during a query', async () => {
  const postgres = await start();
  const working = query(postgres.url, 'SELECT pg_sleep(60)');
  const ended = expect(working).rejects.toThrow();
  await Promise.all([postgres.stop(), postgres.stop()]);
  await ended;
  await postgres.stop();
  await postgres.exited;
});

describe('two gateways on one data folder', () => {
  test('the second is refused at once, in one line that names the process of the first', async () => {
    const first = await start();
    const refused = startEmbeddedPostgres({ dataFolder });
    await expect(refused).rejects.toThrow(StartupError);
    await expect(refused).rejects.toThrow(
      new RegExp(`^The data folder .* is in use by another gateway \\(process ${process.pid}\\): [^\\n]*$`),
    );
    expect(await query(first.url, 'SELECT 1')).toEqual([1]);
  });

  test('by another path, in a language without its letters, the second is refused, and so is reset', async () => {
    vi.stubEnv('LC_ALL', 'C');
    onTestFinished(() => void vi.unstubAllEnvs());
    dataFolder = join(folder, 'données');
    const first = await start();
    const other = join(folder, 'other');
    await symlink(dataFolder, other);
    for (const path of [dataFolder, other]) {
      await expect(startEmbeddedPostgres({ dataFolder: path })).rejects.toThrow(/in use by another gateway/);
      await expect(ownDataFolder(path)).rejects.toThrow(/in use by another gateway/);
    }
    expect(await query(first.url, 'SELECT 1')).toEqual([1]);
  });

  test.runIf(process.getuid?.() === 0)('in another container, the second is refused', async () => {
    const first = await start();
    const container = ['--pid', '--fork', '--kill-child', '--mount-proc', '--ipc', '--net'];
    const second = run('unshare', [...container, process.execPath, gatewayScript, dataFolder]);
    await expect(second).rejects.toThrow(/in use by another gateway \(process \d+\)/);
    expect(await query(first.url, 'SELECT 1')).toEqual([1]);
  });

  test('one that starts while a server in another container ends waits for that, and touches nothing before', async () => {
    await copyTemplate();
    const lock = await lockFile(join(dataFolder, 'server.lock'));
    if (lock === null) throw new Error('It is locked already.');
    const server = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', lock.fd] });
    await once(server, 'spawn');
    onTestFinished(() => void server.kill('SIGKILL'));
    lock.release();
    // The number that the server has in its container is that of another process here.
    const postgresLock = join(dataFolder, 'postgres/cluster/postmaster.pid');
    await writeFile(postgresLock, `${process.pid}\n`);
    const gatewayLock = join(dataFolder, 'gateway.lock');
    await writeFile(gatewayLock, '');
    const starting = start();
    await eventually(async () => expect(await readFile(gatewayLock, 'utf8')).toContain(String(process.pid)));
    for (let times = 0; times < 3; times += 1)
      expect(await lockFile(join(dataFolder, 'server.lock'))).toBeNull();
    expect(await readFile(postgresLock, 'utf8')).toBe(`${process.pid}\n`);
    server.kill('SIGKILL');
    expect(await query((await starting).url, 'SELECT 1')).toEqual([1]);
  });

  test('a server without a gateway, or of an earlier version, counts as one', async () => {
    const first = await start();
    const server = await serverProcess();
    const cluster = join(dataFolder, 'postgres/cluster');
    expect(await runningServer(cluster)).toEqual({ pid: server, gateway: process.pid });
    // As an earlier version leaves the folder: a server runs, and nothing is locked.
    for (const name of ['gateway.lock', 'server.lock']) await rm(join(dataFolder, name));
    await expect(startEmbeddedPostgres({ dataFolder })).rejects.toThrow(/in use by another gateway/);
    expect(await query(first.url, 'SELECT 1')).toEqual([1]);
  });

  test.runIf(fullSize)('if two start at the same time, one is refused', async () => {
    const both = await Promise.allSettled([
      startEmbeddedPostgres({ dataFolder }),
      startEmbeddedPostgres({ dataFolder }),
    ]);
    const started = both.filter((one) => one.status === 'fulfilled');
    for (const one of started) await one.value.stop();
    expect(started).toHaveLength(1);
    expect(both.find((one) => one.status === 'rejected')?.reason).toBeInstanceOf(StartupError);
  });
});

describe('after a gateway was killed', () => {
  test('its server is stopped by its watcher', async () => {
    const elsewhere = await startElsewhere();
    await query(elsewhere.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const server = await serverProcess();
    elsewhere.process.kill('SIGKILL');
    expect(await waitUntilGone(server, generousMs)).toBe(true);
    expect(await query((await start()).url, 'SELECT answer FROM kept')).toEqual([42]);
  });

  test('the next start uses its data without any manual step', async () => {
    const elsewhere = await startElsewhere();
    await query(elsewhere.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    elsewhere.process.kill('SIGKILL');
    await once(elsewhere.process, 'exit');
    expect(await query((await start()).url, 'SELECT answer FROM kept')).toEqual([42]);
  });

  test('a stale lock file is ignored, even if another process has its process id by now', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const server = await serverProcess();
    const lockFile = join(dataFolder, 'postgres/cluster/postmaster.pid');
    const lock = await readFile(lockFile, 'utf8');
    process.kill(server, 'SIGKILL');
    await first.exited;
    await writeFile(lockFile, lock.replace(String(server), String(process.pid)));
    expect(await query((await start()).url, 'SELECT answer FROM kept')).toEqual([42]);
  });

  test.runIf(fullSize)('the next start kills its suspended server', async () => {
    const elsewhere = await startElsewhere();
    const server = await serverProcess();
    process.kill(server, 'SIGSTOP');
    elsewhere.process.kill('SIGKILL');
    await once(elsewhere.process, 'exit');
    expect(await query((await start()).url, 'SELECT 1')).toEqual([1]);
  });
});

test('Ctrl-C in a terminal reaches only the gateway, which stops the server', async () => {
  const elsewhere = await startElsewhere();
  const server = await serverProcess();
  const pid = elsewhere.process.pid ?? 0;
  const groupOf = async (of: number) => (await run('ps', ['-o', 'pgid=', '-p', String(of)])).stdout.trim();
  expect(await groupOf(server)).not.toBe(await groupOf(pid));
  elsewhere.process.kill('SIGINT');
  const [code] = await once(elsewhere.process, 'exit');
  expect(code).toBe(0);
  expect(await waitUntilGone(server, 0)).toBe(true);
});

describe(`a data folder that cannot be used, EMBEDDED_SEED=${seed}`, () => {
  async function refusal(at = dataFolder): Promise<string> {
    const started = await startEmbeddedPostgres({ dataFolder: at }).then(
      (postgres) => postgres.stop().then(() => 'it started'),
      (error: unknown) => {
        if (!(error instanceof StartupError)) throw error;
        return error.message;
      },
    );
    expect(started).not.toContain('\n');
    return started;
  }

  test('holds something else', async () => {
    await mkdir(dataFolder);
    await writeFile(join(dataFolder, 'thesis.txt'), 'years of work');
    expect(await refusal()).toMatch(/is not one of Latchkey's: set DATA_FOLDER/);
    expect(await readFile(join(dataFolder, 'thesis.txt'), 'utf8')).toBe('years of work');
  });

  test('is a file, or is below one', async () => {
    await writeFile(dataFolder, '');
    expect(await refusal()).toMatch(/set DATA_FOLDER/);
    expect(await refusal(join(dataFolder, 'below'))).toMatch(/set DATA_FOLDER/);
  });

  test('has lost what makes it a cluster', async () => {
    await copyTemplate();
    await rm(join(dataFolder, 'postgres/cluster/global/pg_control'));
    expect(await refusal()).toMatch(
      /pg_control.*\): restore a backup of the folder; `npm run reset` deletes/,
    );
    await rm(join(dataFolder, 'postgres/cluster'), { recursive: true });
    expect(await refusal()).toMatch(/could not access directory.*npm run reset/);
  });

  const intact: [what: string, name: string, content: string | null, expected: RegExp][] = [
    ['has lost its password', 'password', null, /password'\): restore that file/],
    [
      'is of another version',
      'cluster/PG_VERSION',
      '14\n',
      /FATAL: .* DETAIL: .* version 14, .*start the version/,
    ],
    [
      'has a garbled configuration',
      'cluster/postgresql.conf',
      'max_connections = = 5\n',
      /syntax error in file .*postgresql\.conf" line 1.*contains errors\): correct that file/,
    ],
    ['has a garbled pg_hba.conf', 'cluster/pg_hba.conf', 'nonsense\n', /pg_hba\.conf.*: correct that file/],
    ['has lost a folder', 'cluster/pg_notify', null, /pg_notify.*No such file.*: restore a backup/],
  ];
  test.each(rotating(intact, seed, 2))(
    '%s: its data is intact, so nobody is told to delete it',
    async (_case, name, content, expected) => {
      await copyTemplate();
      const path = join(dataFolder, 'postgres', name);
      if (content === null) await rm(path, { recursive: true });
      else await writeFile(path, content);
      const message = await refusal();
      expect(message).toMatch(expected);
      expect(message).not.toContain('reset');
    },
  );

  test.each(rotating(['', 'garbage\n', '999999999999\n'], seed))(
    'has the lock file %j of a crash, and is used',
    async (content) => {
      await copyTemplate();
      await writeFile(join(dataFolder, 'postgres/cluster/postmaster.pid'), content);
      expect(await query((await start()).url, 'SELECT 1')).toEqual([1]);
    },
  );
});

test.runIf(process.getuid?.() === 0)(
  'a full disk is named as the reason, and nothing is left of the attempt',
  async () => {
    await mkdir(dataFolder);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', dataFolder]);
    onTestFinished(async () => void (await run('umount', [dataFolder])));
    await expect(startEmbeddedPostgres({ dataFolder })).rejects.toThrow(
      /cannot be created \(.*No space left on device.*\): free space on its disk and start again\.$/,
    );
    expect(await readdir(dataFolder)).not.toContain('postgres');
  },
);

describe('a server that dies', () => {
  async function startKept(): Promise<{ postgres: EmbeddedPostgres; failures: StartupError[] }> {
    const failures: StartupError[] = [];
    await copyTemplate();
    const postgres = await startEmbeddedPostgres({
      ...{ dataFolder, settings },
      onFailure: (error) => failures.push(error),
    });
    onTestFinished(() => postgres.stop());
    return { postgres, failures };
  }

  test('is started again at the same address, with its data, as often as that happens', async () => {
    const { postgres, failures } = await startKept();
    await query(postgres.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    for (const signal of ['SIGKILL', 'SIGQUIT'] as const) {
      process.kill(await serverProcess(), signal);
      await eventually(async () =>
        expect(await query(postgres.url, 'SELECT answer FROM kept')).toEqual([42]),
      );
    }
    expect(failures).toEqual([]);
    await postgres.stop();
    await expect(query(postgres.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
  });

  test.runIf(fullSize)('and does not start again is reported, and leaves the folder free', async () => {
    const { postgres, failures } = await startKept();
    const server = await serverProcess();
    await rm(join(dataFolder, 'postgres/cluster/PG_VERSION'));
    process.kill(server, 'SIGKILL');
    await postgres.exited;
    expect(failures).toEqual([expect.any(StartupError)]);
    expect(failures[0]?.message).toMatch(/does not start \(.*PG_VERSION/);
    await writeFile(join(dataFolder, 'postgres/cluster/PG_VERSION'), '18\n');
    expect(await query((await start()).url, 'SELECT 1')).toEqual([1]);
  });
});

test('only the gateway’s user may read the data folder, also one of an earlier version', async () => {
  await copyTemplate();
  await keptCursorSecret(dataFolder);
  await mkdir(join(dataFolder, 'mail'));
  await writeFile(join(dataFolder, 'mail/1.eml'), 'Subject: x');
  const paths = ['', 'latchkey-data.txt', 'cursor-secret', 'mail', 'mail/1.eml', 'postgres'];
  for (const path of paths) await chmod(join(dataFolder, path), path.includes('.') ? 0o644 : 0o755);
  await start();
  const found = await readdir(dataFolder, { recursive: true });
  expect(found).toEqual(expect.arrayContaining(['gateway.lock', 'server.lock', 'postgres/cluster/base']));
  const readable: string[] = [];
  for (const path of ['', ...found]) {
    const { mode } = await lstat(join(dataFolder, path));
    if ((mode & 0o077) !== 0) readable.push(path);
  }
  expect(readable).toEqual([]);
});

test.runIf(process.getuid?.() === 0)('as root, below a folder that only root may enter', async () => {
  await chmod(folder, 0o700);
  const { url } = await start();
  expect(await query(url, 'SELECT 1')).toEqual([1]);
  const { uid } = await stat(join(dataFolder, 'postgres/cluster'));
  expect(uid).not.toBe(0);
});
