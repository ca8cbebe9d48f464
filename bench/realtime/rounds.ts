import { availableParallelism, cpus, totalmem } from 'node:os';
import { type Infrastructure, startInfrastructure } from './infrastructure.ts';
import { killAllProcesses } from './processes.ts';
import type { Row, Sample } from './rows/row.ts';
import type { ServerName } from './servers.ts';
import type { Samples } from './table.ts';

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What a benchmark runs on. */
export function machineFacts(): { cores: number; processor: string; memoryGiB: number; node: string } {
  return {
    ...{ cores: availableParallelism(), processor: cpus()[0]?.model ?? 'unknown' },
    ...{ memoryGiB: Math.round(totalmem() / 2 ** 30), node: process.version },
  };
}

/** Runs a benchmark on servers that are stopped afterwards, also at SIGINT and SIGTERM. Prints what it runs on. */
export async function withInfrastructure(
  postgresSettings: Readonly<Record<string, string>>,
  work: (infrastructure: Infrastructure) => Promise<void>,
): Promise<void> {
  await using running = new AsyncDisposableStack();
  const end = (): void => {
    killAllProcesses();
    void running.disposeAsync().finally(() => process.exit(130));
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);

  const infrastructure = running.use(await startInfrastructure(postgresSettings));
  const { cores, processor, node } = machineFacts();
  say(`${cores} cores (${processor}), Node ${node}, ${infrastructure.versions}`);
  await work(infrastructure);
}

/** Measures all servers in each round, so that other load on the machine affects all of them equally. */
export async function measureRow(
  infrastructure: Infrastructure,
  row: Row,
  wanted: { rounds: number; servers?: readonly ServerName[] | undefined },
): Promise<Samples> {
  const samples = new Map<ServerName, Sample[]>();
  const servers = row.servers.filter((server) => wanted.servers?.includes(server) ?? true);
  for (let round = 1; round <= wanted.rounds; round += 1) {
    for (const server of servers) {
      const sample = await row.measure(infrastructure, server).catch(
        (error: unknown): Sample => ({
          figures: {},
          faults: [error instanceof Error ? error.message : String(error)],
        }),
      );
      samples.set(server, [...(samples.get(server) ?? []), sample]);
      const found = row.figures.map(
        ({ name, digits }) => `${name} ${sample.figures[name]?.toFixed(digits) ?? '–'}`,
      );
      say(
        `  ${row.name}, round ${round}, ${server}: ${[...found, ...sample.faults.map((fault) => `! ${fault}`)].join('  ')}`,
      );
    }
  }
  // A server that fails is a result. If no server has any figure, the benchmark itself failed.
  const hasFigures = [...samples.values()].flat().some(({ figures }) => Object.keys(figures).length > 0);
  if (!hasFigures) process.exitCode = 1;
  return samples;
}
