/** Measures the answers of Latchkey's decision point, and compares them with a bare server's: docs/benchmarks.md. */
import { runBenchmark } from '../realtime/command-line.ts';
import { decisions } from './rows/decisions.ts';
import { growthTo } from './rows/growth.ts';
import { revoke, revokeWithoutRedis } from './rows/revoke.ts';

await runBenchmark(({ isFull }) => [
  decisions,
  growthTo(isFull ? { grants: 1_000_000, entries: 10_000_000 } : { grants: 100_000, entries: 1_000_000 }),
  revoke,
  revokeWithoutRedis,
]);
