import type pg from 'pg';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import { type AuditRecord, type PositionedEntry, recordOf } from './record.ts';
import { boundsOfDates } from './search.ts';
import { entryColumns } from './store.ts';

/** The most records that are read at once. */
const mostRecords = 1_000;

/**
 * The records of a log after a position, in its order: at most `limit`, and never more than `mostRecords`. Only entries with
 * positions have records. Fewer than `limit`: these are all there are by now. Where entries after the position were removed,
 * the records begin with the first one that is kept.
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

/**
 * The positions come first, from their key: whatever the planner knows of the entries, it reads no more of these. Those of removed
 * entries are passed over by what was removed of the log: entries that are not there for another reason are missing.
 */
export const recordsSql = `
  WITH page AS MATERIALIZED (
    SELECT position, txid, seq FROM audit_positions
     WHERE organization_id = $1::uuid AND position > GREATEST($2::bigint, (
             SELECT removed_through FROM audit_removals WHERE organization_id = $1::uuid))
     ORDER BY position LIMIT $3::int)
  SELECT page.position, ${entryColumns}
    FROM page JOIN audit_entries AS e ON e.txid = page.txid AND e.seq = page.seq ORDER BY page.position`;

/** The records of a grant's entries after a position of its log, at most `limit`, in order. One statement. */
export async function readRecordsOfGrant(
  db: Pick<pg.Pool, 'query'>,
  organizationId: string,
  grantId: string,
  after: number,
  limit: number,
): Promise<AuditRecord[]> {
  const { rows } = await db.query<Omit<PositionedEntry, 'position'> & { position: string }>(
    `SELECT given.position, ${entryColumns}
       FROM audit_entries AS e JOIN audit_positions AS given ON given.txid = e.txid AND given.seq = e.seq
      WHERE e.grant_id = $1::uuid AND e.organization_id = $2::uuid AND given.position > $3::bigint
        AND (e.txid, e.seq) > (COALESCE((SELECT txid FROM audit_positions WHERE organization_id = $2::uuid AND position = $3::bigint), 0), 0)
      ORDER BY e.txid, e.seq LIMIT $4::int`,
    [grantId, organizationId, after, Math.min(limit, mostRecords)],
  );
  return rows.map((row) => recordOf({ ...row, position: Number(row.position) }));
}

/** What a log has of a grant. */
export type TrailOfGrant = {
  /** The position of its last entry; null: it has none, or the entry has none yet. */
  readonly last: number | null;
  /** Up to which position the log was removed with entries of the grant; null: it has all of them. */
  readonly removedThrough: number | null;
};

/** What their logs have of these grants. The first entry of a grant is that of its request. One statement. */
export async function readTrailsOfGrants(
  db: Pick<pg.Pool, 'query'>,
  grantIds: readonly string[],
): Promise<Map<string, TrailOfGrant>> {
  const { rows } = await db.query<{ id: string; last: string | null; through: string | null }>(
    `SELECT grants.id, given.position AS last, removal.removed_through AS through FROM grants
       LEFT JOIN LATERAL (SELECT txid, seq FROM audit_entries WHERE grant_id = grants.id
                           ORDER BY txid DESC, seq DESC LIMIT 1) AS last ON true
       LEFT JOIN audit_positions AS given ON given.txid = last.txid AND given.seq = last.seq
       LEFT JOIN audit_removals AS removal
              ON removal.organization_id = grants.organization_id AND removal.removed_until >= grants.requested_at
      WHERE grants.id = ANY ($1::uuid[])`,
    [grantIds],
  );
  return new Map(
    rows.map(({ id, last, through }) => [
      id,
      {
        last: last === null ? null : Number(last),
        removedThrough: through === null ? null : Number(through),
      },
    ]),
  );
}

/** A part of a log, by position: what comes after `after`, up to `through`. */
export type Stretch = { readonly after: number; readonly through: number };

/** The part of a log, as long as it is now, in which the entries of a period are, with others. At most four statements. */
export async function stretchOfPeriod(
  pool: pg.Pool,
  organizationId: string,
  period: { readonly from: Date | null; readonly until: Date | null },
): Promise<Stretch> {
  const { first, last } = await boundsOfDates(pool, period);
  const before = async (txid: bigint) => {
    const { rows } = await pool.query<{ before: string }>(countBeforeSql, [organizationId, String(txid)]);
    return Number(rows[0]?.before ?? 0);
  };
  return {
    after: first === null ? 0 : await before(first),
    through: await before(last === null ? greatest : last + 1n),
  };
}

/** No transaction has a greater number. */
const greatest = 9_223_372_036_854_775_807n;

/** How many entries of the log are of transactions before one: halves the log by its key until it is found. */
const countBeforeSql = `
  WITH RECURSIVE halved AS (
    SELECT 0::bigint AS before, COALESCE(max(position), 0) + 1 AS beyond FROM audit_positions WHERE organization_id = $1::uuid
    UNION ALL
    SELECT CASE WHEN comes_before THEN middle ELSE before END, CASE WHEN comes_before THEN beyond ELSE middle END
      FROM (SELECT before, beyond, (before + beyond) / 2 AS middle FROM halved WHERE beyond - before > 1) AS part
     CROSS JOIN LATERAL (
       SELECT txid < $2::bigint AS comes_before FROM audit_positions WHERE organization_id = $1::uuid AND position = middle) AS found
  )
  SELECT before FROM halved ORDER BY beyond - before LIMIT 1`;
