/** A gateway as its operator runs it: a process that can be told to stop, killed, and started again. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../src/platform/embedded-postgres.ts';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export type GatewayProcess = {
  /** Of its present life; another after every start. */
  readonly port: number;
  readonly isRunning: boolean;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** `kill -9`. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves when it is gone. */
  terminate(): Promise<{ code: number | null; tookMs: number }>;
  /** Kills it; rejects if it ended by itself before. */
  dispose(): Promise<void>;
};

type Life = {
  readonly port: number;
  readonly gone: Promise<number | null>;
  signal(name: NodeJS.Signals): void;
};

/** @param environment everything it is configured with, its port excepted */
export async function startGatewayProcess(
  environment: Readonly<Record<string, string>>,
): Promise<GatewayProcess> {
  const mishaps: string[] = [];
  let life: Life | undefined;
  let port = 0;

  async function start(): Promise<void> {
    port = await findFreePort();
    const child = spawnWatched(...watched(process.execPath, [main]), {
      env: { ...environment, PORT: String(port), NODE_ENV: 'production', LOG_LEVEL: 'info' },
    });
    const listening = Promise.withResolvers<void>();
    const said: string[] = [];
    for (const output of [child.stdout, child.stderr]) {
      if (output === null) continue;
      createInterface({ input: output }).on('line', (line) => {
        if (process.env['TEST_LOG'] !== undefined) process.stderr.write(`${line}\n`);
        said.push(line);
        if (said.length > 20) said.shift();
        if (line.includes('Latchkey is running')) listening.resolve();
      });
    }
    let wasTold = false;
    const gone = once(child, 'close').then(([code]): number | null => {
      if (life === begun) life = undefined;
      if (!wasTold) mishaps.push(`The gateway ended by itself, with ${code}:\n${said.join('\n')}`);
      listening.reject(new Error(`The gateway did not start:\n${said.join('\n')}`));
      return code;
    });
    const begun: Life = {
      port,
      gone,
      signal(name) {
        wasTold = true;
        child.kill(name);
      },
    };
    await listening.promise;
    life = begun;
  }

  async function end(name: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
    if (life === undefined) throw new Error('The gateway is not running');
    const ending = life;
    life = undefined;
    const since = performance.now();
    ending.signal(name);
    return { code: await ending.gone, tookMs: performance.now() - since };
  }

  await start();
  return {
    get port() {
      return port;
    },
    get isRunning() {
      return life !== undefined;
    },
    start,
    async kill() {
      await end('SIGKILL');
    },
    terminate: () => end('SIGTERM'),
    async dispose() {
      if (life !== undefined) await end('SIGKILL');
      if (mishaps.length > 0) throw new Error(mishaps.join('\n'));
    },
  };
}
