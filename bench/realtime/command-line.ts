/** The command line of a benchmark: rows by name, how many rounds, and which servers. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chartOf } from './chart.ts';
import { type Measured, reportOf } from './report.ts';
import { measureRow, say, withInfrastructure } from './rounds.ts';
import type { Row } from './rows/row.ts';
import { serverNames } from './servers.ts';
import { tableOf } from './table.ts';

/** `isFull`, with `--full`: rows that have a larger size are measured at that. `isQuick`, with `--quick`: for a shorter time. */
export type Extent = {
  readonly isFull: boolean;
  readonly isQuick: boolean;
  /** The flags of this benchmark alone, as they were given. */
  readonly flags: Readonly<Record<string, string | undefined>>;
};

/**
 * Measures the rows that the command line names, or all, and prints the medians. `--json` writes them to a file with what
 * they were measured on, and `--chart` draws them as SVG.
 *
 * @param postgresSettings of the server that all measured servers share
 * @param ownFlags the names of flags of this benchmark alone
 */
export async function runBenchmark(
  rowsOf: (extent: Extent) => readonly Row[],
  postgresSettings: Readonly<Record<string, string>> = {},
  ownFlags: readonly string[] = [],
): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      servers: { type: 'string' },
      full: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      chart: { type: 'string' },
      ...Object.fromEntries(ownFlags.map((name) => [name, { type: 'string' as const }])),
    },
  });
  const given: Readonly<Record<string, unknown>> = values;
  const flags = Object.fromEntries(ownFlags.map((name) => [name, textOf(given[name])]));
  const rows = rowsOf({ isFull: values.full, isQuick: values.quick, flags });
  const wantedRows = positionals.length === 0 ? rows : positionals.map((name) => chosen(name, rows));
  const servers = values.servers?.split(',').map((name) => {
    const server = serverNames.find((known) => known === name);
    return server ?? wrong(`There is no server ${name}: ${serverNames.join(', ')}`);
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (!Number.isSafeInteger(rounds) || rounds < 1) wrong('--rounds must be a whole number from 1 on');

  await withInfrastructure(postgresSettings, async (infrastructure) => {
    const begun = performance.now();
    const measured: Measured[] = [];
    for (const row of wantedRows)
      measured.push({ row, samples: await measureRow(infrastructure, row, { rounds, servers }) });
    say(`\nMedians of ${rounds} rounds, in ${((performance.now() - begun) / 60_000).toFixed(1)} minutes\n`);
    for (const { row, samples } of measured) for (const line of tableOf(row, samples)) say(line);
    const report = reportOf(measured, { rounds, versions: infrastructure.versions });
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    if (values.chart !== undefined) await writeFile(values.chart, chartOf(report));
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function chosen(name: string, among: readonly Row[]): Row {
  return (
    among.find((row) => row.name === name) ??
    wrong(`There is no row ${name}: ${among.map((row) => row.name).join(', ')}`)
  );
}

function wrong(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
