/** Deadlines for tests that are about something else: no machine is so slow that they are reached. */
import type { DatabaseDeadlines } from '../../src/platform/database.ts';

export const generousMs = 240_000;

export const generousDatabaseDeadlines: Partial<DatabaseDeadlines> = {
  connectionMs: generousMs,
  statementMs: generousMs,
  answerMs: generousMs,
  idleInTransactionMs: generousMs,
  transactionMs: generousMs,
};
