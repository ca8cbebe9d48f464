/** Measures what people read from Latchkey, compared with other servers on the same tables, and how long a bulk takes: docs/benchmarks.md. */
import { installPackages } from '../../test/support/install-packages.ts';
import { runBenchmark } from '../realtime/command-line.ts';
import { peersFolder } from '../realtime/peers.ts';
import { bulk } from './rows/bulk.ts';
import { decideOf } from './rows/decide.ts';
import { readsOf } from './rows/reads.ts';

installPackages(peersFolder);
await runBenchmark(
  ({ isFull, isQuick }) => [
    readsOf(
      isFull ? { grants: 1_000_000, entries: 3_000_000 } : { grants: 10_000, entries: 100_000 },
      isQuick,
    ),
    decideOf(isQuick),
    bulk,
  ],
  // For the number of statements. It costs all servers the same.
  { shared_preload_libraries: 'pg_stat_statements' },
);
