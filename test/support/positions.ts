import type pg from 'pg';
import { expect } from 'vitest';
import { givePositions } from '../../src/audit/positions.ts';
import { eventually } from './eventually.ts';

/**
 * Gives positions to all entries of the audit log, at most so many at once, as the background job of a gateway does. Waits
 * for open transactions of the whole server: other tests have some.
 */
export async function giveAllPositions(pool: pg.Pool, atOnce = 1_000): Promise<void> {
  await eventually(async () => expect(await givePositions(pool, atOnce)).toMatchObject({ waiting: false }));
}

/** Waits until all entries have positions, which follow each other in each log in its order. */
export async function expectEveryPosition(pool: pg.Pool): Promise<void> {
  await eventually(async () => {
    const { rows } = await pool.query<{ wrong: number; entries: number }>(
      `SELECT count(*)::int AS entries, count(*) FILTER (WHERE position IS DISTINCT FROM expected)::int AS wrong
         FROM (SELECT position, row_number() OVER (PARTITION BY e.organization_id ORDER BY txid, seq) AS expected
                 FROM audit_entries e LEFT JOIN audit_positions USING (txid, seq)) AS positioned`,
    );
    expect(rows).toEqual([{ entries: expect.any(Number), wrong: 0 }]);
    expect(rows[0]?.entries).toBeGreaterThan(0);
  });
}
