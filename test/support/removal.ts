import type pg from 'pg';

/** Leaves the log of an organization as it is once its oldest entries were removed, up to a position: `test/audit/removals.test.ts`. */
export async function removeThrough(pool: pg.Pool, organizationId: string, position: number): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN; SET LOCAL session_replication_role = replica');
    await client.query(
      `INSERT INTO audit_removals (organization_id, removed_through, removed_until, removed_at, unrecorded, looked_at)
       SELECT $1, $2, max(occurred_at), clock_timestamp(), 0, clock_timestamp()
         FROM audit_entries JOIN audit_positions AS given USING (txid, seq)
        WHERE given.organization_id = $1 AND position <= $2
           ON CONFLICT (organization_id) DO UPDATE
          SET removed_through = excluded.removed_through, removed_until = excluded.removed_until`,
      [organizationId, position],
    );
    await client.query(
      `DELETE FROM audit_entries AS entry USING audit_positions AS given
        WHERE given.organization_id = $1 AND position <= $2 AND given.txid = entry.txid AND given.seq = entry.seq`,
      [organizationId, position],
    );
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}
