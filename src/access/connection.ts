/** What evaluations use of a connection to PostgreSQL: prepared statements, in one transaction. */
import type pg from 'pg';
import type { Database } from '../platform/database.ts';

/** A connection within a transaction. */
export type Connection = Pick<pg.PoolClient, 'query'>;

/** A statement that each connection prepares once. */
export type Statement = { readonly name: string; readonly text: string };

export async function run<Row extends object>(
  connection: Connection,
  statement: Statement,
  values: unknown[],
): Promise<pg.QueryResult<Row>> {
  return await connection.query<Row>({ ...statement, values });
}

/**
 * Planning costs as much as the reads themselves, so each connection plans once. It may do so while the tables are
 * almost empty: without sequential scans, the plan uses the indexes and stays good when they have grown.
 */
const begin = 'BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off';

/** Commits when the work's promise resolves, rolls back when it rejects. As `Database.transaction`, without Prisma. */
export async function inTransaction<T>(
  pool: Database['pool'],
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await pool.connect();
  try {
    await connection.query(begin);
    const result = await work(connection);
    await connection.query('COMMIT');
    connection.release();
    return result;
  } catch (error) {
    await connection.query('ROLLBACK').then(
      () => connection.release(),
      () => connection.release(true),
    );
    throw error;
  }
}
