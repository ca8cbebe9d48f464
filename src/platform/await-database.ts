import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from './logger.ts';
import { connectAtStart, type DatabaseVariable } from './startup-connection.ts';
import { StartupError } from './startup-error.ts';

/** Milliseconds from one attempt to connect to the next, and from one line of the log to the next. */
const attemptInterval = 500;
const lineInterval = 10_000;

/**
 * Waits until the database takes writes: it may start together with the gateway, be in recovery, or be a standby. A refused login or
 * a database that does not exist is a mistake, for which it does not wait.
 *
 * @throws StartupError if that takes longer than `patienceMs` milliseconds, or the signal is aborted
 */
export async function awaitDatabase(
  databaseUrl: string,
  options: {
    variable: DatabaseVariable;
    patienceMs: number;
    logger: Logger;
    signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { variable, patienceMs, logger, signal } = options;
  const giveUpAt = performance.now() + patienceMs;
  let nextLineAt = 0;
  for (;;) {
    try {
      const client = await connectAtStart(databaseUrl, variable);
      await requireWrites(client, variable).finally(() => client.end());
      return;
    } catch (error) {
      const msLeft = giveUpAt - performance.now();
      if (signal?.aborted === true || msLeft <= 0 || !mayPass(error)) throw error;
      if (performance.now() >= nextLineAt) {
        nextLineAt = performance.now() + lineInterval;
        logger.warn(
          { reason: error instanceof Error ? error.message : String(error) },
          `The gateway waits for its database, for ${Math.ceil(msLeft / 1_000)} s at most`,
        );
      }
      await wait(attemptInterval, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }
}

/** @throws StartupError if the server takes no writes: a failover may be under way */
async function requireWrites(client: pg.Client, variable: DatabaseVariable): Promise<void> {
  const { rows } = await client.query(`SELECT current_setting('transaction_read_only') AS read_only`);
  if (rows[0]?.read_only !== 'on') return;
  throw new StartupError(
    `The database is read-only, as a standby or a demoted primary is: promote it, or correct ${variable}.`,
    { cause: new Error('read-only') },
  );
}

/**
 * Whether an error of connecting may pass: the server is not there yet, does not answer, or takes no logins or no writes
 * yet.
 */
function mayPass(error: unknown): boolean {
  if (!(error instanceof StartupError)) return false;
  const { cause } = error;
  const [first] = cause instanceof AggregateError ? cause.errors : [cause];
  const code = first instanceof Error && 'code' in first ? String(first.code) : '';
  // 57P03: the server starts. Without a code: it did not answer in time, has ended the connection, or is read-only.
  return code === '' || /^(E[A-Z_]+|57P03|53300)$/.test(code);
}
