import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import type { FoundProgram } from './find-program.ts';
import { reservePort } from './ports.ts';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Closes every connection and loses all data. May be called again. */
  stop(): Promise<void>;
}

/** Starts a Redis server for the caller. With `port`, it starts at the address of a server that was stopped. */
export async function startRedisServer(
  program: FoundProgram,
  options: { port?: number } = {},
): Promise<RedisServer> {
  if ('missing' in program) throw new Error(program.missing);
  const port = options.port ?? (await reservePort());
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
