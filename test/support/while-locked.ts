import type pg from 'pg';

/** Runs the work while somebody else has the lock on the ticket. */
export async function whileLocked<T>(sql: pg.Pool, ticketId: string, work: () => Promise<T>): Promise<T> {
  const holder = await sql.connect();
  try {
    await holder.query('BEGIN');
    const [, id] = Buffer.from(ticketId, 'base64').toString().split(':');
    await holder.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 2))', [id]);
    return await work();
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
}
