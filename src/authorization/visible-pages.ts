/**
 * Pages of what a viewer sees who sees things in several ways. Each way is a read of its own, from an index in the order
 * of the list, and the reads are merged: as one condition with OR, PostgreSQL would walk everybody's rows until it had
 * enough of the viewer's.
 */
import type pg from 'pg';
import { Prisma } from '../../prisma/generated/client/client.ts';
import type { PageWindow } from '../platform/page-windows.ts';
import { whereSql } from '../platform/where-sql.ts';
import type { GrantWay, TicketWay } from './visibility.ts';

/** The ids of the tickets of a page: those seen in any of the ways that pass the filter. One statement. */
export async function listVisibleTicketIds(
  pool: pg.Pool,
  ways: readonly TicketWay[],
  filter: Prisma.TicketWhereInput,
  window: PageWindow,
): Promise<string[]> {
  const rest = restOfPage('t', whereSql(filter, 't'), window);
  return await listIds(
    pool,
    window,
    ways.map((way) => {
      if (isOfPerson(way)) return Prisma.sql`SELECT t.id FROM ${ownTickets(way)} AS t WHERE ${rest}`;
      const product =
        way.productId === undefined ? Prisma.empty : Prisma.sql`AND t.product_id = ${way.productId}`;
      return Prisma.sql`
      SELECT on_site.id FROM sites AS s
       CROSS JOIN LATERAL (SELECT t.id FROM tickets AS t WHERE t.site_id = s.id ${product} AND ${rest}) AS on_site
       WHERE ${isPlace(way)}`;
    }),
  );
}

/** What is on tickets, and seen with their grants. */
type TableOnTickets = 'grants' | 'support_sessions' | 'change_requests';

/**
 * The ids of the rows of a page, likewise: those on tickets that are seen in any of the ways, and those that meet one of
 * the conditions in `others`. One statement.
 */
export async function listVisibleIds(
  pool: pg.Pool,
  tableName: TableOnTickets,
  ways: readonly GrantWay[],
  filter: object,
  window: PageWindow,
  others: readonly object[] = [],
): Promise<string[]> {
  const ofTicket = (where: object) =>
    Prisma.sql`EXISTS (SELECT FROM tickets AS its WHERE its.id = r.ticket_id AND ${whereSql(where, 'its', places)})`;
  const rest = restOfPage('r', whereSql(filter, 'r', { ticket: ofTicket }), window);
  const table = Prisma.raw(tableName);
  const onTickets = ways.map((way) =>
    isOfPerson(way)
      ? Prisma.sql`
          SELECT on_ticket.id FROM ${ownTickets(way)} AS t
           CROSS JOIN LATERAL (SELECT r.id FROM ${table} AS r WHERE r.ticket_id = t.id AND ${rest}) AS on_ticket`
      : Prisma.sql`
          SELECT on_site.id FROM sites AS s
           CROSS JOIN LATERAL (SELECT r.id FROM ${table} AS r WHERE r.site_id = s.id AND ${rest}) AS on_site
           WHERE ${isPlace(way)}`,
  );
  const besides = others.map(
    (where) => Prisma.sql`SELECT r.id FROM ${table} AS r WHERE ${whereSql(where, 'r')} AND ${rest}`,
  );
  return await listIds(pool, window, [...onTickets, ...besides]);
}

/** The conditions on the site and the product of the ticket called `its`. */
const places = {
  site: (where: object) =>
    Prisma.sql`EXISTS (SELECT FROM sites AS place WHERE place.id = its.site_id AND ${whereSql(where, 'place')})`,
  product: (where: object) =>
    Prisma.sql`EXISTS (SELECT FROM products AS place WHERE place.id = its.product_id AND ${whereSql(where, 'place')})`,
};

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

function isPlace({ organizationIds, experiences, siteId }: TicketWay): Prisma.Sql {
  const conditions = [
    ...(organizationIds === undefined ? [] : [Prisma.sql`s.organization_id = ANY (${organizationIds})`]),
    ...(experiences === undefined ? [] : [Prisma.sql`s.experience = ANY (${experiences})`]),
    ...(siteId === undefined ? [] : [Prisma.sql`s.id = ${siteId}`]),
  ];
  return conditions.length === 0 ? Prisma.sql`true` : Prisma.join(conditions, ' AND ');
}

/** The filter, the bounds, the order and the size of a page of rows of the table called `alias`. */
function restOfPage(
  alias: string,
  filter: Prisma.Sql,
  { below, above, order, limit }: PageWindow,
): Prisma.Sql {
  const id = Prisma.raw(`${alias}.id`);
  const conditions = [
    filter,
    ...(below === null ? [] : [Prisma.sql`${id} < ${below}`]),
    ...(above === null ? [] : [Prisma.sql`${id} > ${above}`]),
  ];
  return Prisma.sql`${Prisma.join(conditions, ' AND ')} ORDER BY ${id} ${Prisma.raw(order)} LIMIT ${limit}`;
}

/** What the reads return together, each row once. Planned for its values: a viewer's part of the rows may be any. */
async function listIds(
  pool: pg.Pool,
  { order, limit }: PageWindow,
  reads: readonly Prisma.Sql[],
): Promise<string[]> {
  if (reads.length === 0) return [];
  const each = reads.map((read) => Prisma.sql`(SELECT id FROM (${read}) AS way)`);
  const { text, values } = Prisma.sql`
    SELECT id FROM (${Prisma.join(each, ' UNION ')}) AS seen ORDER BY id ${Prisma.raw(order)} LIMIT ${limit}`;
  const { rows } = await pool.query<{ id: string }>({ text, values });
  return rows.map(({ id }) => id);
}
