/** Which logs have got positions since somebody has looked: for jobs that follow all logs, without reading what they know. */
import type pg from 'pg';
import type { EntryPlace, Place } from './positions.ts';

/** Of new positions, so many are looked at in one statement. */
const positionsAtOnce = 10_000;

/** Milliseconds until all logs are to be looked at again: whoever died may have left something. */
const lookAgainMs = 60_000;

export type LogWatch = {
  /** The logs that may have grown since the last call; `ALL`: any log may have, which is so once a minute and at first. */
  look(): Promise<readonly string[] | 'ALL'>;
};

export function createLogWatch(pool: pg.Pool): LogWatch {
  /** Up to here this gateway has looked. */
  let lookedUpTo: Place | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;

  return {
    async look() {
      if (performance.now() - lookedAt > lookAgainMs) {
        // Before whoever asks looks at all logs, so that nothing is missed between.
        lookedUpTo = await readLastPlace(pool);
        lookedAt = performance.now();
        return 'ALL';
      }
      const { logs, last } = await listLogsAfter(pool, lookedUpTo);
      lookedUpTo = last ?? lookedUpTo;
      return logs;
    },
  };
}

/** The last place that has a position; null: none has. */
async function readLastPlace(pool: pg.Pool): Promise<Place | null> {
  const { rows } = await pool.query<{ txid: string; seq: string }>(
    'SELECT txid, seq FROM audit_positions ORDER BY txid DESC, seq DESC LIMIT 1',
  );
  return placeOf(rows[0]);
}

function placeOf(row: { txid: string; seq: string } | undefined): Place | null {
  return row === undefined ? null : { txid: BigInt(row.txid), seq: BigInt(row.seq) };
}

/** An entry by its place, which is null where there is none. */
type EntryRow = { id: string | null; txid: string; seq: string } | { txid: null };

function entryPlaceOf(row: EntryRow | undefined): EntryPlace | null {
  return row === undefined || row.txid === null
    ? null
    : { id: row.id, txid: BigInt(row.txid), seq: BigInt(row.seq) };
}

const entryAt = '(SELECT id FROM audit_entries WHERE txid = $1::bigint AND seq = $2::bigint)';

const valuesOf = (place: Place | null): string[] => [String(place?.txid ?? 0), String(place?.seq ?? 0)];

/** The last entry that has a position, null: none has; and the id of the entry at a place, null: there is none. One statement. */
export async function readLastEntry(
  pool: pg.Pool,
  place: Place | null,
): Promise<{ last: EntryPlace | null; found: string | null }> {
  const { rows } = await pool.query<EntryRow & { found: string | null }>({
    name: 'read_last_entry_with_a_position',
    text: `SELECT ${entryAt} AS found, last.id, last.txid, last.seq
             FROM (SELECT 1) AS one LEFT JOIN LATERAL (
               SELECT e.id, txid, seq FROM (SELECT txid, seq FROM audit_positions ORDER BY txid DESC, seq DESC LIMIT 1) AS end_of_all
                 LEFT JOIN audit_entries AS e USING (txid, seq)) AS last ON true`,
    values: valuesOf(place),
  });
  return { last: entryPlaceOf(rows[0]), found: rows[0]?.found ?? null };
}

/**
 * The logs of the positions after a place, and the entry at the last one. Positions are given in the order of places. And the id of
 * the entry at the place itself, null: there is none. One statement.
 */
export async function listLogsAfter(
  pool: pg.Pool,
  place: Place | null,
): Promise<{ logs: readonly string[]; last: EntryPlace | null; found: string | null }> {
  const { rows } = await pool.query<EntryRow & { logs: string[] | null; found: string | null }>({
    name: 'list_logs_with_new_positions',
    text: `WITH next AS MATERIALIZED (
             SELECT organization_id, txid, seq FROM audit_positions WHERE (txid, seq) > ($1::bigint, $2::bigint)
              ORDER BY txid, seq LIMIT ${positionsAtOnce})
           SELECT (SELECT array_agg(DISTINCT organization_id::text) FROM next) AS logs, ${entryAt} AS found, last.id, last.txid, last.seq
             FROM (SELECT 1) AS one LEFT JOIN LATERAL (
               SELECT e.id, txid, seq FROM (SELECT txid, seq FROM next ORDER BY txid DESC, seq DESC LIMIT 1) AS end_of_next
                 LEFT JOIN audit_entries AS e USING (txid, seq)) AS last ON true`,
    values: valuesOf(place),
  });
  return { logs: rows[0]?.logs ?? [], last: entryPlaceOf(rows[0]), found: rows[0]?.found ?? null };
}
