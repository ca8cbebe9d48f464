/** Counts of the entries of the audit log, by what they have in common. */
import type pg from 'pg';
import { Prisma } from '../../prisma/generated/client/client.ts';
import { type AuditFilter, type AuditPlace, columnSql } from './filter.ts';
import { asStatement, walkOf } from './search.ts';

export type Grouping = 'ACTOR' | 'ACTION' | 'OUTCOME' | 'PRODUCT' | 'SITE' | 'HOUR' | 'DAY';

/** `entries`: how many there are. `attempts`: how many these stand for, repeated refusals included. */
export type Counts = { readonly entries: number; readonly attempts: number };

/** What the entries of a group have in common, as far as it was grouped by that. Null: they have none. */
export type Group = Counts & { readonly by: Readonly<Partial<Record<Key, string | null>>> };

type Key = keyof typeof keySql;

export type Summary = {
  /** The largest groups, the largest first; of equals, in the order of what they have in common. */
  readonly groups: readonly Group[];
  readonly otherGroups: number;
  readonly total: Counts;
  /** Whether every entry that might fit was looked at. */
  readonly isExact: boolean;
};

/**
 * The number of entries that are looked at for a summary, the newest first: what PostgreSQL counts well within the deadline of a
 * statement. To compare words takes ten times as long.
 */
export const mostSummarized = 100_000;
export const mostSummarizedByText = 10_000;

/** As text, so that they can be compared and put in order. `$zone` is the time zone. */
const keySql = {
  actorKind: 'actor_kind',
  actorEmail: 'actor_email',
  action: 'action',
  outcome: 'outcome::text',
  product: columnSql('product'),
  siteId: 'site_id::text',
  /** The beginning of an hour of the clocks there, as a moment: of an hour that comes twice, each is one. */
  hour: `to_char(date_trunc('hour', occurred_at, $zone) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`,
  /** The date of the calendars there. */
  day: `to_char(occurred_at AT TIME ZONE $zone, 'YYYY-MM-DD')`,
} as const;

const keysOf: Readonly<Record<Grouping, readonly Key[]>> = {
  ACTOR: ['actorKind', 'actorEmail'],
  ACTION: ['action'],
  OUTCOME: ['outcome'],
  PRODUCT: ['product'],
  SITE: ['siteId'],
  HOUR: ['hour'],
  DAY: ['day'],
};

type Row = Record<string, string | null> & {
  [Name in 'entries' | 'attempts' | 'seen' | 'groups' | 'all_entries' | 'all_attempts']: string;
};

/**
 * Counts the entries in these places that pass the filter. No entry is in two of the places.
 *
 * @param timeZone of hours and days: a name that PostgreSQL knows
 * @param top how many groups are told apart
 */
export async function summarizeAuditEntries(
  pool: Pick<pg.Pool, 'query'>,
  places: readonly AuditPlace[],
  asked: AuditFilter,
  { by, top, timeZone }: { by: readonly Grouping[]; top: number; timeZone: string },
  mayExamine: number = asked.text === undefined ? mostSummarized : mostSummarizedByText,
): Promise<Summary> {
  const walk = await walkOf(pool, places, asked, { below: null, above: null, order: 'desc' });
  if (walk === null) return { groups: [], otherGroups: 0, total: { entries: 0, attempts: 0 }, isExact: true };
  const keys = by.flatMap((grouping) => keysOf[grouping]);
  const { rows } = await pool.query<Row>(
    asStatement(summarySql(walk.entries(mayExamine), keys, top, timeZone)),
  );
  const [first] = rows;
  return {
    groups: rows.filter(({ entries }) => entries !== '0').map((row) => groupIn(row, keys)),
    otherGroups: Math.max(0, Number(first?.groups ?? 0) - top),
    total: countsFrom(first?.all_entries, first?.all_attempts),
    isExact: Number(first?.seen ?? 0) < mayExamine,
  };
}

function groupIn(row: Row, keys: readonly Key[]): Group {
  return {
    by: Object.fromEntries(keys.map((key) => [key, row[key] ?? null])),
    ...countsFrom(row.entries, row.attempts),
  };
}

function countsFrom(entries: string | undefined, attempts: string | undefined): Counts {
  return { entries: Number(entries ?? 0), attempts: Number(attempts ?? 0) };
}

/** Entries that do not fit are in groups as well: that says how many were looked at. */
function summarySql(entries: Prisma.Sql, keys: readonly Key[], top: number, timeZone: string): Prisma.Sql {
  const selected = keys.map(
    (key) => Prisma.sql`${inZone(keySql[key], timeZone)} AS ${Prisma.raw(`"${key}"`)}`,
  );
  const columns = Prisma.raw(keys.map((key) => `"${key}"`).join(', '));
  const inOrder = Prisma.raw(keys.map((key) => `"${key}" COLLATE "C"`).join(', '));
  return Prisma.sql`
    WITH looked_at AS (SELECT ${Prisma.join(selected)}, fits, count FROM ${entries} AS e),
    counted AS (
      SELECT ${columns}, count(*) AS seen, count(*) FILTER (WHERE fits) AS entries,
             COALESCE(sum(count) FILTER (WHERE fits), 0) AS attempts
        FROM looked_at GROUP BY ${columns})
    SELECT ${columns}, entries, attempts, sum(seen) OVER () AS seen, count(*) FILTER (WHERE entries > 0) OVER () AS groups,
           sum(entries) OVER () AS all_entries, sum(attempts) OVER () AS all_attempts
      FROM counted ORDER BY entries DESC, ${inOrder} LIMIT ${top}`;
}

function inZone(sql: string, timeZone: string): Prisma.Sql {
  const [before = '', after] = sql.split('$zone');
  return after === undefined
    ? Prisma.raw(sql)
    : Prisma.sql`${Prisma.raw(before)}${timeZone}::text${Prisma.raw(after)}`;
}
