/** Deadlines for tests that do not test deadlines: so long that no machine is too slow. */
import type { DatabaseDeadlines } from '../../src/platform/database.ts';

export const generousMs = 240_000;

export const generousDatabaseDeadlines: Partial<DatabaseDeadlines> = {
  connectionMs: generousMs,
  statementMs: generousMs,
  answerMs: generousMs,
  idleInTransactionMs: generousMs,
  transactionMs: generousMs,
};
