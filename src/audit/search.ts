/**
 * Searches the audit log in its order. What a page costs is bounded, however long the log is and wherever in it the dates
 * are: every read walks an index in the order of the log, between bounds, and gives up after `mostExamined` entries.
 */
import type pg from 'pg';
import { type AuditEntry as AuditRow, Prisma } from '../../prisma/generated/client/client.ts';
import { prepared } from '../platform/statement-names.ts';
import { type AuditFilter, type AuditPlace, haveIndexes, type Part, partsOf, withActors } from './filter.ts';
import { entryColumns } from './store.ts';

/** An entry's place in the order of the log. */
export type AuditPosition = { readonly txid: bigint; readonly seq: bigint };

/** The places of the entries with these ids, as far as there are any. One statement. */
export async function positionsOfEntries(
  pool: pg.Pool,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AuditPosition>> {
  const { rows } = await pool.query<{ id: string; txid: string; seq: string }>(
    prepared({ text: 'SELECT id, txid, seq FROM audit_entries WHERE id = ANY ($1::uuid[])', values: [ids] }),
  );
  return new Map(rows.map(({ id, txid, seq }) => [id, { txid: BigInt(txid), seq: BigInt(seq) }]));
}

export type AuditWindow = {
  readonly below: AuditPosition | null;
  readonly above: AuditPosition | null;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
};

/** What was found, in order. `stoppedAt`: the id of the entry at which the search gave up; null: it has seen all it had to. */
export type FoundEntries = { readonly rows: AuditRow[]; readonly stoppedAt: string | null };

/** The number of entries at which a search looks for one page if it has conditions that no index has. */
const mostExamined = 10_000;

/**
 * The entries in these places that pass the filter. No entry is in two of the places.
 *
 * The statements are planned for their values each time: a plan for any values takes an index on time where dates are
 * given, and sorts what may be most of the log.
 */
export async function searchAuditEntries(
  pool: Pick<pg.Pool, 'query'>,
  places: readonly AuditPlace[],
  asked: AuditFilter,
  window: AuditWindow,
  mayExamine: number = mostExamined,
): Promise<FoundEntries> {
  const walk = await walkOf(pool, places, asked, window);
  if (walk === null) return { rows: [], stoppedAt: null };
  const { isExact } = walk;
  const examined = isExact ? window.limit : Math.max(mayExamine, window.limit);
  const merged = walk.entries(examined);
  const { rows } = await pool.query<Record<keyof AuditRow, never> & { txid: string; seq: string }>(
    asStatement(
      Prisma.sql`SELECT ${Prisma.raw(entryColumns)} FROM ${merged} AS e WHERE e.fits LIMIT ${window.limit}`,
    ),
  );
  const found = rows.map((row) => ({ ...row, txid: BigInt(row.txid), seq: BigInt(row.seq) }) as AuditRow);
  if (isExact || found.length === window.limit) return { rows: found, stoppedAt: null };
  const { rows: last } = await pool.query<{ id: string }>(
    asStatement(Prisma.sql`SELECT id FROM ${merged} AS e OFFSET ${examined - 1} LIMIT 1`),
  );
  return { rows: found, stoppedAt: last[0]?.id ?? null };
}

/**
 * Whether nothing can appear any more before the entries at these places. A server that lags may not have the entry of a cursor yet, or
 * may lack some of those before it: a page from there would leave them out. One statement, with a place.
 */
export async function hasEverythingBeside(
  db: Pick<pg.Pool, 'query'>,
  { below, above }: Pick<AuditWindow, 'below' | 'above'>,
): Promise<boolean> {
  const places = [below, above].filter((place) => place !== null);
  if (places.length === 0) return true;
  const { rows } = await db.query<{ has: boolean }>(
    `SELECT COALESCE(bool_and((place.txid, place.seq) <= (${lastPositioned.text})), false) AS has
       FROM unnest($1::bigint[], $2::bigint[]) AS place (txid, seq)`,
    [places.map(({ txid }) => String(txid)), places.map(({ seq }) => String(seq))],
  );
  return rows[0]?.has === true;
}

/** How many entries there are, up to the limit, and whether all that might fit were looked at. */
export async function countAuditEntries(
  pool: Pick<pg.Pool, 'query'>,
  places: readonly AuditPlace[],
  asked: AuditFilter,
  limit: number,
): Promise<{ fitting: number; isComplete: boolean }> {
  const walk = await walkOf(pool, places, asked, { below: null, above: null, order: 'desc' });
  if (walk === null) return { fitting: 0, isComplete: true };
  const examined = walk.isExact ? limit : Math.max(mostExamined, limit);
  const merged = walk.entries(examined);
  const { rows } = await pool.query<{ fitting: number; seen: number }>(
    asStatement(
      Prisma.sql`SELECT count(*) FILTER (WHERE e.fits)::int AS fitting, count(*)::int AS seen FROM ${merged} AS e`,
    ),
  );
  const [{ fitting, seen } = { fitting: 0, seen: 0 }] = rows;
  return { fitting, isComplete: seen < examined };
}

/** The entries that a search looks at, in order, each with whether it fits. */
type Walk = {
  /** At most `limit` entries of `audit_entries`, with `fits`. */
  readonly entries: (limit: number) => Prisma.Sql;
  /** Whether all of them fit. */
  readonly isExact: boolean;
};

/** Where a search walks. Null: nothing can fit. Up to two statements, for dates and for the beginnings of addresses. */
export async function walkOf(
  pool: Pick<pg.Pool, 'query'>,
  places: readonly AuditPlace[],
  asked: AuditFilter,
  { order, ...window }: Pick<AuditWindow, 'below' | 'above' | 'order'>,
): Promise<Walk | null> {
  if (places.length === 0) return null;
  const filter = await withActors(pool, asked);
  const parts = partsOf(places, filter);
  if (parts.length === 0) return null;
  const bounds = narrow(window, await boundsOfDates(pool, filter));
  return {
    entries: (limit) => mergedSql(parts, filter, bounds, order, limit),
    isExact: haveIndexes(parts, filter),
  };
}

/** The parts in one order, each entry with whether it fits the rest of the conditions: at most `limit` entries. */
function mergedSql(
  parts: readonly Part[],
  { from, until, isPositioned = false }: AuditFilter,
  { below, above }: Pick<AuditWindow, 'below' | 'above'>,
  order: AuditWindow['order'],
  limit: number,
): Prisma.Sql {
  const inOrder = Prisma.raw(`ORDER BY txid ${order}, seq ${order}`);
  const bounds = [
    ...(isPositioned ? [Prisma.sql`(txid, seq) <= (${lastPositioned})`] : []),
    ...(below === null ? [] : [Prisma.sql`(txid, seq) < (${below.txid}::bigint, ${below.seq}::bigint)`]),
    ...(above === null ? [] : [Prisma.sql`(txid, seq) > (${above.txid}::bigint, ${above.seq}::bigint)`]),
  ];
  const dates = [
    ...(from === null ? [] : [Prisma.sql`occurred_at >= ${from}`]),
    ...(until === null ? [] : [Prisma.sql`occurred_at < ${until}`]),
  ];
  const selects = parts.map(({ equal, rest }) => {
    const fits = [...dates, ...rest];
    const walked = [...equal, ...bounds, ...(equal.length === 0 ? [] : [isLookedAt])];
    return Prisma.sql`(SELECT *, ${allOf(fits)} AS fits FROM audit_entries WHERE ${allOf(walked)} ${inOrder} LIMIT ${limit})`;
  });
  return Prisma.sql`(SELECT * FROM (${Prisma.join(selects, ' UNION ALL ')}) AS part ${inOrder} LIMIT ${limit})`;
}

/**
 * Always true, and dear in the eyes of PostgreSQL, so that it walks the index by which it looks at the fewest entries, in order: that
 * of the equal conditions. Where many entries of the log meet these, it would walk the whole log and leave out the others, of which
 * there may be any number at its newest end; where few do, it would sort all of them for one page.
 */
const isLookedAt = Prisma.sql`is_looked_at(txid) IS NOT NULL`;

const lastPositioned = Prisma.sql`SELECT txid, seq FROM audit_positions ORDER BY txid DESC, seq DESC LIMIT 1`;

function allOf(conditions: readonly Prisma.Sql[]): Prisma.Sql {
  return conditions.length === 0 ? Prisma.sql`true` : Prisma.join([...conditions], ' AND ');
}

/** A statement without a name: PostgreSQL plans it anew. */
export function asStatement({ text, values }: Prisma.Sql): { text: string; values: unknown[] } {
  return { text, values };
}

/** No transaction and no entry has a greater number. */
const greatest = 9_223_372_036_854_775_807n;

function narrow(
  { below, above }: Pick<AuditWindow, 'below' | 'above'>,
  { first, last }: TransactionBounds,
): Pick<AuditWindow, 'below' | 'above'> {
  return {
    below: last === null || (below !== null && below.txid <= last) ? below : { txid: last, seq: greatest },
    above: first === null || (above !== null && above.txid >= first) ? above : { txid: first, seq: 0n },
  };
}

/** The transactions between which the entries of a period are, both inclusive. Null: no bound is known. */
type TransactionBounds = { readonly first: bigint | null; readonly last: bigint | null };

/**
 * Entries follow each other in time nearly as in the log. Two whose order in it is not that of their times are at most 30
 * seconds apart, or one of them is kept as displaced. So no entry of the period is before an entry that is 30 seconds
 * older than its beginning, or after one that is 30 seconds later than its end, except the displaced ones: the bounds
 * include these. Where many are displaced, as after a restore, there are no bounds.
 */
export async function boundsOfDates(
  pool: Pick<pg.Pool, 'query'>,
  { from, until }: Pick<AuditFilter, 'from' | 'until'>,
): Promise<TransactionBounds> {
  if (from === null && until === null) return { first: null, last: null };
  const { rows } = await pool.query<{ first: string | null; last: string | null; displaced: number }>(
    prepared({ text: boundsSql, values: [from, until] }),
  );
  const [row] = rows;
  if (row === undefined || row.displaced > mostDisplaced) return { first: null, last: null };
  return {
    first: row.first === null ? null : BigInt(row.first),
    last: row.last === null ? null : BigInt(row.last),
  };
}

const mostDisplaced = 1_000;

/** The nearest entry beyond a date that is not displaced, of the nearest hundred. */
const nearestSql = (condition: string, order: string): string => `
  (SELECT txid
     FROM (SELECT id, txid, occurred_at FROM audit_entries WHERE ${condition} ORDER BY occurred_at ${order} LIMIT 100) AS near
    WHERE NOT EXISTS (SELECT FROM displaced_audit_entries AS displaced WHERE displaced.id = near.id)
    ORDER BY occurred_at ${order} LIMIT 1)`;

const boundsSql = `
  WITH displaced AS (
    SELECT txid FROM displaced_audit_entries
     WHERE occurred_at >= COALESCE($1::timestamptz, '-infinity') AND occurred_at < COALESCE($2::timestamptz, 'infinity')
     LIMIT ${mostDisplaced + 1}),
  near AS (
    SELECT ${nearestSql(`occurred_at < $1::timestamptz - interval '30 seconds'`, 'DESC')} AS first,
           ${nearestSql(`occurred_at > $2::timestamptz + interval '30 seconds'`, 'ASC')} AS last)
  SELECT CASE WHEN first IS NOT NULL THEN LEAST(first, (SELECT min(txid) FROM displaced)) END AS first,
         CASE WHEN last IS NOT NULL THEN GREATEST(last, (SELECT max(txid) FROM displaced)) END AS last,
         (SELECT count(*)::int FROM displaced) AS displaced
    FROM near`;
