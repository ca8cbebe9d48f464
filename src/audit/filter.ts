/** What a search of the audit log asks for: which conditions an index serves, and which are compared on the way. */
import type pg from 'pg';
import { Prisma } from '../../prisma/generated/client/client.ts';
import { wordsInTextSql, wordsOf } from '../platform/words.ts';

/** A part of the log: an organization's entries, a site's, or those of both; without either, all of it. */
export type AuditPlace = {
  readonly organizationId?: string;
  readonly siteId?: string;
  /** Only what this account did, as far as it is in the log of an organization. */
  readonly actor?: { readonly id: string; readonly email: string };
  /** Of what an actor did, the entries of these sites. */
  readonly onSites?: readonly string[];
};

export type AuditFilter = {
  /** The entries with one of these values, by column. */
  readonly values: Partial<Record<FilteredColumn, readonly string[]>>;
  readonly from: Date | null;
  readonly until: Date | null;
  /** The beginnings of the addresses of actors; after an `@`, of their domains. In ASCII lower case. */
  readonly actorPrefixes?: readonly string[];
  /** Ranges in CIDR notation, and whose addresses the reader sees: of the others, none is found. */
  readonly clientAddresses?: { readonly ranges: readonly string[]; readonly seen: SeenAddresses };
  /** Each word of it begins a word of the entry. */
  readonly text?: string;
  /** Only entries that have their positions: nothing appears between these any more. */
  readonly isPositioned?: boolean;
};

/** Whose client addresses somebody sees, besides their own: authorization/visibility.ts has the rule. */
export type SeenAddresses = { readonly ownId: string; readonly others: 'USERS' | 'VENDOR' | 'NOBODY' };

/** The SQL and the type of what an entry is filtered by. */
const columns = {
  session_id: ['session_id', 'uuid'],
  grant_id: ['grant_id', 'uuid'],
  ticket_id: ['ticket_id', 'uuid'],
  site_id: ['site_id', 'uuid'],
  resource_id: ['resource_id', 'text'],
  resource_type: ['resource_type', 'text'],
  actor_email: ['actor_email', 'text'],
  actor_kind: ['actor_kind', 'text'],
  action: ['action', 'text'],
  outcome: ['outcome', 'audit_outcome'],
  refusal_code: ['refusal_code', 'text'],
  // Entries of evaluations had it in their details alone, before there was a column.
  product: [`COALESCE(product_key, details->>'product')`, 'text'],
  country: [`details->>'country'`, 'text'],
  client_address: ['client_address', 'inet'],
} as const;

type Column = keyof typeof columns;
/** Client addresses are looked for together with who sees them. */
export type FilteredColumn = Exclude<Column, 'client_address'>;

/** What entries are filtered by, in SQL. */
export function columnSql(column: FilteredColumn): string {
  return columns[column][0];
}

/** A column of which an index has the entries with one value in the order of the log. */
type Sought = {
  readonly column: Column;
  /** Whether that is so in this place, for these values. */
  readonly serves: (place: AuditPlace, values: readonly string[]) => boolean;
};

function isWholeLog({ siteId, actor }: AuditPlace): boolean {
  return siteId === undefined && actor === undefined;
}

function isOrganizationsLog(place: AuditPlace): boolean {
  return isWholeLog(place) && place.organizationId !== undefined;
}

/** The most selective first. */
const sought: readonly Sought[] = [
  { column: 'session_id', serves: () => true },
  { column: 'grant_id', serves: () => true },
  { column: 'ticket_id', serves: () => true },
  // Resources of products have the same ids with many customers, and people of many customers the same addresses.
  { column: 'resource_id', serves: isOrganizationsLog },
  { column: 'client_address', serves: isOrganizationsLog },
  { column: 'actor_email', serves: isWholeLog },
  // Most entries succeeded: these are in the order of the log anyway.
  {
    column: 'outcome',
    serves: (place, values) => isWholeLog(place) && values.every((one) => one === 'REFUSED'),
  },
  { column: 'action', serves: isWholeLog },
];

/** The number of parts, each read from an index, that are merged for one page. */
const mostParts = 100;

/** Entries that an index has in the order of the log, and the conditions that have to be compared besides. */
export type Part = { readonly equal: readonly Prisma.Sql[]; readonly rest: readonly Prisma.Sql[] };

type Values = Partial<Record<Column, readonly string[]>>;

/** The parts of the log with what the filter asks for. None of them: nothing can fit. */
export function partsOf(places: readonly AuditPlace[], filter: AuditFilter): Part[] {
  const { actorPrefixes, clientAddresses } = filter;
  const addresses = singleAddresses(clientAddresses?.ranges);
  const values: Values = { ...filter.values, ...(addresses === null ? {} : { client_address: addresses }) };
  const lists = [...Object.values(values), actorPrefixes, clientAddresses?.ranges];
  if (lists.some((among) => among?.length === 0)) return [];
  return places.flatMap((place) => {
    const { actor, onSites } = place;
    const by = sought.find(({ column, serves }) => {
      const among = values[column];
      return among !== undefined && among.length * places.length <= mostParts && serves(place, among);
    })?.column;
    const inPlace = conditionsOf(place);
    const rest = [
      ...comparisonsOf(filter, values, by),
      ...(onSites === undefined ? [] : [isOneOf('site_id', onSites)]),
      ...(actor === undefined ? [] : [Prisma.sql`organization_id IS NOT NULL`]),
      ...(filter.text === undefined ? [] : wordsIn(filter.text)),
    ];
    if (by === undefined) return { equal: inPlace, rest };
    return (values[by] ?? []).map((value) => ({ equal: [...inPlace, isOneOf(by, [value])], rest }));
  });
}

/** Whether indexes have exactly the entries that fit. */
export function haveIndexes(parts: readonly Part[], { from, until }: AuditFilter): boolean {
  return from === null && until === null && parts.every(({ rest }) => rest.length === 0);
}

function conditionsOf({ organizationId, siteId, actor }: AuditPlace): Prisma.Sql[] {
  return [
    ...(siteId === undefined ? [] : [Prisma.sql`site_id = ${siteId}::uuid`]),
    ...(organizationId === undefined ? [] : [Prisma.sql`organization_id = ${organizationId}::uuid`]),
    // An index has the entries of an actor by the address, which never changes.
    ...(actor === undefined
      ? []
      : [Prisma.sql`actor_email = ${actor.email} AND actor_id = ${actor.id}::uuid`]),
  ];
}

/** All conditions except those on this column, for which the index is. What takes longest comes last. */
function comparisonsOf(
  { actorPrefixes, clientAddresses }: AuditFilter,
  values: Values,
  by: Column | undefined,
): Prisma.Sql[] {
  return [
    ...(Object.keys(columns) as Column[])
      .filter((column) => column !== by && values[column] !== undefined)
      .map((column) => isOneOf(column, values[column] ?? [])),
    ...(actorPrefixes === undefined ? [] : [actorBeginsWith(actorPrefixes)]),
    ...(clientAddresses === undefined || values.client_address !== undefined
      ? []
      : [Prisma.sql`client_address <<= ANY (${clientAddresses.ranges}::inet[])`]),
    ...(clientAddresses === undefined ? [] : [isSeen(clientAddresses.seen)]),
  ];
}

/** The addresses, where none of the ranges has more than one. */
function singleAddresses(ranges: readonly string[] | undefined): string[] | null {
  const single = ranges?.map((range) =>
    range.endsWith(range.includes(':') ? '/128' : '/32') ? range : null,
  );
  return single === undefined || single.includes(null) ? null : single.filter((one) => one !== null);
}

function isOneOf(column: Column, values: readonly string[]): Prisma.Sql {
  const [sql, type] = columns[column].map((text) => Prisma.raw(text));
  const [value] = values;
  return values.length === 1
    ? Prisma.sql`${sql} = ${value}::${type}`
    : Prisma.sql`${sql} = ANY (${values}::${type}[])`;
}

const domainSql = (address: string) => `split_part(${address}, '@', -1)`;

function actorBeginsWith(prefixes: readonly string[]): Prisma.Sql {
  const [addresses, domains] = addressesAndDomains(prefixes);
  return Prisma.sql`(EXISTS (SELECT FROM unnest(${addresses}::text[]) AS begin WHERE starts_with(actor_email, begin))
    OR EXISTS (SELECT FROM unnest(${domains}::text[]) AS begin WHERE starts_with(${Prisma.raw(domainSql('actor_email'))}, begin)))`;
}

/** Whether the reader sees the entry's client address: SQL for `seesClientAddress`. A test compares them. */
function isSeen({ ownId, others }: SeenAddresses): Prisma.Sql {
  const kinds = {
    USERS: Prisma.sql`actor_kind = 'USER'`,
    VENDOR: Prisma.sql`(actor_kind <> 'USER' OR organization_id IS NULL)`,
    NOBODY: Prisma.sql`false`,
  }[others];
  return Prisma.sql`(actor_id = ${ownId}::uuid OR ${kinds})`;
}

/**
 * The conditions for words. To take an entry apart takes long, so it comes after a look whether the longest word is anywhere in
 * it, whose letters get their lower case in the same way.
 */
function wordsIn(text: string): Prisma.Sql[] {
  const [longest = ''] = wordsOf(text).sort((one, other) => other.length - one.length);
  return [
    Prisma.sql`strpos(lower(actor_name || ' ' || COALESCE(actor_email, '') || ' ' || resource_id || ' ' || details::text), lower(${longest})) > 0`,
    wordsInTextSql(textOfEntry, text),
  ];
}

/**
 * The names and the details of an entry, as text: who acted, the resource of a product, and the texts in the details, without
 * ids.
 */
const textOfEntry = `
  actor_name || ' ' || COALESCE(actor_email, '') || ' ' || CASE WHEN resource_type ~ '^[a-z]' THEN resource_id ELSE '' END
  || ' ' || COALESCE((SELECT string_agg(value #>> '{}', ' ') FROM jsonb_path_query(details, 'strict $.**') AS value
                       WHERE jsonb_typeof(value) = 'string' AND value #>> '{}' !~ '^[0-9a-f]{8}-[0-9a-f]{4}-'), '')`;

/**
 * The filter with the addresses of the actors whose addresses begin as asked, where these are few: an index has the entries of
 * each. Otherwise it stays as it is. Every actor has an account, whose address never changes.
 */
export async function withActors(pool: Pick<pg.Pool, 'query'>, filter: AuditFilter): Promise<AuditFilter> {
  const { actorPrefixes, ...others } = filter;
  if (actorPrefixes === undefined) return filter;
  const { rows } = await pool.query<{ email: string }>({
    text: actorsSql,
    values: addressesAndDomains(actorPrefixes),
  });
  if (rows.length > mostParts) return filter;
  const given = filter.values.actor_email;
  const emails = rows.map(({ email }) => email).filter((email) => given?.includes(email) ?? true);
  return { ...others, values: { ...filter.values, actor_email: emails } };
}

function addressesAndDomains(prefixes: readonly string[]): [addresses: string[], domains: string[]] {
  const domains = prefixes.filter((prefix) => prefix.startsWith('@')).map((prefix) => prefix.slice(1));
  return [prefixes.filter((prefix) => !prefix.startsWith('@')), domains];
}

/** The accounts of which this expression begins with one of the values of a parameter, read from an index in its order. */
const accountsBeginning = (expression: string, parameter: string): string => `
  SELECT email FROM unnest(${parameter}::text[]) AS begin CROSS JOIN LATERAL (
    SELECT email FROM accounts
     WHERE ${expression} COLLATE "C" >= begin AND ${expression} COLLATE "C" < begin || chr(1114111)
     ORDER BY ${expression} COLLATE "C" LIMIT ${mostParts + 1}) AS beginning`;

const actorsSql = `
  SELECT DISTINCT email FROM (${accountsBeginning('email', '$1')} UNION ALL ${accountsBeginning(domainSql('email'), '$2')}) AS found
   LIMIT ${mostParts + 1}`;
