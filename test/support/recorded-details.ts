import type pg from 'pg';
import { expect } from 'vitest';
import { type PositionedEntry, recordOf } from '../../src/audit/record.ts';
import { problemsOf } from '../../src/audit/record-schema.ts';
import { entryColumns } from '../../src/audit/store.ts';

/** Expects the record of every entry in the database to be as docs/audit-record.schema.json says. */
export async function expectDocumentedRecords(pool: Pick<pg.Pool, 'query'>): Promise<void> {
  const { rows } = await pool.query<PositionedEntry>(
    `SELECT 1 AS position, ${entryColumns} FROM audit_entries AS e`,
  );
  expect(rows.length).toBeGreaterThan(0);
  expect([...new Set(rows.flatMap((row) => problemsOf(recordOf(row))))]).toEqual([]);
}
