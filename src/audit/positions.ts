/**
 * Positions in the audit log: dense for each organization, in the order of the log. The database gives them to entries before
 * which nothing can appear any more, and says which ones: prisma/migrations/20261210000000_audit_positions. A gateway
 * says when. Whoever dies meanwhile leaves nothing: the next call begins where the last committed one has ended.
 */
import type pg from 'pg';
import type { Transaction } from '../platform/database.ts';

/**
 * Gives positions to at most `limit` entries, in one statement. Several gateways may call it at once: one does it.
 *
 * @returns how many have got one, and whether others wait: for an older transaction to end, or for the next call
 */
export async function givePositions(
  pool: pg.Pool,
  limit: number,
): Promise<{ given: number; waiting: boolean }> {
  const { rows } = await pool.query<{ given: number; waiting: boolean }>({
    name: 'give_audit_positions',
    text: 'SELECT given, waiting FROM give_audit_positions($1::int)',
    values: [limit],
  });
  const [row] = rows;
  if (row === undefined) throw new Error('give_audit_positions returned no row');
  return row;
}

/** For how many seconds the oldest entry has waited for its position; 0: none waits. One look at the end of two indexes. */
export async function readPositionLag(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ seconds: number }>(
    `SELECT GREATEST(0, EXTRACT(EPOCH FROM clock_timestamp() - occurred_at))::float8 AS seconds FROM audit_entries
      WHERE txid > COALESCE((SELECT max(txid) FROM audit_positions), 0) ORDER BY txid, seq LIMIT 1`,
  );
  return rows[0]?.seconds ?? 0;
}

/** The place of an entry in the order of the log. */
export type Place = { readonly txid: bigint; readonly seq: bigint };

/**
 * An entry by its place and its id: after a restore to an earlier moment, another one may get its place. Null: it was removed,
 * since its organization does not keep it any longer.
 */
export type EntryPlace = Place & { readonly id: string | null };

/** The positions of the entries at these places; null where none is given yet. One statement. */
export async function listPositions(db: Transaction, places: readonly Place[]): Promise<(number | null)[]> {
  const asked = places.map(({ txid, seq }, at) => ({ at, txid: String(txid), seq: String(seq) }));
  const found = await db.$queryRawUnsafe<{ at: number; position: bigint }[]>(
    `SELECT at, position FROM jsonb_to_recordset($1::jsonb) AS asked(at int, txid bigint, seq bigint)
       JOIN audit_positions USING (txid, seq)`,
    JSON.stringify(asked),
  );
  const positions = new Map(found.map(({ at, position }) => [at, Number(position)]));
  return places.map((_, at) => positions.get(at) ?? null);
}
