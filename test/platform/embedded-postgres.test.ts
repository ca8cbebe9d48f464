import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { waitUntilGone } from '../../src/platform/embedded-postgres-process.ts';
import { StartupError } from '../../src/platform/startup-error.ts';
import { generousMs } from '../support/deadlines.ts';

let folder: string;
let dataFolder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-embedded-'));
  // Readable by other users, as folders usually are.
  await chmod(folder, 0o755);
  dataFolder = join(folder, 'data');
  // Callbacks run in reverse order, so this one runs last, when everything in the folder has stopped.
  const made = folder;
  onTestFinished(() => rm(made, { recursive: true, force: true, maxRetries: 10 }));
});

async function start(at = dataFolder): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataFolder: at });
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

test('the first start creates a cluster, and the next start uses it', async () => {
  const first = await start();
  expect(await query(first.url, `SELECT current_setting('server_version_num')::int / 10000`)).toEqual([18]);
  await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  await expect(query(first.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);

  const second = await start();
  expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([42]);
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

  test('if two start at the same time, one is refused', async () => {
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

  test('the next start kills its suspended server', async () => {
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
  const groupOf = async (of: number) =>
    (await promisify(execFile)('ps', ['-o', 'pgid=', '-p', String(of)])).stdout.trim();
  expect(await groupOf(server)).not.toBe(await groupOf(pid));
  elsewhere.process.kill('SIGINT');
  const [code] = await once(elsewhere.process, 'exit');
  expect(code).toBe(0);
  expect(await waitUntilGone(server, 0)).toBe(true);
});

describe('a data folder that cannot be used', () => {
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

  test('is broken', async () => {
    await (await start()).stop();
    await rm(join(dataFolder, 'postgres/cluster/global/pg_control'));
    expect(await refusal()).toMatch(/does not start \(.*\): `npm run reset` clears it/);
  });

  test('has lost its cluster, or its password', async () => {
    await (await start()).stop();
    await rm(join(dataFolder, 'postgres/password'));
    expect(await refusal()).toMatch(/password.*npm run reset/);
    await rm(join(dataFolder, 'postgres/cluster'), { recursive: true });
    expect(await refusal()).toMatch(/npm run reset/);
  });

  test('is of another version', async () => {
    await (await start()).stop();
    await writeFile(join(dataFolder, 'postgres/cluster/PG_VERSION'), '14\n');
    expect(await refusal()).toMatch(/FATAL: .* DETAIL: .* version 14, .*npm run reset/);
  });
});

test.runIf(process.getuid?.() === 0)('as root, below a folder that only root may enter', async () => {
  await chmod(folder, 0o700);
  const { url } = await start();
  expect(await query(url, 'SELECT 1')).toEqual([1]);
  const { uid } = await stat(join(dataFolder, 'postgres/cluster'));
  expect(uid).not.toBe(0);
});
