import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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

export type RedisServerOptions = {
  /** Starts at the address of a server that was stopped. */
  port?: number;
  /** It answers only by TLS, with this certificate and key. */
  tls?: { certificate: string; key: string };
  /** It asks for this password. */
  password?: string;
};

/** Starts a Redis server for the caller. */
export async function startRedisServer(
  program: FoundProgram,
  options: RedisServerOptions = {},
): Promise<RedisServer> {
  if ('missing' in program) throw new Error(program.missing);
  const port = options.port ?? (await reservePort());
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-redis-'));
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  if (options.password !== undefined) settings.push('--requirepass', options.password);
  const listening =
    options.tls === undefined ? ['--port', String(port)] : await byTls(port, folder, options.tls);
  const server = spawnWatched(...watched(program.path, [...listening, ...settings]), {
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

/** The settings of a server that answers only by TLS: Redis reads the certificate from files. */
async function byTls(
  port: number,
  folder: string,
  { certificate, key }: { certificate: string; key: string },
): Promise<string[]> {
  const [certificateFile, keyFile] = [join(folder, 'server.crt'), join(folder, 'server.key')];
  await writeFile(certificateFile, certificate);
  await writeFile(keyFile, key);
  const files = [
    '--tls-cert-file',
    certificateFile,
    '--tls-key-file',
    keyFile,
    '--tls-ca-cert-file',
    certificateFile,
  ];
  return ['--port', '0', '--tls-port', String(port), ...files, '--tls-auth-clients', 'no'];
}
