/** The connections of evaluations to PostgreSQL: a transaction of theirs takes two round trips. */
import type pg from 'pg';
import { type Database, type DatabaseOptions, openDatabase } from '../platform/database.ts';
import { sendTogether } from '../platform/pg-connection.ts';

/** Transactions at a time of one gateway. */
export const connections = 4;

/**
 * Opens the connections of evaluations. They are no others, so that an evaluation never waits for a command.
 *
 * Planning costs as much as the reads themselves, so each connection plans once. It may do so while the tables are
 * almost empty: without sequential scans, the plan uses the indexes and stays good when they have grown.
 */
export function openEvaluationDatabase(options: Omit<DatabaseOptions, 'poolSize' | 'settings'>): Database {
  return openDatabase({
    ...options,
    poolSize: connections,
    settings: { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off' },
    deadlines: { idleInTransactionMs, ...options.deadlines },
  });
}

/**
 * A gateway that stands still in a transaction, as one that its host has stopped, loses its locks after these
 * milliseconds: well before the command that waits for them gives up.
 */
const idleInTransactionMs = 750;

/** A statement that each connection prepares once. */
export type Statement = { readonly name: string; readonly text: string };

/** What statements that are sent together need of a transaction. */
export type Connection = {
  /** Sends a statement. Those that are sent before the first of them has answered share a round trip, in their order. */
  run<Row extends object>(statement: Statement, values: unknown[]): Promise<pg.QueryResult<Row>>;
  /** Sends the last statement, and commits with it. */
  commitWith(statement: Statement, values: unknown[]): Promise<void>;
};

/**
 * Commits when the work's promise resolves, rolls back when it rejects. BEGIN is sent together with the statements that
 * the work sends at once. As `Database.transaction`, without Prisma.
 */
export async function inTransaction<T>(
  pool: Database['pool'],
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let isCommitted = false;
  const commit = async (): Promise<void> => {
    isCommitted = true;
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`);
  };
  const connection: Connection = {
    run: (statement, values) => client.query({ ...statement, values }),
    async commitWith(statement, values) {
      await sendTogether(client, () => Promise.all([client.query({ ...statement, values }), commit()]));
    },
  };
  try {
    const [, result] = await sendTogether(client, () =>
      Promise.all([client.query('BEGIN'), work(connection)]),
    );
    if (!isCommitted) await commit();
    client.release();
    return result;
  } catch (error) {
    await client.query('ROLLBACK').then(
      () => client.release(),
      () => client.release(true),
    );
    throw error;
  }
}
