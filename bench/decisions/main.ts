/** Compares the answers of Latchkey's decision point with a bare server's, round by round: docs/benchmarks.md. */
import { measureRow, say, withInfrastructure } from '../realtime/rounds.ts';
import { tableOf } from '../realtime/table.ts';
import { decisions } from './rows.ts';

const rounds = 3;

await withInfrastructure(async (infrastructure) => {
  const samples = await measureRow(infrastructure, decisions, { rounds });
  say(`\nMedians of ${rounds} rounds\n`);
  for (const line of tableOf(decisions, samples)) say(line);
});
