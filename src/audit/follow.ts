/**
 * Reads the logs in the order of all of them, as far as entries have positions: the order in which positions are given. Nothing
 * appears between such entries any more, so whoever goes on from a place misses nothing and gets nothing twice.
 */
import type pg from 'pg';
import type { AuditEntry as AuditRow } from '../../prisma/generated/client/client.ts';
import type { AuditFilter, AuditPlace } from './filter.ts';
import { readLastEntry } from './new-positions.ts';
import type { EntryPlace, Place } from './positions.ts';
import { isRemovedAt } from './removals.ts';
import { searchAuditEntries } from './search.ts';

export type FollowedPage = {
  /** In order, at most `limit`. */
  readonly rows: readonly AuditRow[];
  /** Whatever fits up to this entry is in `rows`; null: before all entries. */
  readonly through: EntryPlace | null;
  /** Whether that is the end of what had positions when the read began. */
  readonly isAtEnd: boolean;
};

/**
 * The entries in these places that pass the filter, after an entry. Looks at a bounded number of entries, as a search does: two
 * statements, and one more where it stops between entries that do not fit. Null: that entry is not in the log any more, since
 * the database was restored to an earlier moment. It may have been removed, because its organization does not keep it.
 */
export async function readFollowing(
  pool: pg.Pool,
  places: readonly AuditPlace[],
  filter: AuditFilter,
  after: EntryPlace | null,
  limit: number,
): Promise<FollowedPage | null> {
  const { last: end, found } = await readLastEntry(pool, after);
  const isThere = after === null || after.id === null || found === after.id;
  if (!isThere && (found !== null || !(await isRemovedAt(pool, after)))) return null;
  const from = isThere ? after : { ...after, id: null };
  const { rows, stoppedAt } = await searchAuditEntries(
    pool,
    places,
    { ...filter, isPositioned: true },
    { below: null, above: after, order: 'asc', limit },
  );
  const last = rows.at(-1) ?? from;
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

function laterOf(one: EntryPlace | null, other: EntryPlace | null): EntryPlace | null {
  return isAfter(other, one) ? other : one;
}

async function placeOfEntry(pool: pg.Pool, id: string): Promise<EntryPlace> {
  const { rows } = await pool.query<{ txid: string; seq: string }>(
    'SELECT txid, seq FROM audit_entries WHERE id = $1::uuid',
    [id],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('An entry of the audit log is gone');
  return { id, txid: BigInt(row.txid), seq: BigInt(row.seq) };
}
