import pg from 'pg';
import { type AppendedEvents, appendEvents } from '../../../src/events/outbox.ts';
import { type Addressed, envelopeOf } from '../events.ts';

const connections = 8;

/** Commits events to the table, each call in its own transaction. */
export async function openEventTable(
  databaseUrl: string,
): Promise<{ commit(events: readonly Addressed[]): Promise<AppendedEvents | null>; concurrency: number }> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  pool.on('error', () => undefined);
  await Promise.all(Array.from({ length: connections }, () => pool.query('SELECT 1')));
  // Without an explicit transaction, each statement is a transaction.
  const writer = {
    $queryRawUnsafe: async <Rows>(text: string, ...values: unknown[]) =>
      (await pool.query({ name: 'append', text, values })).rows as Rows,
  };
  return { commit: (events) => appendEvents(writer, events.map(envelopeOf)), concurrency: connections };
}
