/** Deadlines and limits for tests that do not test them: so long that no machine is too slow, and more than any test needs. */
import type { Limits } from '../../src/http/limits.ts';
import type { DatabaseDeadlines } from '../../src/platform/database.ts';
import { defaultQuotas, type Quotas } from '../../src/platform/quotas.ts';

export const generousMs = 240_000;

export const generousDatabaseDeadlines: Partial<DatabaseDeadlines> = {
  connectionMs: generousMs,
  statementMs: generousMs,
  answerMs: generousMs,
  idleInTransactionMs: generousMs,
  transactionMs: generousMs,
};

/** For clients and requests. */
export const generousLimits: Partial<Limits> = {
  operationMs: generousMs,
  connectionInitMs: generousMs,
  requestHeadersMs: generousMs,
  requestMs: generousMs,
  readinessCheckMs: generousMs,
  // No proxy sends requests while a test stops its gateway.
  drainIdleMs: 0,
  turnMs: generousMs,
  ratePerAccount: 1_000_000,
  ratePerOrganization: 1_000_000,
};

export const generousQuotas = Object.fromEntries(
  Object.keys(defaultQuotas).map((name) => [name, 1_000_000]),
) as Quotas;
