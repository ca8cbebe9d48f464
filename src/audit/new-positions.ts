/** Which logs have got positions since somebody has looked: for jobs that follow all logs, without reading what they know. */
import type pg from 'pg';
import type { Place } from './positions.ts';

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
export async function readLastPlace(pool: pg.Pool): Promise<Place | null> {
  const { rows } = await pool.query<{ txid: string; seq: string }>(
    'SELECT txid, seq FROM audit_positions ORDER BY txid DESC, seq DESC LIMIT 1',
  );
  return placeOf(rows[0]);
}

function placeOf(row: { txid: string; seq: string } | undefined): Place | null {
  return row === undefined ? null : { txid: BigInt(row.txid), seq: BigInt(row.seq) };
}

/** The logs of the positions after a place, and the place of the last one. Positions are given in the order of places. */
export async function listLogsAfter(
  pool: pg.Pool,
  place: Place | null,
): Promise<{ logs: readonly string[]; last: Place | null }> {
  const { rows } = await pool.query<{ logs: string[] | null; txid: string; seq: string }>({
    name: 'list_logs_with_new_positions',
    text: `WITH next AS MATERIALIZED (
             SELECT organization_id, txid, seq FROM audit_positions WHERE (txid, seq) > ($1::bigint, $2::bigint)
              ORDER BY txid, seq LIMIT ${positionsAtOnce})
           SELECT (SELECT array_agg(DISTINCT organization_id::text) FROM next) AS logs, txid, seq FROM next
            ORDER BY txid DESC, seq DESC LIMIT 1`,
    values: [String(place?.txid ?? 0), String(place?.seq ?? 0)],
  });
  return { logs: rows[0]?.logs ?? [], last: placeOf(rows[0]) };
}
