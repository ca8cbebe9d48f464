/**
 * Reads the logs in the order of all of them, as far as entries have positions: the order in which positions are given. Nothing
 * appears between such entries any more, so whoever goes on from a place misses nothing and gets nothing twice.
 */
import type pg from 'pg';
import type { AuditEntry as AuditRow } from '../../prisma/generated/client/client.ts';
import type { AuditFilter, AuditPlace } from './filter.ts';
import { readLastPlace } from './new-positions.ts';
import type { Place } from './positions.ts';
import { searchAuditEntries } from './search.ts';

export type FollowedPage = {
  /** In order, at most `limit`. */
  readonly rows: readonly AuditRow[];
  /** Whatever fits up to here is in `rows`; null: before all entries. */
  readonly through: Place | null;
  /** Whether that is the end of what had positions when the read began. */
  readonly isAtEnd: boolean;
};

/**
 * The entries in these places that pass the filter, after a place. Looks at a bounded number of entries, as a search does: two
 * statements, and one more where it stops between entries that do not fit.
 */
export async function readFollowing(
  pool: pg.Pool,
  places: readonly AuditPlace[],
  filter: AuditFilter,
  after: Place | null,
  limit: number,
): Promise<FollowedPage> {
  const end = await readLastPlace(pool);
  const { rows, stoppedAt } = await searchAuditEntries(
    pool,
    places,
    { ...filter, isPositioned: true },
    { below: null, above: after, order: 'asc', limit },
  );
  const last = rows.at(-1) ?? after;
  if (stoppedAt !== null) return { rows, through: await placeOfEntry(pool, stoppedAt), isAtEnd: false };
  if (rows.length === limit) return { rows, through: last, isAtEnd: false };
  return { rows, through: laterOf(last, end), isAtEnd: true };
}

/** The id of the entry at a place; null: there is none. */
export async function findEntryAt(pool: pg.Pool, { txid, seq }: Place): Promise<string | null> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM audit_entries WHERE txid = $1::bigint AND seq = $2::bigint',
    [String(txid), String(seq)],
  );
  return rows[0]?.id ?? null;
}

export function isAfter(one: Place | null, other: Place | null): boolean {
  if (one === null || other === null) return one !== null && other === null;
  return one.txid === other.txid ? one.seq > other.seq : one.txid > other.txid;
}

function laterOf(one: Place | null, other: Place | null): Place | null {
  return isAfter(other, one) ? other : one;
}

async function placeOfEntry(pool: pg.Pool, id: string): Promise<Place> {
  const { rows } = await pool.query<{ txid: string; seq: string }>(
    'SELECT txid, seq FROM audit_entries WHERE id = $1::uuid',
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('An entry of the audit log is gone');
  return { txid: BigInt(row.txid), seq: BigInt(row.seq) };
}
