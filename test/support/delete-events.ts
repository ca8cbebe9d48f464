import type pg from 'pg';
import { expect } from 'vitest';
import { deleteEventsBefore, keptFromId } from '../../src/events/outbox.ts';
import { eventually } from './eventually.ts';

/**
 * Deletes every event, as their retention does. Events stay while a transaction is open that began before they were
 * written, in any database of the server: so this repeats until none is left.
 */
export async function deleteAllEvents(sql: pg.Pool): Promise<void> {
  const inAMinute = new Date(Date.now() + 60_000);
  await eventually(async () => {
    await deleteEventsBefore(sql, inAMinute, 1_000);
    const { rows } = await sql.query('SELECT id FROM events WHERE id <> $1 LIMIT 1', [keptFromId]);
    expect(rows).toEqual([]);
  });
}
