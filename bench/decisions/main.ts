/** Compares the answers of Latchkey's decision point with a bare server's, round by round: docs/benchmarks.md. */
import { availableParallelism, cpus } from 'node:os';
import { startInfrastructure } from '../realtime/infrastructure.ts';
import { killAllProcesses } from '../realtime/processes.ts';
import { measureRow, say } from '../realtime/rounds.ts';
import { tableOf } from '../realtime/table.ts';
import { decisions } from './rows.ts';

const rounds = 3;

await using running = new AsyncDisposableStack();
const end = (): void => {
  killAllProcesses();
  void running.disposeAsync().finally(() => process.exit(130));
};
process.once('SIGINT', end);
process.once('SIGTERM', end);

const infrastructure = running.use(await startInfrastructure());
say(
  `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.version}, ${infrastructure.versions}`,
);
const samples = await measureRow(infrastructure, decisions, { rounds });
say(`\nMedians of ${rounds} rounds\n`);
for (const line of tableOf(decisions, samples)) say(line);
if (![...samples.values()].flat().some(({ figures }) => Object.keys(figures).length > 0))
  process.exitCode = 1;
