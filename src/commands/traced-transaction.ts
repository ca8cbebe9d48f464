import { withLastSpan } from '../metrics/spans.ts';
import type { Database, Transaction } from '../platform/database.ts';

/** Runs the work in a transaction, whose commit has a span of its own. Once the signal is aborted, it sends nothing more. */
export function tracedTransaction<T>(
  database: Database,
  work: (tx: Transaction) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return withLastSpan('commit', (beginCommit) =>
    database.transaction(async (tx) => {
      const result = await work(tx);
      beginCommit();
      return result;
    }, signal),
  );
}
