/** Starts a gateway in a process of its own and reads its reports of memory and connections. */
import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RedisConfig } from '../../src/config/config.ts';
import { compileCache } from '../support/compile-cache.ts';

const program = fileURLToPath(new URL('./inspected-gateway-program.ts', import.meta.url));

export type InspectedGatewayOptions = { databaseUrl: string; redis: RedisConfig };

export type InspectedGatewayReport =
  | { kind: 'LISTENING'; url: string }
  | ({ kind: 'MEMORY' } & Memory)
  /** Null if it is infinite. */
  | { kind: 'LATENESS'; allowance: number | null }
  /** The gateway closed the connection whose remote end has this port. */
  | { kind: 'GONE'; port: number };

/** Bytes after a garbage collection: of the whole process, and of its heap with external memory. */
export type Memory = { rss: number; heap: number };

export type InspectedGateway = {
  readonly url: string;
  memory(): Promise<Memory>;
  /** What a measurement must allow because this process ran late: as `LatenessMeter`. */
  latenessAllowance(): Promise<number>;
  /** Resolves when the gateway has closed the connection with this remote port. */
  gone(port: number | undefined): Promise<void>;
  /** Resolves when it logs a line with this text. */
  logged(text: string): Promise<void>;
  /** Stops it; rejects if it had ended before, or ends with an error. */
  dispose(): Promise<void>;
};

export async function startInspectedGateway(options: InspectedGatewayOptions): Promise<InspectedGateway> {
  const child = fork(program, [JSON.stringify(options)], {
    execArgv: ['--expose-gc'],
    env: { ...compileCache, PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const reports = new EventEmitter<{ report: [InspectedGatewayReport]; line: [string] }>();
  reports.setMaxListeners(0);
  const lines: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    if (output === null) continue;
    createInterface({ input: output }).on('line', (line) => {
      lines.push(line);
      reports.emit('line', line);
    });
  }
  child.on('message', (report) => void reports.emit('report', report as InspectedGatewayReport));
  const ended = once(child, 'exit').then(([code]): number | null => code);
  const died = ended.then((code): never => {
    throw new Error(`The gateway ended with ${code}:\n${lines.slice(-20).join('\n')}`);
  });
  died.catch(() => undefined);

  /** Resolves with the first result other than undefined that these functions return for a report or a line of the log. */
  async function first<Result>(choose: {
    report?(report: InspectedGatewayReport): Result | undefined;
    line?(line: string): Result | undefined;
  }): Promise<Result> {
    const chosen = Promise.withResolvers<Result>();
    const consider = (result: Result | undefined) => result !== undefined && chosen.resolve(result);
    const onReport = (report: InspectedGatewayReport) => consider(choose.report?.(report));
    const onLine = (line: string) => consider(choose.line?.(line));
    reports.on('report', onReport).on('line', onLine);
    try {
      return await Promise.race([chosen.promise, died]);
    } finally {
      reports.off('report', onReport).off('line', onLine);
    }
  }

  const url = await first({ report: (report) => (report.kind === 'LISTENING' ? report.url : undefined) });
  return {
    url,
    async memory() {
      const answer = first({ report: (report) => (report.kind === 'MEMORY' ? report : undefined) });
      child.send('MEMORY');
      return await answer;
    },
    async latenessAllowance() {
      const answer = first({ report: (report) => (report.kind === 'LATENESS' ? report : undefined) });
      child.send('LATENESS');
      return (await answer).allowance ?? Number.POSITIVE_INFINITY;
    },
    async gone(port) {
      await first({ report: (report) => (report.kind === 'GONE' && report.port === port) || undefined });
    },
    async logged(text) {
      await first({ line: (line) => line.includes(text) || undefined });
    },
    async dispose() {
      if (child.connected) child.send('STOP');
      const code = await ended;
      if (code !== 0) await died;
    },
  };
}
