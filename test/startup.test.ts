import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, type AppSeams, createApp } from '../src/app.ts';
import { parseConfig, variableNames } from '../src/config/environment.ts';
import { isAlive } from '../src/platform/embedded-postgres-process.ts';
import { StartupError } from '../src/platform/startup-error.ts';
import { explainStartFailure } from '../src/start-failure.ts';
import { compileCache } from './support/compile-cache.ts';
import { generousDatabaseDeadlines } from './support/deadlines.ts';
import { eventually } from './support/eventually.ts';
import { reservePort } from './support/ports.ts';
import { createEmptyDatabase, createTestDatabase } from './support/postgres.ts';
import { fullSize, rotating, seedOf } from './support/size.ts';

const seed = seedOf('STARTUP_SEED');

const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'src/main.ts');
const reset = join(root, 'src/reset.ts');

type Variables = Readonly<Record<string, string>>;
type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
type Running = {
  readonly process: ChildProcess;
  /** Resolves when the text has been printed; rejects if the process ends first. */
  printed(text: string): Promise<void>;
  /** Resolves when the process and every process that shares its output have ended. */
  readonly ended: Promise<Outcome>;
};
type Gateway = Running & { readonly url: string };

/** A temporary folder and the programs that run in it. */
type Place = {
  readonly folder: string;
  readonly dataFolder: string;
  /** Runs a program of the project with exactly these variables, whatever the environment of the tests. */
  run(program: string, variables?: Variables): Running;
  /** Starts a gateway on a free port; resolves when it listens. */
  start(variables?: Variables): Promise<Gateway>;
  /** Starts a gateway with `npm start`; resolves when it listens. */
  startByNpm(): Promise<Gateway>;
  /** Makes sure that the data folder has a database. */
  prepare(): Promise<void>;
  /** Runs a gateway that cannot start; returns the one line that it prints. */
  refusal(variables?: Variables): Promise<string>;
  /** The process id of the running embedded database. */
  databaseProcess(): Promise<number>;
  /** Whether the embedded database was shut down, not killed. */
  isShutDown(): boolean;
  [Symbol.asyncDispose](): Promise<void>;
};

async function createPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-startup-'));
  const dataFolder = join(folder, 'data');
  const lockFile = join(dataFolder, 'postgres/cluster/postmaster.pid');
  const started: Running[] = [];

  function launch(command: readonly [string, ...string[]], cwd: string, variables: Variables): Running {
    const [program, ...parameters] = command;
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(program, parameters, {
      cwd,
      // Its own process group, as a terminal gives to each command.
      detached: true,
      // A slow machine may take long to stop: no test is about that limit.
      env: {
        ...compileCache,
        ...{ PATH, HOME, DATA_FOLDER: dataFolder, PORT: '0', SHUTDOWN_GRACE_SECONDS: '300' },
        ...variables,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (text) => {
        output[name] += text;
      });
    }
    const ended = once(child, 'close').then(([code]): Outcome => ({ code, ...output }));
    const running: Running = {
      process: child,
      ended,
      async printed(text) {
        const gone = ended.then((outcome) => {
          throw new Error(`It ended without printing ${text}: ${JSON.stringify(outcome)}`);
        });
        gone.catch(() => undefined);
        while (!output.stdout.includes(text)) await Promise.race([once(child.stdout, 'data'), gone]);
      },
    };
    started.push(running);
    return running;
  }

  const run = (program: string, variables: Variables = {}) =>
    launch([process.execPath, program], folder, variables);
  const listening = async (launched: (port: string) => Running): Promise<Gateway> => {
    const port = String(await reservePort());
    const running = launched(port);
    const url = `http://127.0.0.1:${port}`;
    await running.printed(url);
    return { ...running, url };
  };
  const start = (variables: Variables = {}) => listening((PORT) => run(main, { PORT, ...variables }));
  return {
    folder,
    dataFolder,
    run,
    start,
    startByNpm: () =>
      listening((PORT) => {
        // Blank variables override the .env file of the person who runs the tests.
        const blank = Object.fromEntries(variableNames.map((name) => [name, '']));
        const { SHUTDOWN_GRACE_SECONDS: _limit, ...others } = blank;
        return launch(['npm', 'start'], root, { ...others, DATA_FOLDER: dataFolder, PORT });
      }),
    async prepare() {
      if (!existsSync(dataFolder)) await stop(await start());
    },
    async refusal(variables = {}) {
      const { code, stdout, stderr } = await run(main, variables).ended;
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^[^\n]+\n$/);
      expect(stderr).not.toContain('hunter2');
      return stderr;
    },
    databaseProcess: async () => Number.parseInt(await readFile(lockFile, 'utf8'), 10),
    isShutDown: () => !existsSync(lockFile),
    async [Symbol.asyncDispose]() {
      for (const { process: child } of started) {
        if (child.pid !== undefined && isAlive(child.pid)) process.kill(-child.pid, 'SIGKILL');
      }
      await Promise.all(started.map(({ ended }) => ended));
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function stop(running: Running): Promise<Outcome> {
  running.process.kill('SIGTERM');
  return await running.ended;
}

/** A slow machine may make a gateway that is starting warn that its database takes long. */
const withoutWarnings = { LOG_LEVEL: 'error' };
const graceful = { code: 0, stderr: '' };
const deployed = {
  OIDC_ISSUER: 'https://login.vendor.example',
  OIDC_AUDIENCE: 'latchkey',
  OIDC_JWKS_URL: 'https://login.vendor.example/keys',
  CURSOR_SECRET: 'k'.repeat(32),
  DATABASE_WAIT_SECONDS: '0',
};

const configOf = (variables: Variables) => parseConfig({ PORT: '0', LOG_LEVEL: 'silent', ...variables });

/** Starts a gateway that cannot start, in this process; returns the one line that the program would print. */
async function refusal(variables: Variables, seams: AppSeams = {}): Promise<string> {
  const config = configOf(variables);
  const error: unknown = await createApp(config, seams).then(
    (app) => app.dispose(),
    (reason: unknown) => explainStartFailure(reason, config),
  );
  if (!(error instanceof StartupError))
    throw new Error('It started, or failed in another way', { cause: error });
  expect(error.message).not.toMatch(/\n|hunter2/);
  return error.message;
}

// These tests share one data folder, because creating a database takes longest. Each can also run alone.
describe(`on one data folder, in sequence, STARTUP_SEED=${seed}`, () => {
  let place: Place;
  /** The gateway that a test leaves running for the next one. */
  let left: Gateway | undefined;
  beforeAll(async () => {
    place = await createPlace();
  });
  afterAll(() => place[Symbol.asyncDispose]());

  test.runIf(fullSize)(
    'a signal during the first start ends the gateway once it has started, and leaves no database running',
    async () => {
      const watcher = watch(place.folder);
      const gateway = place.run(main);
      // The gateway has its signal handlers before it creates its data folder.
      await once(watcher, 'change');
      watcher.close();
      gateway.process.kill('SIGINT');
      expect(await gateway.ended).toMatchObject({ code: 0 });
      expect(place.isShutDown()).toBe(true);
    },
  );

  test('a gateway with nothing set serves from an embedded database', async () => {
    const gateway = await place.start();
    await untilReady(gateway.url);
    const token = await eventually(() => issueToken(gateway.url));

    // Nothing else may use the data folder.
    expect(await place.refusal()).toMatch(
      new RegExp(`in use by another gateway \\(process ${gateway.process.pid}\\)`),
    );
    const refused = await place.run(reset).ended;
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^[^\n]*in use by another gateway[^\n]*\n$/);
    await eventually(() => expectAnswer(gateway.url, token));

    // A killed gateway loses nothing, and the next one finds the same data.
    gateway.process.kill('SIGKILL');
    await gateway.ended;
    left = await place.start();
    const { url } = left;
    await eventually(() => expectAnswer(url, token));
  });

  const signals: [string, (pid: number) => void][] = [
    ['SIGTERM', (pid) => process.kill(pid, 'SIGTERM')],
    ['SIGINT', (pid) => process.kill(pid, 'SIGINT')],
    ['Ctrl-C, which signals the whole process group', (pid) => process.kill(-pid, 'SIGINT')],
  ];
  test.each(rotating(signals, seed))('%s shuts a gateway and its database down', async (_how, end) => {
    const gateway = left ?? (await place.start());
    left = undefined;
    const database = await place.databaseProcess();
    end(gateway.process.pid ?? 0);
    expect(await gateway.ended).toMatchObject(graceful);
    expect(isAlive(database)).toBe(false);
    expect(place.isShutDown()).toBe(true);
  });

  const endsOfNpm: [string, (gateway: Gateway, database: number) => unknown, object][] = [
    ['SIGTERM to npm', ({ process: npm }) => npm.kill('SIGTERM'), graceful],
    ['Ctrl-C, which reaches the gateway directly and through npm', pressControlC, graceful],
    ['SIGKILL to npm', ({ process: npm }) => npm.kill('SIGKILL'), { code: null, stderr: '' }],
  ];
  test.each(rotating(endsOfNpm, seed))('%s shuts down what npm start runs', async (_how, end, outcome) => {
    const gateway = await place.startByNpm();
    const database = await place.databaseProcess();
    await end(gateway, database);
    expect(await gateway.ended).toMatchObject(outcome);
    expect(isAlive(database)).toBe(false);
    expect(place.isShutDown()).toBe(true);
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow('fetch failed');
  });

  test.runIf(fullSize)('a second signal ends a gateway at once', async () => {
    const gateway = await place.start();
    // With its database frozen, a graceful shutdown would take long.
    const database = await place.databaseProcess();
    process.kill(database, 'SIGSTOP');
    gateway.process.kill('SIGTERM');
    await expect(untilUnreachable(gateway.url)).rejects.toThrow('fetch failed');
    gateway.process.kill('SIGINT');
    expect(await gateway.ended).toMatchObject({ code: 130 });
    process.kill(database, 'SIGCONT');
  });

  /** Starts a gateway on the folder in this process. What the program does with a refusal is tested below. */
  const refusalHere = (variables: Variables = {}) =>
    refusal(
      { DATA_FOLDER: place.dataFolder, ...variables },
      { databaseDeadlines: generousDatabaseDeadlines },
    );

  test('a folder with the sample people refuses a real issuer', async () => {
    await place.prepare();
    expect(await refusalHere(deployed)).toMatch(/ has the sample people, /);
    expect(place.isShutDown()).toBe(true);
  });

  test('a port in use is reported, and leaves no database running', async () => {
    await place.prepare();
    await using taken = await listen();
    expect(await refusalHere({ PORT: String(taken.port) })).toBe(
      `Port ${taken.port} on 127.0.0.1 is in use: stop the program that uses it, or set PORT to another port.`,
    );
    expect(place.isShutDown()).toBe(true);
  });

  test('a broken database is reported, and reset clears what a gateway left, and nothing else', async () => {
    await place.prepare();
    await rm(join(place.dataFolder, 'postgres/cluster/global/pg_control'));
    expect(await refusalHere()).toMatch(
      /does not start \(.*pg_control.*\): restore a backup of the folder; `npm run reset` deletes/,
    );

    await mkdir(join(place.dataFolder, 'mail'), { recursive: true });
    await writeFile(join(place.dataFolder, 'notes.txt'), 'mine');
    expect(await place.run(reset).ended).toMatchObject(graceful);
    expect(await readdir(place.dataFolder)).toEqual(['notes.txt']);
    await rm(join(place.dataFolder, 'notes.txt'));
    expect(await place.run(reset).ended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/nothing to clear/),
    });
  });
});

describe.concurrent('in a folder of its own', () => {
  test('an invalid environment is reported in one line per variable, and overrides an invalid .env file', async () => {
    await using place = await createPlace();
    await writeFile(join(place.folder, '.env'), 'LOG_LEVEL=loud\nPORT=x\nDATABASE_POOL_SIZE=12\n');
    const { code, stderr } = await place.run(main, { PORT: '0', DATABASE_POOL_SIZE: 'many' }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^LOG_LEVEL must be [^\n]+\nDATABASE_POOL_SIZE must be [^\n]+\n$/);
  });

  test('a signal that arrives before the code is loaded ends a gateway that waits for its database with 1', async () => {
    await using place = await createPlace();
    const signalling = `import { registerHooks } from 'node:module';
      registerHooks({
        load(url, context, next) {
          if (/\\/gateway\\.(js|ts)$/.test(url)) process.kill(process.pid, 'SIGTERM');
          return next(url, context);
        },
      });`;
    const gateway = place.run(main, {
      ...deployed,
      NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(signalling)}"`,
      DATABASE_URL: `postgresql://latchkey:hunter2@127.0.0.1:${await reservePort()}/latchkey`,
      DATABASE_WAIT_SECONDS: '300',
    });
    expect(await gateway.ended).toMatchObject({ code: 1, stderr: '' });
  });

  test.runIf(fullSize)('a database that is lost during the start is reported', async () => {
    await using place = await createPlace();
    await using databases = new AsyncDisposableStack();
    const { url: DATABASE_URL } = databases.adopt(await createTestDatabase(), ({ dispose }) => dispose());
    const sql = databases.adopt(new pg.Pool({ connectionString: DATABASE_URL }), (pool) => pool.end());
    // The gateway's first change of data ends its connection.
    await sql.query(`
      CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
      CREATE TRIGGER lost BEFORE UPDATE ON accounts EXECUTE FUNCTION end_connection()`);
    expect(await place.refusal({ ...withoutWarnings, ...deployed, DATABASE_URL })).toMatch(
      /^The database was lost during the start \(.*\): start again\.\n$/,
    );
  });

  test('reset refuses a folder that is not a gateway’s, and a database that is not embedded', async () => {
    await using place = await createPlace();
    await mkdir(join(place.dataFolder, 'postgres'), { recursive: true });
    expect(await place.run(reset).ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is not a data folder of Latchkey's/),
    });
    const DATABASE_URL = 'postgresql://latchkey:hunter2@127.0.0.1:1/latchkey';
    expect(await place.run(reset, { ...deployed, DATABASE_URL }).ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/DATABASE_URL is set/),
    });
    expect(await readdir(place.dataFolder)).toEqual(['postgres']);
  });
});

// In the process of the test: what the program does with a refusal is tested above.
describe.concurrent('without a process of its own', () => {
  test.runIf(fullSize)(
    'two gateways that start at once on an external database apply the migrations and issue no tokens',
    async () => {
      await using begun = new AsyncDisposableStack();
      const { url: DATABASE_URL } = begun.adopt(await createEmptyDatabase(), ({ dispose }) => dispose());
      const both = await Promise.all(
        [1, 2].map(async (): Promise<App> => {
          const config = configOf({ ...deployed, DATABASE_URL });
          const app = await createApp(config, { databaseDeadlines: generousDatabaseDeadlines });
          return begun.adopt(app, ({ dispose }) => dispose());
        }),
      );
      for (const { url } of both) await untilReady(url);
      expect((await requestToken(both[0]?.url ?? '')).status).toBe(404);
    },
  );

  test('an address of another machine is reported', async () => {
    await using databases = new AsyncDisposableStack();
    const { url: DATABASE_URL } = databases.adopt(await createTestDatabase(), ({ dispose }) => dispose());
    expect(
      await refusal(
        { ...deployed, DATABASE_URL, HOST: '192.0.2.1' },
        { databaseDeadlines: generousDatabaseDeadlines },
      ),
    ).toBe('192.0.2.1 is not an address of this machine: set HOST to 127.0.0.1 or to one of its addresses.');
  });

  test('an unreachable database is reported', async () => {
    const port = await reservePort();
    const DATABASE_URL = `postgresql://latchkey:hunter2@127.0.0.1:${port}/latchkey`;
    expect(await refusal({ ...deployed, DATABASE_URL })).toBe(
      `The database at 127.0.0.1:${port}/latchkey cannot be reached (connect ECONNREFUSED 127.0.0.1:${port}): start it, or correct DATABASE_URL.`,
    );
  });

  test('a database that never answers is reported', async () => {
    await using silent = await listen();
    const DATABASE_URL = `postgresql://latchkey:hunter2@127.0.0.1:${silent.port}/latchkey`;
    expect(await refusal({ ...deployed, DATABASE_URL })).toMatch(/cannot be reached \(.*time.*\)/);
  });

  test('a wrong password and a database that does not exist are reported', async () => {
    await using databases = new AsyncDisposableStack();
    const { url } = databases.adopt(await createTestDatabase(), ({ dispose }) => dispose());
    const refusals = await Promise.all([
      refusal({ ...deployed, DATABASE_URL: url.replace(/:[^:@]+@/, ':hunter2@') }),
      refusal({ ...deployed, DATABASE_URL: `${url}_not` }),
    ]);
    expect(refusals[0]).toMatch(/password authentication failed/);
    expect(refusals[1]).toMatch(/does not exist/);
  });

  test('a data folder with other contents is refused', async () => {
    await using place = await createPlace();
    await mkdir(place.dataFolder);
    await writeFile(join(place.dataFolder, 'thesis.txt'), '');
    expect(await refusal({ DATA_FOLDER: place.dataFolder })).toMatch(/is not one of Latchkey's/);
  });
});

/** A port that accepts connections and never responds. */
async function listen(): Promise<{ port: number } & AsyncDisposable> {
  const server: Server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

/** Signals the gateway that npm runs, and npm, which forwards the signal when the gateway is already stopping. */
async function pressControlC({ process: npm, url }: Gateway, database: number): Promise<void> {
  const { stdout } = await promisify(execFile)('pgrep', ['-P', String(npm.pid)]);
  // With its database frozen, the gateway has not ended before the second signal arrives.
  process.kill(database, 'SIGSTOP');
  process.kill(Number(stdout), 'SIGINT');
  await expect(untilUnreachable(url)).rejects.toThrow('fetch failed');
  npm.kill('SIGINT');
  process.kill(database, 'SIGCONT');
}

/** Rejects when nothing listens on the port any more. */
async function untilUnreachable(url: string): Promise<never> {
  for (;;) await fetch(`${url}/healthz`);
}

function requestToken(url: string): Promise<Response> {
  return fetch(`${url}/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'operator@vendor.example' }),
  });
}

async function issueToken(url: string): Promise<string> {
  const response = await requestToken(url);
  expect(response.status).toBe(200);
  const body: unknown = await response.json();
  if (typeof body === 'object' && body !== null && 'token' in body) return String(body.token);
  throw new Error('The response has no token');
}

/** Waits: on a slow machine the database may first take longer to answer than a gateway allows. */
async function untilReady(url: string): Promise<void> {
  await eventually(async () => {
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'READY' });
  });
}

/** Sends a query with this token. */
async function expectAnswer(url: string, token: string): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: '{ viewer { __typename } }' }),
  });
  expect(await response.json()).toMatchObject({ data: { viewer: { __typename: expect.any(String) } } });
  expect(response.status).toBe(200);
}
