import { type ChildProcess, execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { clusterFolder, passwordFile, postgresFolder, prepareDataFolder } from './data-folder.ts';
import { type DataFolderOwner, ownDataFolder, stopSignals } from './data-folder-owner.ts';
import {
  commandAs,
  findPostgresBinaries,
  type PostgresBinaries,
  type ServerUser,
  serverUser,
} from './embedded-postgres-binaries.ts';
import { complaintsOf, doesNotStart, isNotCreated, reasonIn } from './embedded-postgres-errors.ts';
import { gatewayMark } from './embedded-postgres-process.ts';
import type { Logger } from './logger.ts';
import type { StartupError } from './startup-error.ts';
import { spawnWatched, watched } from './watched-process.ts';

const run = promisify(execFile);

/** Milliseconds. Recovery after a crash takes longest, and creating a cluster on a busy machine. */
const startDeadline = 240_000;
const stopDeadline = 5_000;
const portAttempts = 5;

/** How often a server is started again in a row, and the milliseconds after which it counts as running well. */
const restartAttempts = 5;
const restartDelay = 500;
const steadyAfter = 60_000;

export interface EmbeddedPostgres {
  /** The URL of the database `postgres` over TCP on 127.0.0.1, including the password. */
  readonly url: string;
  readonly port: number;
  /** Settles when the server has ended, whoever stopped it, and is not started again. */
  readonly exited: Promise<void>;
  /** Stops the server with PostgreSQL's fast shutdown, and gives the data folder up. May be called again. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Created if absent. Keeps the cluster between starts. */
  readonly dataFolder: string;
  readonly logger?: Logger;
  /** Server settings as in postgresql.conf, for example `{ fsync: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** A free port if not given. */
  readonly port?: number;
  /**
   * With it, a server that dies is started again at the same address. Called once that fails; nothing runs then.
   * Without it, a server that dies stays so.
   */
  readonly onFailure?: (error: StartupError) => void;
}

/**
 * Starts the PostgreSQL server of the development dependencies on the cluster in the data folder, and creates the
 * cluster at the first start.
 *
 * Only one gateway runs on a data folder: it owns the folder until the server has ended. The server has its own process
 * group, so Ctrl-C in a terminal reaches only the gateway, which then shuts the server down. A watcher process stops the
 * server if the gateway dies without doing so (`kill -9`).
 *
 * @throws StartupError, in one line, if another gateway uses the folder, or if the folder or the server does not work
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findPostgresBinaries();
  await prepareDataFolder(options.dataFolder);
  const owner = await ownDataFolder(options.dataFolder);
  try {
    return await startOn(owner, binaries, options);
  } catch (error) {
    owner.release();
    throw error;
  }
}

async function startOn(
  owner: DataFolderOwner,
  { postgres, initdb }: PostgresBinaries,
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const home = postgresFolder(owner.folder);
  const user = await serverUser(clusterFolder(home));
  if (!(await exists(home))) await createCluster(initdb, home, user);
  if (!(await exists(clusterFolder(home))))
    throw doesNotStart(home, `could not access directory "${clusterFolder(home)}"`);
  const password = await readFile(passwordFile(home), 'utf8').catch((error: unknown) => {
    throw doesNotStart(home, error instanceof Error ? error.message : String(error));
  });
  const startAt = (port: number) =>
    startServer({
      ...{ postgres, cluster: clusterFolder(home), user, lock: owner.serverLock, logger: options.logger },
      settings: { ...ownSettings, ...options.settings, port: String(port) },
    });

  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    const started = await startAt(port);
    if (started.kind === 'failed') {
      if (started.portTaken && options.port === undefined && attempt < portAttempts) continue;
      throw doesNotStart(home, started.reason);
    }
    const kept = keepRunning(started, () => startAt(port), { ...options, home });
    const exited = kept.ended.then(() => owner.release());
    return {
      url: `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
      port,
      exited,
      async stop() {
        await kept.stop();
        await exited;
      },
    };
  }
}

/** Starts the server again whenever it dies, if somebody wants to know when that fails. */
function keepRunning(
  first: RunningServer,
  startAgain: () => Promise<Started>,
  { home, logger, onFailure }: { home: string } & Pick<EmbeddedPostgresOptions, 'logger' | 'onFailure'>,
): { ended: Promise<void>; stop(): Promise<void> } {
  const stopping = new AbortController();
  let server = first;

  /** Returns why no server runs any more. */
  async function restart(): Promise<string | null> {
    let reason = server.complaint();
    for (let attempt = 1; attempt <= restartAttempts; attempt += 1) {
      logger?.error({ reason, attempt }, 'The embedded database has ended by itself: it is started again');
      await wait(restartDelay * (attempt - 1), undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return null;
      const started = await startAgain().catch(asFailed);
      if (started.kind === 'running') {
        server = started;
        return null;
      }
      reason = started.reason;
    }
    return reason;
  }

  async function keep(): Promise<void> {
    let deaths = 0;
    for (;;) {
      const since = Date.now();
      await server.exited;
      if (onFailure === undefined || stopping.signal.aborted) return;
      deaths = Date.now() - since > steadyAfter ? 1 : deaths + 1;
      const failure = deaths > restartAttempts ? server.complaint() : await restart();
      if (failure !== null) {
        onFailure(doesNotStart(home, failure));
        return;
      }
      if (stopping.signal.aborted) await server.stop();
    }
  }

  const ended = keep();
  return {
    ended,
    async stop() {
      stopping.abort();
      await server.stop();
      await ended;
    },
  };
}

/** Somebody may have deleted the folder. */
function asFailed(error: unknown): Started {
  return { kind: 'failed', reason: error instanceof Error ? error.message : String(error), portTaken: false };
}

const ownSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '',
  ...gatewayMark(),
};

/** Creates the cluster in a temporary folder and renames it, so that an interrupted start leaves no partial cluster. */
async function createCluster(initdb: string, home: string, user: ServerUser | undefined): Promise<void> {
  const draft = `${home}.${randomBytes(4).toString('hex')}`;
  const [cluster, password] = [clusterFolder(draft), passwordFile(draft)];
  try {
    await mkdir(draft, { mode: 0o700 });
    await mkdir(cluster, { mode: 0o700 });
    await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (user !== undefined) {
      for (const path of [draft, cluster, password]) await chown(path, user.uid, user.gid);
    }
    const command = await commandAs(
      user,
      initdb,
      [
        `--pgdata=${cluster}`,
        `--pwfile=${password}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--no-instructions',
        '--no-sync',
      ],
      [dirname(initdb), draft],
    );
    await run(command.program, command.parameters, { ...command.options, cwd: '/', timeout: startDeadline });
    await rename(draft, home);
  } catch (error) {
    throw isNotCreated(home, reasonIn(error));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

type RunningServer = {
  readonly kind: 'running';
  /** Settles when the server has ended. */
  readonly exited: Promise<void>;
  /** Why it ended by itself, as far as it said. */
  complaint(): string;
  stop(): Promise<void>;
};

type Started =
  | RunningServer
  | { readonly kind: 'failed'; readonly reason: string; readonly portTaken: boolean };

type Server = {
  readonly postgres: string;
  readonly cluster: string;
  readonly user: ServerUser | undefined;
  readonly settings: Readonly<Record<string, string>>;
  /** A descriptor that the server and its children inherit. */
  readonly lock: number;
  readonly logger: Logger | undefined;
};

async function startServer({ postgres, cluster, user, settings, lock, logger }: Server): Promise<Started> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [program, parameters] = watched(postgres, ['-D', cluster, ...flags]);
  const command = await commandAs(user, program, parameters, [dirname(postgres), cluster]);
  const server = spawnWatched(command.program, command.parameters, {
    ...command.options,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    inherited: lock,
  });
  server.stdout?.resume();
  const said = complaintsOf();
  const gone = new Promise<void>((settle) => {
    server.once('error', (error) => {
      said.add(`FATAL:  ${error.message}`);
      settle();
    });
    server.once('exit', (_code, signal) => {
      if (signal !== null) said.add(`FATAL:  it was ended by ${signal}`);
      settle();
    });
  });
  const lines = createInterface({ input: server.stderr ?? Readable.from([]) });
  const saidAll = once(lines, 'close').then(() => true);
  const ready = new Promise<boolean>((settle) => {
    void gone.then(() => settle(false));
    lines.on('line', (line) => {
      logger?.debug({ postgres: line }, 'embedded database');
      said.add(line);
      if (/database system is ready to accept (?:read-only )?connections/.test(line)) settle(true);
    });
  });
  const stop = () => stopServer(server, gone);
  if (await withinDeadline(ready, startDeadline)) {
    said.forget();
    return { kind: 'running', exited: gone, complaint: said.reason, stop };
  }
  await stop();
  await withinDeadline(saidAll, 1_000);
  return { kind: 'failed', reason: said.reason(), portTaken: said.isPortTaken() };
}

async function stopServer(server: ChildProcess, gone: Promise<void>): Promise<void> {
  for (const signal of stopSignals) {
    if (server.exitCode === null && server.signalCode === null) server.kill(signal);
    if (
      await withinDeadline(
        gone.then(() => true),
        stopDeadline,
      )
    )
      return;
  }
}

async function withinDeadline(outcome: Promise<boolean>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((settle) => {
    timer = setTimeout(() => settle(false), milliseconds);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns a TCP port that was free on 127.0.0.1 a moment ago. It is outside the ephemeral port range, so that no
 * outgoing connection takes it in the meantime.
 */
async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = randomInt(10_240, 32_768);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('No free TCP port was found on 127.0.0.1');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
