/** PostgreSQL as it is installed on this machine, with the tools of an operator: the server of the tests has none of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import { eventually } from './eventually.ts';
import { reservePort } from './ports.ts';

/** The folder of its programs: the one in POSTGRES_BIN, or the latest of Debian's. Undefined: there is none. */
export const postgresBin: string | undefined = process.env['POSTGRES_BIN'] ?? latestOf('/usr/lib/postgresql');

/** What the names of tests say of it. */
export const triedWith =
  postgresBin ?? 'not tried, since this machine has no PostgreSQL: name one in POSTGRES_BIN';

function latestOf(folder: string): string | undefined {
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  return versions
    .toSorted((one, other) => Number(other) - Number(one))
    .map((version) => join(folder, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')) && existsSync(join(bin, 'postgres')));
}

/** PostgreSQL refuses to run as root. */
const nobody = 65_534;
const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

/** Gives a folder to whom servers and tools run as. */
async function handOver(folder: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(folder, nobody, nobody);
}
const password = 'a-password-of-the-tests';

/** A folder in which servers and tools run, all of them as the same unprivileged user. */
export type PostgresPlace = {
  readonly folder: string;
  /** Runs a command of a shell to its end; returns what it has printed. Rejects if it fails. */
  run(command: string, variables?: Readonly<Record<string, string>>): Promise<string>;
  /** Starts a command of a shell that does not end by itself. The place ends it. */
  start(command: string, variables?: Readonly<Record<string, string>>): ChildProcess;
  /** Creates a cluster in this folder of the place. */
  create(name: string): Promise<void>;
  /** Starts a server on the cluster, at the port or at another one; resolves when it takes connections. */
  serve(name: string, port?: number): Promise<SystemServer>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type SystemServer = {
  readonly port: number;
  readonly url: string;
  /** With `kill -9`, all of its processes. */
  kill(): Promise<void>;
};

export async function createPostgresPlace(): Promise<PostgresPlace> {
  if (postgresBin === undefined)
    throw new Error('This machine has no PostgreSQL, and POSTGRES_BIN names none');
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-system-postgres-'));
  await chmod(folder, 0o755);
  await handOver(folder);
  const env = {
    ...{ PATH: `${postgresBin}:/usr/bin:/bin`, HOME: folder, LC_ALL: 'C' },
    PGPASSWORD: password,
  };
  const begun = new AsyncDisposableStack();
  begun.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));

  function start(command: string, variables: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawnWatched(...watched('/bin/sh', ['-c', command]), {
      ...user,
      env: { ...env, ...variables },
    });
    const exited = once(child, 'exit');
    begun.defer(async () => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGKILL');
      await exited;
    });
    return child;
  }

  async function run(command: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
    const child = spawn('/bin/sh', ['-ec', command], {
      ...{ ...user, cwd: folder, env: { ...env, ...variables } },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        printed += text;
      });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${command}\nended with ${code}:\n${printed}`);
    return printed;
  }

  return {
    folder,
    run,
    start,
    async create(name) {
      const passwordFile = join(folder, 'password');
      await writeFile(passwordFile, password);
      const cluster = join(folder, name);
      await run(`initdb -D ${cluster} -U postgres --pwfile=${passwordFile} -A scram-sha-256 -E UTF8`);
      const settings = `listen_addresses = '127.0.0.1'\nunix_socket_directories = '${folder}'\nfsync = off\n`;
      await appendFile(join(cluster, 'postgresql.conf'), settings);
    },
    async serve(name, port) {
      const at = port ?? (await reservePort());
      const child = start(`exec postgres -D ${join(folder, name)} -p ${at}`);
      const exited = once(child, 'exit');
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (text) => {
          said += text;
        });
      await eventually(() => {
        if (child.exitCode !== null) return;
        if (!/ready to accept (read-only )?connections/.test(said)) throw new Error(said);
      });
      if (child.exitCode !== null) throw new Error(`The server does not start:\n${said}`);
      return {
        port: at,
        url: urlAt(at),
        async kill() {
          // Each of them has a process group of its own.
          const children = await run(`pgrep -P ${child.pid}`);
          for (const pid of [child.pid ?? 0, ...children.trim().split('\n').map(Number)])
            await run(`kill -KILL ${pid}`).catch(() => undefined);
          await exited;
        },
      };
    },
    [Symbol.asyncDispose]: () => begun.disposeAsync(),
  };
}

/** Of the database `postgres`, as its superuser. */
export const urlAt = (port: number): string => `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;

/** A folder of the place, for what its servers and tools write. */
export async function folderIn({ folder }: PostgresPlace, name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  await handOver(path);
  return path;
}

/** The blocks of code below this heading of docs/operating.md, up to the next heading. */
export function documented(heading: string): string[] {
  const text = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split(new RegExp(`^#+ ${heading}$`, 'm'));
  const [own = ''] = section.split(/^#{2,} /m);
  return [...own.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, code = '']) => code);
}
