import type pg from 'pg';
import { expect } from 'vitest';
import { type PositionedEntry, recordOf } from '../../src/audit/record.ts';
import { problemsOf } from '../../src/audit/record-schema.ts';
import { entryColumns } from '../../src/audit/store.ts';

/**
 * Expects the record of every entry in the database to be as docs/audit-record.schema.json says, with the names of the site and
 * the ticket that it is about.
 */
export async function expectDocumentedRecords(pool: Pick<pg.Pool, 'query'>): Promise<void> {
  const { rows } = await pool.query<PositionedEntry>(
    `SELECT 1 AS position, ${entryColumns} FROM audit_entries AS e`,
  );
  expect(rows.length).toBeGreaterThan(0);
  expect([...new Set(rows.flatMap((row) => problemsOf(recordOf(row))))]).toEqual([]);
  const { rows: misnamed } = await pool.query(
    `SELECT e.action, e.site_url, e.ticket_key FROM audit_entries AS e
       LEFT JOIN sites AS site ON site.id = e.site_id LEFT JOIN tickets AS ticket ON ticket.id = e.ticket_id
      WHERE e.site_url IS DISTINCT FROM site.url OR e.ticket_key IS DISTINCT FROM ticket.key`,
  );
  expect(misnamed).toEqual([]);
}
