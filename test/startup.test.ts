import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../src/platform/embedded-postgres.ts';
import { waitUntilGone } from '../src/platform/embedded-postgres-process.ts';
import { createTestDatabase, startOwnPostgres } from './support/postgres.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const reset = fileURLToPath(new URL('../src/reset.ts', import.meta.url));

let folder: string;
let dataFolder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-startup-'));
  dataFolder = join(folder, 'data');
  // What is asked for first is done last: when everything that runs in the folder has been stopped.
  const made = folder;
  onTestFinished(() => rm(made, { recursive: true, force: true, maxRetries: 10 }));
});

type Variables = Readonly<Record<string, string>>;

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly process: ChildProcess;
  /** Resolves when the text has been printed, rejects when the process ends before. */
  printed(text: string): Promise<void>;
  readonly ended: Promise<Outcome>;
}

/** Runs a program with exactly these variables, whatever the tests themselves run with. */
function run(program: string, variables: Variables): Running {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [program], {
    cwd: folder,
    // Its own process group, as a terminal gives to what it starts.
    detached: true,
    env: { PATH, DATA_FOLDER: dataFolder, PORT: '0', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => {
    said.stdout += text;
  });
  child.stderr.on('data', (text) => {
    said.stderr += text;
  });
  const ended = once(child, 'close').then(([code]): Outcome => ({ code, ...said }));
  return {
    process: child,
    ended,
    async printed(text) {
      const gone = ended.then((outcome) => {
        throw new Error(`It ended without printing ${text}: ${JSON.stringify(outcome)}`);
      });
      while (!said.stdout.includes(text)) await Promise.race([once(child.stdout, 'data'), gone]);
      gone.catch(() => undefined);
    },
  };
}

/** A gateway that listens, on a port of its own. */
async function startGateway(variables: Variables = {}): Promise<Running & { url: string }> {
  const port = await findFreePort();
  const running = run(main, { PORT: String(port), ...variables });
  const url = `http://127.0.0.1:${port}`;
  await running.printed(url);
  return { ...running, url };
}

async function stop(running: Running): Promise<Outcome> {
  running.process.kill('SIGTERM');
  return await running.ended;
}

const deployed = {
  OIDC_ISSUER: 'https://login.vendor.example',
  OIDC_AUDIENCE: 'latchkey',
  OIDC_JWKS_URL: 'https://login.vendor.example/keys',
  CURSOR_SECRET: 'k'.repeat(32),
};

/** A start that fails as it should: soon, with one line for the person who tried. */
async function refusal(variables: Variables): Promise<string> {
  const { code, stdout, stderr } = await run(main, variables).ended;
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).not.toContain('hunter2');
  return stderr;
}

describe('a start', () => {
  test('with nothing set serves from an embedded database, and the next one finds the same data', async () => {
    const first = await startGateway();
    expect(await (await fetch(`${first.url}/readyz`)).json()).toMatchObject({ status: 'READY' });
    const token = await issueToken(first.url);
    expect(await stop(first)).toMatchObject({ code: 0, stderr: '' });

    const second = await startGateway();
    expect(await statusFor(second.url, token)).toBe(200);
    await stop(second);
  });

  test('on a database of somebody’s applies the migrations, with two gateways at once as with one', async () => {
    const own = await startOwnPostgres();
    onTestFinished(() => own.dispose());
    const client = new pg.Client(own.url);
    await client.connect();
    await client.query('CREATE DATABASE fresh');
    await client.end();
    const DATABASE_URL = own.url.replace(/\/postgres$/, '/fresh');
    const both = await Promise.all([
      startGateway({ ...deployed, DATABASE_URL }),
      startGateway({ ...deployed, DATABASE_URL }),
    ]);
    for (const { url } of both) expect((await fetch(`${url}/readyz`)).status).toBe(200);
    for (const gateway of both) expect(await stop(gateway)).toMatchObject({ code: 0, stderr: '' });
  });

  test('with a real issuer offers no development tokens', async () => {
    const database = await createTestDatabase();
    onTestFinished(() => database.dispose());
    const gateway = await startGateway({ ...deployed, DATABASE_URL: database.url });
    const answer = await fetch(`${gateway.url}/dev/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'operator@vendor.example' }),
    });
    expect(answer.status).toBe(404);
    await stop(gateway);
  });
});

describe('a start that cannot be says why in one line and exits with 1', () => {
  test('port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => {
      taken.close();
    });
    const address = taken.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    expect(await refusal({ PORT: port })).toBe(
      `Port ${port} on 127.0.0.1 is in use: stop what uses it, or set PORT to another.\n`,
    );
    // And nothing of it is left running on the data folder.
    await stop(await startGateway());
  });

  test('an address of another machine', async () => {
    const variables = { ...deployed, CURSOR_SECRET: '', HOST: '192.0.2.1' };
    expect(await refusal(variables)).toMatch(/192\.0\.2\.1 is not an address of this machine: set HOST/);
  });

  test('an unreachable database', async () => {
    const port = await findFreePort();
    const DATABASE_URL = `postgresql://latchkey:hunter2@127.0.0.1:${port}/latchkey`;
    expect(await refusal({ ...deployed, DATABASE_URL })).toBe(
      `The database at 127.0.0.1:${port}/latchkey cannot be reached (connect ECONNREFUSED 127.0.0.1:${port}): start it, or correct DATABASE_URL.\n`,
    );
  });

  test('a database that never answers', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    onTestFinished(() => {
      silent.close();
    });
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const DATABASE_URL = `postgresql://latchkey:hunter2@127.0.0.1:${port}/latchkey`;
    expect(await refusal({ ...deployed, DATABASE_URL })).toMatch(/cannot be reached \(.*time.*\)/);
  });

  test('a wrong password, a database that does not exist', async () => {
    const { url, dispose } = await createTestDatabase();
    onTestFinished(dispose);
    const wrongPassword = url.replace(/:[^:@]+@/, ':hunter2@');
    expect(await refusal({ ...deployed, DATABASE_URL: wrongPassword })).toMatch(
      /password authentication failed/,
    );
    expect(await refusal({ ...deployed, DATABASE_URL: `${url}_not` })).toMatch(/does not exist/);
  });

  test('a broken data folder', async () => {
    await stop(await startGateway());
    await rm(join(dataFolder, 'postgres/cluster/global/pg_control'));
    expect(await refusal({})).toMatch(/does not start \(.*\): `npm run reset` clears it/);
  });

  test('a data folder of something else', async () => {
    await mkdir(dataFolder);
    await writeFile(join(dataFolder, 'thesis.txt'), '');
    expect(await refusal({})).toMatch(/is not one of Latchkey's/);
  });

  test('a data folder another gateway runs on', async () => {
    const running = await startGateway();
    expect(await refusal({})).toMatch(
      new RegExp(`in use by another gateway \\(process ${running.process.pid}\\)`),
    );
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
    await stop(running);
  });

  test('a wrong .env beside it; what is set in the environment itself wins over it', async () => {
    await writeFile(join(folder, '.env'), 'LOG_LEVEL=loud\nPORT=x\n');
    expect(await refusal({ PORT: '0' })).toMatch(/^LOG_LEVEL must be /);
  });

  test('a wrong environment: one line for each variable', async () => {
    const { code, stderr } = await run(main, { PORT: 'x', LOG_LEVEL: 'loud' }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^PORT must be [^\n]+\nLOG_LEVEL must be [^\n]+\n$/);
  });
});

describe('an end', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s is in order, with 0, and leaves nothing running',
    async (signal) => {
      const gateway = await startGateway();
      const server = await databaseProcess();
      gateway.process.kill(signal);
      expect(await gateway.ended).toMatchObject({ code: 0, stderr: '' });
      expect(await waitUntilGone(server, 0)).toBe(true);
    },
  );

  test('by Ctrl-C, which the whole process group gets, is in order all the same', async () => {
    const gateway = await startGateway();
    const server = await databaseProcess();
    process.kill(-(gateway.process.pid ?? 0), 'SIGINT');
    expect(await gateway.ended).toMatchObject({ code: 0, stderr: '' });
    expect(await waitUntilGone(server, 0)).toBe(true);
  });

  test('asked for twice is at once', async () => {
    const gateway = await startGateway();
    // With its database frozen, a stop in order would take its time.
    process.kill(await databaseProcess(), 'SIGSTOP');
    gateway.process.kill('SIGTERM');
    await expect(listening(gateway.url)).rejects.toThrow('fetch failed');
    gateway.process.kill('SIGINT');
    expect(await gateway.ended).toMatchObject({ code: 130 });
    process.kill(await databaseProcess(), 'SIGCONT');
    await stop(await startGateway());
  });

  test('while it starts waits for the start, and leaves nothing running', async () => {
    const gateway = run(main, {});
    await waitForFolder();
    gateway.process.kill('SIGINT');
    const { code } = await gateway.ended;
    expect(code).toBe(0);
    await stop(await startGateway());
  });

  test('by a hard kill is made up for by the next start', async () => {
    const first = await startGateway();
    const token = await issueToken(first.url);
    first.process.kill('SIGKILL');
    await first.ended;
    const second = await startGateway();
    expect(await statusFor(second.url, token)).toBe(200);
    await stop(second);
  });
});

describe('npm run reset', () => {
  test('clears what a gateway left, and nothing else', async () => {
    await stop(await startGateway());
    await mkdir(join(dataFolder, 'mail'), { recursive: true });
    expect(await readdir(dataFolder)).toContain('postgres');
    expect(await run(reset, {}).ended).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(folder)).toEqual([]);
    expect(await run(reset, {}).ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/nothing to clear/),
    });
  });

  test('spares a file somebody put beside the data', async () => {
    await stop(await startGateway());
    await writeFile(join(dataFolder, 'notes.txt'), 'mine');
    expect(await run(reset, {}).ended).toMatchObject({ code: 0 });
    expect(await readdir(dataFolder)).toEqual(['notes.txt']);
  });

  test('refuses while a gateway runs on it', async () => {
    const gateway = await startGateway();
    const { code, stderr } = await run(reset, {}).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^[^\n]*in use by another gateway[^\n]*\n$/);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    await stop(gateway);
  });

  test('refuses a folder that is not a gateway’s, and a database that is not embedded', async () => {
    await mkdir(join(dataFolder, 'postgres'), { recursive: true });
    expect(await run(reset, {}).ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is not a data folder of Latchkey's/),
    });
    const DATABASE_URL = 'postgresql://latchkey:hunter2@127.0.0.1:1/latchkey';
    expect(await run(reset, { ...deployed, DATABASE_URL }).ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/DATABASE_URL is set/),
    });
    expect(await readdir(dataFolder)).toEqual(['postgres']);
  });
});

async function databaseProcess(): Promise<number> {
  return Number.parseInt(await readFile(join(dataFolder, 'postgres/cluster/postmaster.pid'), 'utf8'), 10);
}

/** Until nothing listens there any more: then it rejects. */
async function listening(url: string): Promise<never> {
  const deadline = AbortSignal.timeout(10_000);
  for (;;) await fetch(`${url}/healthz`, { signal: deadline });
}

/** Until the gateway has begun with its data folder: its signal handlers are there by then. */
async function waitForFolder(): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (!(await readdir(folder)).includes('data')) {
    deadline.throwIfAborted();
    await new Promise(setImmediate);
  }
}

async function issueToken(url: string): Promise<string> {
  const answer = await fetch(`${url}/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'operator@vendor.example' }),
  });
  expect(answer.status).toBe(200);
  const body: unknown = await answer.json();
  if (typeof body === 'object' && body !== null && 'token' in body) return String(body.token);
  throw new Error('No token in the answer');
}

/** The status with which the gateway answers the bearer of the token. */
async function statusFor(url: string, token: string): Promise<number> {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: '{ viewer { __typename } }' }),
  });
  expect(await answer.json()).toMatchObject({ data: { viewer: { __typename: expect.any(String) } } });
  return answer.status;
}
