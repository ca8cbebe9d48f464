/**
 * Searches the audit log in its order. What a page costs is bounded, however long the log is and wherever in it the dates
 * are: every read walks an index in the order of the log, between bounds, and gives up after `mostExamined` entries.
 */
import type pg from 'pg';
import { type AuditEntry as AuditRow, Prisma } from '../../prisma/generated/client/client.ts';
import { entryColumns } from './store.ts';

/** A part of the log: an organization's entries, a site's, or those of both; without either, all of it. */
export type AuditPlace = {
  readonly organizationId?: string;
  readonly siteId?: string;
  /** Only what this account did, as far as it is in the log of an organization. */
  readonly actor?: { readonly id: string; readonly email: string };
  /** Of what an actor did, the entries of these sites. */
  readonly onSites?: readonly string[];
};

/** An entry's place in the order of the log. */
export type AuditPosition = { readonly txid: bigint; readonly seq: bigint };

export type AuditFilter = {
  /** The entries with one of these values, by column. */
  readonly values: Partial<Record<FilteredColumn, readonly string[]>>;
  readonly from: Date | null;
  readonly until: Date | null;
};

export type AuditWindow = {
  readonly below: AuditPosition | null;
  readonly above: AuditPosition | null;
  readonly order: 'asc' | 'desc';
  readonly limit: number;
};

/** What was found, in order. `stoppedAt`: the id of the entry at which the search gave up; null: it has seen all it had to. */
export type FoundEntries = { readonly rows: AuditRow[]; readonly stoppedAt: string | null };

export type FilteredColumn = (typeof sought)[number]['column'] | 'actor_kind' | 'outcome';

/**
 * The columns by whose values entries are looked up, the most selective first, and whether that is so among the entries of
 * one site or of one actor, too.
 */
const sought = [
  { column: 'session_id', everywhere: true },
  { column: 'grant_id', everywhere: true },
  { column: 'ticket_id', everywhere: true },
  { column: 'actor_email', everywhere: false },
  { column: 'action', everywhere: false },
] as const;

/** The number of entries at which a search looks for one page if it has conditions that no index has. */
const mostExamined = 10_000;

/** The number of parts, each read from an index, that are merged for one page. */
const mostParts = 100;

/**
 * The entries in these places that pass the filter. No entry is in two of the places.
 *
 * The statements are planned for their values each time: a plan for any values takes an index on time where dates are
 * given, and sorts what may be most of the log.
 */
export async function searchAuditEntries(
  pool: pg.Pool,
  places: readonly AuditPlace[],
  filter: AuditFilter,
  window: AuditWindow,
  mayExamine: number = mostExamined,
): Promise<FoundEntries> {
  if (places.length === 0) return { rows: [], stoppedAt: null };
  const bounds = narrow(window, await boundsOfDates(pool, filter));
  const parts = partsOf(places, filter);
  if (parts.length === 0) return { rows: [], stoppedAt: null };
  const isExact = haveIndexes(parts, filter);
  const examined = isExact ? window.limit : Math.max(mayExamine, window.limit);
  const merged = mergedSql(parts, filter, bounds, window.order, examined);
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

/** How many entries there are, up to the limit, and whether all that might fit were looked at. */
export async function countAuditEntries(
  pool: pg.Pool,
  places: readonly AuditPlace[],
  filter: AuditFilter,
  limit: number,
): Promise<{ fitting: number; isComplete: boolean }> {
  const parts = partsOf(places, filter);
  if (parts.length === 0) return { fitting: 0, isComplete: true };
  const bounds = narrow({ below: null, above: null }, await boundsOfDates(pool, filter));
  const examined = haveIndexes(parts, filter) ? limit : Math.max(mostExamined, limit);
  const merged = mergedSql(parts, filter, bounds, 'desc', examined);
  const { rows } = await pool.query<{ fitting: number; seen: number }>(
    asStatement(
      Prisma.sql`SELECT count(*) FILTER (WHERE e.fits)::int AS fitting, count(*)::int AS seen FROM ${merged} AS e`,
    ),
  );
  const [{ fitting, seen } = { fitting: 0, seen: 0 }] = rows;
  return { fitting, isComplete: seen < examined };
}

/** Whether indexes have exactly the entries that fit. */
function haveIndexes(parts: readonly Part[], { from, until }: AuditFilter): boolean {
  return from === null && until === null && parts.every(({ rest }) => rest.length === 0);
}

/** Entries that an index has in the order of the log, and the conditions that have to be compared besides. */
type Part = { readonly equal: Prisma.Sql[]; readonly rest: Prisma.Sql[] };

function partsOf(places: readonly AuditPlace[], { values }: AuditFilter): Part[] {
  const given = (Object.keys(values) as FilteredColumn[]).filter((column) => values[column] !== undefined);
  return places.flatMap(({ organizationId, siteId, actor, onSites }) => {
    const inPlace = [
      ...(siteId === undefined ? [] : [Prisma.sql`site_id = ${siteId}::uuid`]),
      ...(organizationId === undefined ? [] : [Prisma.sql`organization_id = ${organizationId}::uuid`]),
      ...(actor === undefined ? [] : [doneBy(actor)]),
    ];
    const by = sought.find(
      ({ column, everywhere }) =>
        (values[column]?.length ?? mostParts) * places.length <= mostParts &&
        values[column] !== undefined &&
        (everywhere || (siteId === undefined && actor === undefined)),
    )?.column;
    const rest = [
      ...given.filter((column) => column !== by).map((column) => isOneOf(column, values[column] ?? [])),
      ...(onSites === undefined ? [] : [isOneOf('site_id', onSites)]),
      ...(actor === undefined ? [] : [Prisma.sql`organization_id IS NOT NULL`]),
    ];
    if (by === undefined) return { equal: inPlace, rest };
    return (values[by] ?? []).map((value) => ({ equal: [...inPlace, isOneOf(by, [value])], rest }));
  });
}

/** An index has the entries of an actor by the address, which never changes. */
function doneBy({ id, email }: NonNullable<AuditPlace['actor']>): Prisma.Sql {
  return Prisma.sql`actor_email = ${email} AND actor_id = ${id}::uuid`;
}

function isOneOf(column: FilteredColumn | 'site_id', values: readonly string[]): Prisma.Sql {
  const name = Prisma.raw(column);
  const type = Prisma.raw(column.endsWith('_id') ? 'uuid' : column === 'outcome' ? 'audit_outcome' : 'text');
  const [value] = values;
  return values.length === 1
    ? Prisma.sql`${name} = ${value}::${type}`
    : Prisma.sql`${name} = ANY (${values}::${type}[])`;
}

/** The parts in one order, each entry with whether it fits the rest of the conditions: at most `limit` entries. */
function mergedSql(
  parts: readonly Part[],
  { from, until }: AuditFilter,
  { below, above }: Pick<AuditWindow, 'below' | 'above'>,
  order: AuditWindow['order'],
  limit: number,
): Prisma.Sql {
  const inOrder = Prisma.raw(`ORDER BY txid ${order}, seq ${order}`);
  const bounds = [
    ...(below === null ? [] : [Prisma.sql`(txid, seq) < (${below.txid}::bigint, ${below.seq}::bigint)`]),
    ...(above === null ? [] : [Prisma.sql`(txid, seq) > (${above.txid}::bigint, ${above.seq}::bigint)`]),
  ];
  const dates = [
    ...(from === null ? [] : [Prisma.sql`occurred_at >= ${from}`]),
    ...(until === null ? [] : [Prisma.sql`occurred_at < ${until}`]),
  ];
  const selects = parts.map(({ equal, rest }) => {
    const fits = [...dates, ...rest];
    return Prisma.sql`(SELECT *, ${allOf(fits)} AS fits FROM audit_entries WHERE ${allOf([...equal, ...bounds])} ${inOrder} LIMIT ${limit})`;
  });
  return Prisma.sql`(SELECT * FROM (${Prisma.join(selects, ' UNION ALL ')}) AS part ${inOrder} LIMIT ${limit})`;
}

function allOf(conditions: readonly Prisma.Sql[]): Prisma.Sql {
  return conditions.length === 0 ? Prisma.sql`true` : Prisma.join([...conditions], ' AND ');
}

/** A statement without a name: PostgreSQL plans it anew. */
function asStatement({ text, values }: Prisma.Sql): { text: string; values: unknown[] } {
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
async function boundsOfDates(pool: pg.Pool, { from, until }: AuditFilter): Promise<TransactionBounds> {
  if (from === null && until === null) return { first: null, last: null };
  const { rows } = await pool.query<{ first: string | null; last: string | null; displaced: number }>({
    text: boundsSql,
    values: [from, until],
  });
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
