/**
 * Pages of what a viewer sees who sees things in several ways. Each way is a read of its own, from an index in the order
 * of the list, and the reads are merged: as one condition with OR, PostgreSQL would walk everybody's rows until it had
 * enough of the viewer's.
 */
import type pg from 'pg';
import { Prisma } from '../../prisma/generated/client/client.ts';
import type { JsonRows } from '../platform/json-rows.ts';
import type { PageWindow } from '../platform/page-windows.ts';
import { prepared } from '../platform/statement-names.ts';
import { type Relations, whereSql } from '../platform/where-sql.ts';
import { wordsSql } from '../platform/words.ts';
import type { TicketWay } from './ways.ts';

/** By what rows are ordered: their ids, or until when a request waits. */
export type SortKey = 'id' | 'due';

/** A way to see tickets, or what is on them and also meets the condition. */
export type Way = TicketWay & { readonly where?: object };

/** A page of a list: rows that are seen in one of the ways, or meet one of the conditions in `others`, and pass the filter. */
export type VisiblePage = {
  readonly ways: readonly Way[];
  readonly filter: object;
  readonly window: PageWindow;
  readonly others?: readonly object[];
  /** Conditions on the ticket, on the account, or on who holds the role, that few or many may meet. */
  readonly sought?: object;
  /** Default: the ids. */
  readonly by?: SortKey;
  /** Whether the filter has bounds of time: of some, few rows are within, of others nearly all. */
  readonly isWithinPeriod?: boolean;
};

/**
 * So many of what is sought are few: all that is on them is read and sorted. If there are more, the list is read in its
 * order, and meets them often. PostgreSQL cannot tell, and would guess.
 */
const few = 1_000;

/** What is on tickets, and seen with their grants. */
export type TableOnTickets = 'grants' | 'support_sessions' | 'change_requests';
type Table = TableOnTickets | 'tickets' | 'accounts' | 'role_assignments';

/** On what the conditions are by which something is sought: on the row itself, on its ticket, or on who holds the role. */
const soughtOn = {
  tickets: { table: 'tickets', column: 'id', relation: null },
  accounts: { table: 'accounts', column: 'id', relation: null },
  role_assignments: { table: 'accounts', column: 'account_id', relation: 'account' },
  grants: { table: 'tickets', column: 'ticket_id', relation: 'ticket' },
  support_sessions: { table: 'tickets', column: 'ticket_id', relation: 'ticket' },
  change_requests: { table: 'tickets', column: 'ticket_id', relation: 'ticket' },
} as const satisfies Record<Table, { table: Table; column: string; relation: string | null }>;

/** The ids of the tickets of a page: those seen in any of the ways that pass the filter. One statement. */
export async function listVisibleTicketIds(
  pool: pg.Pool,
  ways: readonly TicketWay[],
  filter: Prisma.TicketWhereInput,
  window: PageWindow,
): Promise<string[]> {
  const [ids = []] = await listVisiblePages(pool, 'tickets', [{ ways, filter, window }]);
  return ids;
}

/** The ids of the rows of a page, likewise. */
export async function listVisibleIds(
  pool: pg.Pool,
  table: TableOnTickets,
  ways: readonly Way[],
  filter: object,
  window: PageWindow,
  others: readonly object[] = [],
): Promise<string[]> {
  const [ids = []] = await listVisiblePages(pool, table, [{ ways, filter, window, others }]);
  return ids;
}

/** The ids of the rows of each page, in its order. One statement. */
export async function listVisiblePages(
  pool: pg.Pool,
  table: Table,
  asked: readonly VisiblePage[],
): Promise<string[][]> {
  const selects = selectsOf(table, asked);
  const statement = selects.length === 0 ? null : Prisma.join(selects, ' UNION ALL ');
  return await readInPlaces<string>(pool, asked, statement);
}

/**
 * The rows of each page, in its order. One statement.
 *
 * @param row what is read of each row of the table called `r`
 */
export async function readVisiblePages(
  pool: pg.Pool,
  table: Table,
  asked: readonly VisiblePage[],
  row: Prisma.Sql,
): Promise<unknown[][]> {
  const selects = selectsOf(table, asked);
  const statement =
    selects.length === 0
      ? null
      : Prisma.sql`
          SELECT listed.place, listed.at, ${row} AS found FROM (${Prisma.join(selects, ' UNION ALL ')}) AS listed (place, at, id)
            JOIN ${Prisma.raw(table)} AS r ON r.id = listed.id`;
  return await readInPlaces(pool, asked, statement);
}

/**
 * The rows that meet the condition, which includes what the viewer may see: of the list of all rows, by their ids. One
 * statement.
 */
export async function readVisible<Row extends object>(
  pool: pg.Pool,
  table: Table,
  where: object,
  { sql, read }: JsonRows,
  { order, limit }: Pick<PageWindow, 'order' | 'limit'>,
): Promise<Row[]> {
  const condition = whereSql(where, 'r', relationsOf(table, 'r'));
  const { text, values } = Prisma.sql`
    SELECT ${sql} AS found FROM ${Prisma.raw(table)} AS r WHERE ${condition}
     ORDER BY r.id ${Prisma.raw(order)} LIMIT ${Prisma.raw(String(limit))}`;
  const { rows } = await pool.query<{ found: unknown }>({ text, values });
  return rows.map(({ found }) => read(found) as Row);
}

/** The row that meets the condition, which also names the row; null if there is none. One statement. */
export async function findVisible<Row extends object>(
  pool: pg.Pool,
  table: Table,
  where: object,
  { sql, read }: JsonRows,
): Promise<Row | null> {
  const condition = whereSql(where, 'r', relationsOf(table, 'r'));
  const statement = Prisma.sql`SELECT ${sql} AS found FROM ${Prisma.raw(table)} AS r WHERE ${condition} LIMIT 1`;
  const { rows } = await pool.query<{ found: unknown }>(prepared(statement));
  const [row] = rows;
  return row === undefined ? null : (read(row.found) as Row);
}

function selectsOf(table: Table, asked: readonly VisiblePage[]): Prisma.Sql[] {
  return asked.flatMap((page, place) => {
    const read = pageSql(table, page);
    return read === null
      ? []
      : Prisma.sql`(SELECT ${place}::int AS place, at, id AS found FROM (${read}) AS page)`;
  });
}

/**
 * Whether the page is read in the same way whatever its values are: from the index of each site, in its order. The part of the
 * rows that is a person's, or within a period, or has the words that are sought, may be any: there PostgreSQL plans for the values.
 */
function isReadAlike({ ways, others = [], sought, isWithinPeriod }: VisiblePage): boolean {
  return !ways.some(isOfPerson) && others.length === 0 && sought === undefined && isWithinPeriod !== true;
}

async function readInPlaces<Found>(
  pool: pg.Pool,
  asked: readonly VisiblePage[],
  statement: Prisma.Sql | null,
): Promise<Found[][]> {
  const pages: Found[][] = asked.map(() => []);
  if (statement === null) return pages;
  const { rows } = await pool.query<{ place: number; at: string; found: Found }>(
    asked.every(isReadAlike) ? prepared(statement) : { text: statement.text, values: statement.values },
  );
  for (const { place, found } of rows.toSorted((a, b) => Number(a.at) - Number(b.at)))
    pages[place]?.push(found);
  return pages;
}

/** How many rows there are, counted up to the limit of each window. One statement. */
export async function countVisible(
  pool: pg.Pool,
  table: Table,
  asked: readonly VisiblePage[],
): Promise<number[]> {
  const counts = asked.map(() => 0);
  const selects = asked.flatMap((page, place) => {
    const read = pageSql(table, page);
    return read === null
      ? []
      : Prisma.sql`(SELECT ${place}::int AS place, count(*)::int AS count FROM (${read}) AS page)`;
  });
  if (selects.length === 0) return counts;
  const { text, values } = Prisma.join(selects, ' UNION ALL ');
  const { rows } = await pool.query<{ place: number; count: number }>({ text, values });
  for (const { place, count } of rows) counts[place] = count;
  return counts;
}

/** What the reads return together, each row once, numbered in the order of the page. Null: there is nothing to read. */
function pageSql(table: Table, page: VisiblePage): Prisma.Sql | null {
  const reads = readsOf(table, page);
  if (reads.length === 0) return null;
  const each = reads.map((read) => Prisma.sql`(SELECT key, id FROM (${read}) AS way)`);
  const order = Prisma.raw(`ORDER BY key ${page.window.order}, id ${page.window.order}`);
  return Prisma.sql`${soughtFirst(table, page)}
    SELECT row_number() OVER (${order}) AS at, id FROM (${Prisma.join(each, ' UNION ')}) AS seen
     ${order} LIMIT ${Prisma.raw(String(page.window.limit))}`;
}

/** What is sought among all rows is looked for before them, as `found`. */
function soughtFirst(table: Table, { others = [], sought }: VisiblePage): Prisma.Sql {
  if (sought === undefined || others.length === 0) return Prisma.empty;
  const { table: name } = soughtOn[table];
  return Prisma.sql`
    WITH found AS MATERIALIZED
      (SELECT its.id FROM ${Prisma.raw(name)} AS its WHERE ${whereSql(sought, 'its', relationsOf(name, 'its'))} LIMIT ${few + 1})`;
}

function readsOf(tableName: Table, { ways, others = [], filter, sought, window, by = 'id' }: VisiblePage) {
  const table = Prisma.raw(tableName);
  const relations = relationsOf(tableName, 'r');
  const isSought = sought === undefined ? [] : [soughtOf(tableName, sought)];
  const restOf = (where: object, also: readonly Prisma.Sql[] = isSought) =>
    restOfPage([whereSql({ AND: [where, filter] }, 'r', relations), ...also], window, by);
  const columns = Prisma.sql`${keySql(by)} AS key, r.id`;
  const ofWays = ways.map(({ where = {}, ...way }) => {
    if (tableName === 'accounts') return membersOf(way, columns, restOf(where));
    if (tableName === 'role_assignments') return rolesIn(way, columns, restOf(where));
    const ofTicket = Prisma.raw(tableName === 'tickets' ? 'r.id' : 'r.ticket_id');
    const product =
      way.productId === undefined || tableName !== 'tickets'
        ? Prisma.empty
        : Prisma.sql`AND r.product_id = ${way.productId}`;
    return isOfPerson(way)
      ? Prisma.sql`
          SELECT on_ticket.key, on_ticket.id FROM ${ownTickets(way)} AS t
           CROSS JOIN LATERAL (SELECT ${columns} FROM ${table} AS r WHERE ${ofTicket} = t.id AND ${restOf(where)}) AS on_ticket`
      : Prisma.sql`
          SELECT on_site.key, on_site.id FROM sites AS s
           CROSS JOIN LATERAL (SELECT ${columns} FROM ${table} AS r WHERE r.site_id = s.id ${product} AND ${restOf(where)}) AS on_site
           WHERE ${isPlace(way)}`;
  });
  const besides = others.flatMap((where) =>
    sought === undefined
      ? [Prisma.sql`SELECT ${columns} FROM ${table} AS r WHERE ${restOf(where)}`]
      : readsOfSought(tableName, columns, sought, (also) => restOf(where, also)),
  );
  return [...ofWays, ...besides];
}

/** What is on the few that were found, or, where more were found, the list in its order. */
function readsOfSought(
  tableName: Table,
  columns: Prisma.Sql,
  sought: object,
  restOf: (also: readonly Prisma.Sql[]) => Prisma.Sql,
): Prisma.Sql[] {
  const table = Prisma.raw(tableName);
  const isOnFound = Prisma.raw(`r.${soughtOn[tableName].column}`);
  return [
    Prisma.sql`
      SELECT on_found.key, on_found.id FROM found
       CROSS JOIN LATERAL (SELECT ${columns} FROM ${table} AS r WHERE ${isOnFound} = found.id AND ${restOf([])}) AS on_found
       WHERE (SELECT count(*) FROM found) <= ${few}`,
    Prisma.sql`
      SELECT ${columns} FROM ${table} AS r
       WHERE (SELECT count(*) FROM found) > ${few} AND ${restOf([walkedFor(tableName, sought)])}`,
  ];
}

/** Whether a row is of what is sought, as a condition that PostgreSQL may read in any way. */
function soughtOf(tableName: Table, sought: object): Prisma.Sql {
  const { relation } = soughtOn[tableName];
  return whereSql(relation === null ? sought : { [relation]: sought }, 'r', relationsOf(tableName, 'r'));
}

/** The same as a condition that is looked at for each row. */
function walkedFor(tableName: Table, sought: object): Prisma.Sql {
  const { table, column, relation } = soughtOn[tableName];
  if (relation === null) return Prisma.sql`(SELECT ${soughtOf(tableName, sought)})`;
  const condition = whereSql(sought, 'its', relationsOf(table, 'its'));
  return Prisma.sql`(SELECT ${condition} FROM ${Prisma.raw(table)} AS its WHERE its.id = ${Prisma.raw(`r.${column}`)})`;
}

/** The members of the organizations. */
function membersOf({ organizationIds = [] }: TicketWay, columns: Prisma.Sql, rest: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`
      SELECT member.key, member.id FROM unnest(${organizationIds}::uuid[]) AS organization (id)
       CROSS JOIN LATERAL (SELECT ${columns} FROM memberships AS m JOIN accounts AS r ON r.id = m.account_id
                            WHERE m.organization_id = organization.id AND ${rest}) AS member`;
}

/** The roles in the organizations. */
function rolesIn({ organizationIds = [] }: TicketWay, columns: Prisma.Sql, rest: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`
      SELECT held.key, held.id FROM unnest(${organizationIds}::uuid[]) AS organization (id)
       CROSS JOIN LATERAL (SELECT ${columns} FROM role_assignments AS r
                            WHERE r.organization_id = organization.id AND ${rest}) AS held`;
}

/** The conditions on what belongs to the rows of the table called `alias`. */
export function relationsOf(tableName: string, alias: string): Relations {
  const of = (column: string) => Prisma.raw(`${alias}.${column}`);
  switch (tableName) {
    case 'accounts':
      return {
        memberships: (where) =>
          Prisma.sql`EXISTS (SELECT FROM memberships AS held WHERE held.account_id = ${of('id')} AND ${whereSql(where, 'held')})`,
        words: ({ begin }: { begin?: string }) => wordsSql(alias, ['name', 'email'], begin ?? ''),
      };
    case 'role_assignments':
      return {
        account: (where) =>
          Prisma.sql`EXISTS (SELECT FROM accounts AS its WHERE its.id = ${of('account_id')} AND ${whereSql(where, 'its', relationsOf('accounts', 'its'))})`,
      };
    case 'tickets':
      return {
        site: (where) =>
          Prisma.sql`EXISTS (SELECT FROM sites AS place WHERE place.id = ${of('site_id')} AND ${whereSql(where, 'place')})`,
        product: (where) =>
          Prisma.sql`EXISTS (SELECT FROM products AS place WHERE place.id = ${of('product_id')} AND ${whereSql(where, 'place')})`,
        grants: ({ some = {} }: { some?: object }) =>
          Prisma.sql`EXISTS (SELECT FROM grants AS had WHERE had.ticket_id = ${of('id')} AND ${whereSql(some, 'had')})`,
        integration: (where) =>
          Prisma.sql`EXISTS (SELECT FROM accounts AS its WHERE its.id = ${of('integration_id')} AND ${whereSql(where, 'its')})`,
        words: ({ begin }: { begin?: string }) => wordsSql(alias, ['key', 'summary'], begin ?? ''),
      };
    default:
      return {
        ticket: (where) =>
          Prisma.sql`EXISTS (SELECT FROM tickets AS its WHERE its.id = ${of('ticket_id')} AND ${whereSql(where, 'its', relationsOf('tickets', 'its'))})`,
      };
  }
}

function isOfPerson({ reporterId, assigneeId, approvedById }: TicketWay): boolean {
  return [reporterId, assigneeId, approvedById].some((id) => id !== undefined);
}

/** The tickets that a person filed, that are assigned to them, or on which they approved a grant. */
function ownTickets(way: TicketWay): Prisma.Sql {
  const { reporterId, assigneeId, approvedById } = way;
  const conditions = [
    ...(reporterId === undefined ? [] : [Prisma.sql`own.reporter_id = ${reporterId}`]),
    ...(assigneeId === undefined ? [] : [Prisma.sql`own.assignee_id = ${assigneeId}`]),
    Prisma.sql`EXISTS (SELECT FROM sites AS s WHERE s.id = own.site_id AND ${isPlace(way)})`,
  ];
  const those = Prisma.join(conditions, ' AND ');
  return approvedById === undefined
    ? Prisma.sql`(SELECT own.* FROM tickets AS own WHERE ${those})`
    : Prisma.sql`
        (SELECT own.* FROM (SELECT DISTINCT ticket_id FROM grants WHERE customer_approved_by_id = ${approvedById}) AS approved
          CROSS JOIN LATERAL (SELECT * FROM tickets WHERE id = approved.ticket_id LIMIT 1) AS own
          WHERE ${those})`;
}

function isPlace({ organizationIds, experiences, siteIds }: TicketWay): Prisma.Sql {
  const conditions = [
    ...(organizationIds === undefined ? [] : [Prisma.sql`s.organization_id = ANY (${organizationIds})`]),
    ...(experiences === undefined ? [] : [Prisma.sql`s.experience = ANY (${experiences})`]),
    ...(siteIds === undefined ? [] : [Prisma.sql`s.id = ANY (${siteIds})`]),
  ];
  return conditions.length === 0 ? Prisma.sql`true` : Prisma.join(conditions, ' AND ');
}

/** The value by which rows are ordered. Two partial indexes have that of pending requests. */
function keySql(by: SortKey): Prisma.Sql {
  return Prisma.raw(by === 'id' ? 'r.id' : 'LEAST(r.approval_due_at, r.expires_at)');
}

/** The conditions, the bounds, the order and the size of a page of rows of the table called `r`. */
function restOfPage(
  conditions: readonly Prisma.Sql[],
  { below, above, order, limit }: PageWindow,
  by: SortKey,
): Prisma.Sql {
  const [id, key, direction] = [Prisma.raw('r.id'), keySql(by), Prisma.raw(order)];
  const beyond = (comparison: Prisma.Sql, bound: string) => {
    if (by === 'id') return Prisma.sql`${id} ${comparison} ${bound}`;
    const { id: at, due } = readDueKey(bound);
    return Prisma.sql`(${key}, ${id}) ${comparison} (${due}::timestamptz, ${at}::uuid)`;
  };
  const all = [
    ...conditions,
    ...(by === 'id' ? [] : [Prisma.raw(`r.state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL')`)]),
    ...(below === null ? [] : [beyond(Prisma.raw('<'), below)]),
    ...(above === null ? [] : [beyond(Prisma.raw('>'), above)]),
  ];
  const sorting =
    by === 'id' ? Prisma.sql`${id} ${direction}` : Prisma.sql`${key} ${direction}, ${id} ${direction}`;
  return Prisma.sql`${Prisma.join(all, ' AND ')} ORDER BY ${sorting} LIMIT ${Prisma.raw(String(limit))}`;
}

/** The place of a request in the order of what is due: its id, and when. */
export function dueKey(id: string, due: Date): string {
  return `${id}:${due.getTime()}`;
}

export function readDueKey(key: string): { id: string; due: Date } {
  const [id = '', due = ''] = key.split(':');
  return { id, due: new Date(Number(due)) };
}
