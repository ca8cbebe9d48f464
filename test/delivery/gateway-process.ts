/** A gateway process that can be paused, stopped, killed and started again. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import { compileCache } from '../support/compile-cache.ts';
import { generousQuotas } from '../support/deadlines.ts';
import { reservePort } from '../support/ports.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export type GatewayProcess = {
  /** Different after every start. */
  readonly port: number;
  readonly isRunning: boolean;
  readonly isPaused: boolean;
  /** Resolves when it listens. */
  start(): Promise<void>;
  /** `kill -9`. Resolves when it has exited. */
  kill(): Promise<void>;
  /** SIGSTOP: it keeps its connections and locks, and does nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGTERM. Resolves when it has exited. */
  terminate(): Promise<{ code: number | null; tookMs: number }>;
  /** Kills it; rejects if it had ended by itself. */
  dispose(): Promise<void>;
};

type RunningProcess = {
  readonly port: number;
  readonly exited: Promise<number | null>;
  isPaused: boolean;
  /** With a signal that does not end it, an end is still a crash. */
  signal(name: NodeJS.Signals, endsIt: boolean): void;
};

const quotas = Object.entries(generousQuotas)
  .map(([name, most]) => `${name}=${most}`)
  .join();

/** @param environment its whole configuration except the port and the quotas */
export async function startGatewayProcess(
  environment: Readonly<Record<string, string>>,
): Promise<GatewayProcess> {
  const crashes: string[] = [];
  let current: RunningProcess | undefined;
  let port = 0;

  async function start(): Promise<void> {
    port = await reservePort();
    const child = spawnWatched(...watched(process.execPath, [main]), {
      env: {
        ...{ QUOTAS: quotas, ...compileCache, ...environment },
        ...{ PORT: String(port), NODE_ENV: 'production', LOG_LEVEL: 'info' },
      },
    });
    const listening = Promise.withResolvers<void>();
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        if (process.env['TEST_LOG'] !== undefined) process.stderr.write(`${line}\n`);
        output.push(line);
        if (output.length > 20) output.shift();
        if (line.includes('Latchkey is running')) listening.resolve();
      });
    }
    let wasSignalled = false;
    const exited = once(child, 'close').then(([code]): number | null => {
      if (current === started) current = undefined;
      if (!wasSignalled) crashes.push(`The gateway ended by itself, with ${code}:\n${output.join('\n')}`);
      listening.reject(new Error(`The gateway did not start:\n${output.join('\n')}`));
      return code;
    });
    const started: RunningProcess = {
      port,
      exited,
      isPaused: false,
      signal(name, endsIt) {
        wasSignalled ||= endsIt;
        child.kill(name);
      },
    };
    await listening.promise;
    current = started;
  }

  async function end(name: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }> {
    if (current === undefined) throw new Error('The gateway is not running');
    const ending = current;
    current = undefined;
    const since = performance.now();
    ending.signal(name, true);
    return { code: await ending.exited, tookMs: performance.now() - since };
  }

  function setPaused(isPaused: boolean): void {
    if (current === undefined) throw new Error('The gateway is not running');
    current.isPaused = isPaused;
    current.signal(isPaused ? 'SIGSTOP' : 'SIGCONT', false);
  }

  await start();
  return {
    get port() {
      return port;
    },
    get isRunning() {
      return current !== undefined;
    },
    get isPaused() {
      return current?.isPaused === true;
    },
    start,
    async kill() {
      await end('SIGKILL');
    },
    pause: () => setPaused(true),
    resume: () => setPaused(false),
    terminate: () => end('SIGTERM'),
    async dispose() {
      if (current !== undefined) await end('SIGKILL');
      if (crashes.length > 0) throw new Error(crashes.join('\n'));
    },
  };
}
