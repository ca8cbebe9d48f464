/** Compares the delivery of events by Latchkey and other servers, round by round on one machine: docs/benchmarks.md. */
import { parseArgs } from 'node:util';
import { measureRow, say, withInfrastructure } from './rounds.ts';
import { cpu } from './rows/cpu.ts';
import { fanOut } from './rows/fan-out.ts';
import { latency, ownCommits } from './rows/latency.ts';
import { memory } from './rows/memory.ts';
import { revoke } from './rows/revoke.ts';
import type { Row } from './rows/row.ts';
import { writes } from './rows/writes.ts';
import { serverNames } from './servers.ts';
import { tableOf } from './table.ts';

const rows: readonly Row[] = [latency, ownCommits, cpu, fanOut, memory, writes, revoke];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, servers: { type: 'string' } },
});
const wantedRows = positionals.length === 0 ? rows : positionals.map((name) => chosen('row', name, rows));
const wantedServers = values.servers?.split(',').map((name) => {
  const server = serverNames.find((known) => known === name);
  return server ?? wrong(`There is no server ${name}: ${serverNames.join(', ')}`);
});
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) wrong('--rounds must be a whole number from 1 on');

function chosen(kind: string, name: string, among: readonly Row[]): Row {
  return (
    among.find((row) => row.name === name) ??
    wrong(`There is no ${kind} ${name}: ${among.map((row) => row.name).join(', ')}`)
  );
}

function wrong(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

await withInfrastructure(async (infrastructure) => {
  const begun = performance.now();
  const tables: string[] = [];
  for (const row of wantedRows) {
    const samples = await measureRow(infrastructure, row, { rounds, servers: wantedServers });
    tables.push(...tableOf(row, samples));
  }
  say(`\nMedians of ${rounds} rounds, in ${((performance.now() - begun) / 60_000).toFixed(1)} minutes\n`);
  for (const line of tables) say(line);
});
