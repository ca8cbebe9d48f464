import type pg from 'pg';
import { deleteEventsBefore, keptFromId } from '../../src/events/outbox.ts';
import { generousMs } from './deadlines.ts';

/**
 * Deletes every event, as their retention does. Events stay while a transaction is open that began before they were
 * written, in any database of the server: so this repeats until none is left.
 */
export async function deleteAllEvents(sql: pg.Pool): Promise<void> {
  const inAMinute = new Date(Date.now() + 60_000);
  const deadline = Date.now() + generousMs;
  for (;;) {
    await deleteEventsBefore(sql, inAMinute, 1_000);
    const { rows } = await sql.query('SELECT 1 FROM events WHERE id <> $1 LIMIT 1', [keptFromId]);
    if (rows.length === 0) return;
    if (Date.now() > deadline)
      throw new Error('An older transaction is still open: the events cannot be deleted.');
  }
}
