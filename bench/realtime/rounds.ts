import type { Infrastructure } from './infrastructure.ts';
import type { Row, Sample } from './rows/row.ts';
import type { ServerName } from './servers.ts';
import type { Samples } from './table.ts';

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
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
  return samples;
}
