import { type ChildProcess, execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { postgresFolder, prepareDataFolder } from './data-folder.ts';
import {
  commandAs,
  findPostgresBinaries,
  type ServerUser,
  serverUser,
} from './embedded-postgres-binaries.ts';
import { gatewayMark, isAlive, runningServer, waitUntilGone } from './embedded-postgres-process.ts';
import type { Logger } from './logger.ts';
import { StartupError } from './startup-error.ts';
import { spawnWatched, watched } from './watched-process.ts';

const run = promisify(execFile);

/** Milliseconds. Recovery after a crash takes longest. */
const startDeadline = 60_000;
const stopDeadline = 5_000;
const portAttempts = 5;

export interface EmbeddedPostgres {
  /** The URL of the database `postgres` over TCP on 127.0.0.1, including the password. */
  readonly url: string;
  readonly port: number;
  /** Settles when the server has ended, whoever stopped it. */
  readonly exited: Promise<void>;
  /** Stops the server with PostgreSQL's fast shutdown. May be called again. */
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
}

/**
 * Starts the PostgreSQL server of the development dependencies on the cluster in the data folder, and creates the
 * cluster at the first start.
 *
 * Only one gateway runs on a data folder. The server has its own process group, so Ctrl-C in a terminal reaches only
 * the gateway, which then shuts the server down. A watcher process stops the server if the gateway dies without
 * doing so (`kill -9`).
 *
 * @throws StartupError, in one line, if another gateway uses the folder, or if the folder or the server does not work
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await findPostgresBinaries();
  await prepareDataFolder(options.dataFolder);
  const dataFolder = await realpath(options.dataFolder);
  const home = postgresFolder(dataFolder);
  const cluster = join(home, 'cluster');
  const passwordFile = join(home, 'password');

  await refuseIfInUse(dataFolder);
  const user = await serverUser(cluster);
  if (!(await exists(home))) await createCluster(binaries.initdb, home, user);
  const password = await readFile(passwordFile, 'utf8').catch((error: unknown) => {
    throw broken(home, error instanceof Error ? error.message : String(error));
  });

  const settings = { ...ownSettings, ...options.settings };
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort());
    const started = await startServer(
      binaries.postgres,
      cluster,
      user,
      { ...settings, port: String(port) },
      options.logger,
    );
    if (started.kind === 'running') {
      return {
        url: `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
        port,
        exited: started.exited,
        stop: started.stop,
      };
    }
    if (started.portTaken && options.port === undefined && attempt < portAttempts) continue;
    throw started.clusterTaken ? inUse(dataFolder) : broken(home, started.reason);
  }
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

/**
 * Throws a StartupError while a gateway runs on the data folder. Stops a server whose gateway has died: its watcher
 * may not have stopped it yet, or may have been killed as well.
 */
export async function refuseIfInUse(dataFolder: string): Promise<void> {
  const cluster = join(postgresFolder(await realpath(dataFolder)), 'cluster');
  const server = await runningServer(cluster);
  if (server === undefined) return;
  if (isAlive(server.gateway)) throw inUse(dataFolder, server.gateway);
  for (const signal of stopSignals) {
    try {
      process.kill(server.pid, signal);
    } catch {
      // It has ended already, or belongs to another user. The wait below shows which.
    }
    if (await waitUntilGone(server.pid, stopDeadline)) return;
  }
  throw inUse(dataFolder);
}

/** Creates the cluster in a temporary folder and renames it, so that an interrupted start leaves no partial cluster. */
async function createCluster(initdb: string, home: string, user: ServerUser | undefined): Promise<void> {
  const draft = `${home}.${randomBytes(4).toString('hex')}`;
  const cluster = join(draft, 'cluster');
  const passwordFile = join(draft, 'password');
  try {
    await mkdir(draft, { mode: 0o755 });
    await mkdir(cluster, { mode: 0o700 });
    await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (user !== undefined) {
      for (const path of [draft, cluster, passwordFile]) await chown(path, user.uid, user.gid);
    }
    const command = await commandAs(
      user,
      initdb,
      [
        `--pgdata=${cluster}`,
        `--pwfile=${passwordFile}`,
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
    await rename(draft, home).catch(async (error: unknown) => {
      // Another gateway created it in the meantime. The one that starts its server first gets the folder.
      if (!(await exists(home))) throw error;
    });
  } catch (error) {
    throw broken(home, lastLine(error));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

type Started =
  | { kind: 'running'; exited: Promise<void>; stop(): Promise<void> }
  | { kind: 'failed'; reason: string; portTaken: boolean; clusterTaken: boolean };

async function startServer(
  postgres: string,
  cluster: string,
  user: ServerUser | undefined,
  settings: Readonly<Record<string, string>>,
  logger: Logger | undefined,
): Promise<Started> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [program, parameters] = watched(postgres, ['-D', cluster, ...flags]);
  const command = await commandAs(user, program, parameters, [dirname(postgres), cluster]);
  const server = spawnWatched(command.program, command.parameters, {
    ...command.options,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
  });
  server.stdout?.resume();
  const complaints: string[] = [];
  const gone = new Promise<void>((settle) => {
    server.once('error', (error) => {
      complaints.push(error.message);
      settle();
    });
    server.once('exit', () => settle());
  });
  const lines = createInterface({ input: server.stderr ?? Readable.from([]) });
  const saidAll = once(lines, 'close').then(() => true);
  const ready = new Promise<boolean>((settle) => {
    void gone.then(() => settle(false));
    lines.on('line', (line) => {
      logger?.debug({ postgres: line }, 'embedded database');
      if (/(FATAL|PANIC|ERROR|DETAIL|could not)/.test(line) && complaints.length < 20) complaints.push(line);
      if (line.includes('database system is ready to accept connections')) settle(true);
    });
  });
  const stop = () => stopServer(server, gone);
  if (await withinDeadline(ready, startDeadline)) return { kind: 'running', exited: gone, stop };
  await stop();
  await withinDeadline(saidAll, 1_000);
  const said = complaints.join('\n');
  return {
    kind: 'failed',
    reason: whyItFailed(complaints),
    portTaken: said.includes('could not bind') || said.includes('could not create any TCP/IP sockets'),
    clusterTaken: said.includes('lock file "postmaster.pid" already exists'),
  };
}

/** Fast shutdown, immediate shutdown, kill: each is sent if the one before had no effect in time. */
const stopSignals = ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const;

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

/** Returns the last fatal error that the server printed, with its detail line if it has one. */
function whyItFailed(complaints: readonly string[]): string {
  const fatal = complaints.findLastIndex((line) => /FATAL|PANIC/.test(line));
  if (fatal === -1) return complaints.at(-1) ?? 'it gave no reason';
  const detail = complaints[fatal + 1];
  return [complaints[fatal], ...(detail?.startsWith('DETAIL') ? [detail] : [])].join(' ');
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
export async function findFreePort(): Promise<number> {
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

function inUse(dataFolder: string, gateway?: number): StartupError {
  const who = gateway === undefined ? 'another gateway' : `another gateway (process ${gateway})`;
  return new StartupError(
    `The data folder ${dataFolder} is in use by ${who}: stop that one, or set DATA_FOLDER to another folder.`,
  );
}

function broken(home: string, reason: string): StartupError {
  const line = reason.replaceAll(/\s+/g, ' ').trim();
  return new StartupError(
    `The embedded database in ${home} does not start (${line}): \`npm run reset\` clears it, DATABASE_URL uses another.`,
  );
}

function lastLine(error: unknown): string {
  const text =
    error instanceof Error ? ('stderr' in error ? String(error.stderr) : '') || error.message : String(error);
  return text.trim().split('\n').at(-1) ?? text;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
