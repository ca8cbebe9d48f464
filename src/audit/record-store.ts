import type pg from 'pg';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import { type AuditRecord, type PositionedEntry, recordOf } from './record.ts';
import { entryColumns } from './store.ts';

/** The most records that are read at once. */
const mostRecords = 1_000;

/**
 * The records of a log after a position, in its order: at most `limit`, and never more than `mostRecords`. Only entries with
 * positions have records. Fewer than `limit`: these are all there are by now.
 *
 * One statement, planned for its values each time: a plan for any limit would expect a tenth of the log.
 *
 * @param organizationId null, or the vendor's organization: the vendor's own log
 * @param after 0: from the first one
 */
export async function readRecords(
  pool: Pick<pg.Pool, 'query'>,
  organizationId: string | null,
  after: number,
  limit: number,
): Promise<AuditRecord[]> {
  const { rows } = await pool.query<Omit<PositionedEntry, 'position'> & { position: string }>(recordsSql, [
    organizationId ?? vendorOrganizationId,
    after,
    Math.min(limit, mostRecords),
  ]);
  return rows.map((row) => recordOf({ ...row, position: Number(row.position) }));
}

/** The positions come first, from their key: whatever the planner knows of the entries, it reads no more of these. */
export const recordsSql = `
  WITH page AS MATERIALIZED (
    SELECT position, txid, seq FROM audit_positions WHERE organization_id = $1::uuid AND position > $2::bigint
     ORDER BY position LIMIT $3::int)
  SELECT page.position, ${entryColumns}
    FROM page JOIN audit_entries AS e ON e.txid = page.txid AND e.seq = page.seq ORDER BY page.position`;
