import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findFreePort } from '../../src/platform/embedded-postgres.ts';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';

const run = promisify(execFile);

/** The path of the Redis server, or the error message if there is none. */
export type RedisProgram = { readonly path: string } | { readonly missing: string };

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Closes every connection and loses all data. May be called again. */
  stop(): Promise<void>;
}

/** Starts a Redis server for the caller. With `port`, it starts at the address of a server that was stopped. */
export async function startRedisServer(
  program: RedisProgram,
  options: { port?: number } = {},
): Promise<RedisServer> {
  if ('missing' in program) throw new Error(program.missing);
  const port = options.port ?? (await findFreePort());
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-redis-'));
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const server = spawnWatched(...watched(program.path, ['--port', String(port), ...settings]), {
    env: { PATH: '/usr/bin:/bin' },
  });
  const exited = once(server, 'exit');
  const said: string[] = [];
  await new Promise<void>((ready, failed) => {
    server.once('error', failed);
    server.once('exit', () => failed(new Error(`redis-server did not start: ${said.join('\n')}`)));
    for (const output of [server.stdout, server.stderr]) {
      if (output === null) continue;
      createInterface({ input: output }).on('line', (line) => {
        said.push(line);
        if (line.includes('Ready to accept connections')) ready();
      });
    }
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async stop() {
      if (server.exitCode === null && server.signalCode === null) server.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Finds the Redis server of this machine, and installs it with apt where that is possible. */
export async function findRedis(named: string | undefined): Promise<RedisProgram> {
  const path = named ?? 'redis-server';
  if (await answers(path)) return { path };
  if (named !== undefined) return { missing: `REDIS_SERVER names ${named}, which does not run.` };
  if (process.getuid?.() === 0 && (await answers('apt-get'))) {
    const install = [
      'install',
      '-y',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=120',
      'redis-server',
    ];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    try {
      await run('apt-get', install, { env, timeout: 240_000 }).catch(async () => {
        await run('apt-get', ['update'], { env, timeout: 120_000 });
        await run('apt-get', install, { env, timeout: 240_000 });
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { missing: `redis-server is not installed, and apt-get could not install it: ${reason}` };
    }
    if (await answers(path)) return { path };
  }
  return {
    missing:
      'A real Redis is needed: install redis-server so that it is on the PATH, or name it in REDIS_SERVER.',
  };
}

async function answers(program: string): Promise<boolean> {
  return run(program, ['--version']).then(
    () => true,
    () => false,
  );
}
