import type { Product, Site, Ticket } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';

/** A ticket with the product that it is about and the site of that product. */
export type TicketOnProduct = Ticket & { site: Site; product: Product };

/** The tickets with these ids, in the same order; null for an id without a ticket. One statement. */
export async function listTickets(
  tx: Transaction,
  ids: readonly string[],
): Promise<(TicketOnProduct | null)[]> {
  const found = await tx.ticket.findMany({
    where: { id: { in: [...ids] } },
    include: { site: true, product: true },
    relationLoadStrategy: 'join',
  });
  const byId = new Map(found.map((ticket) => [ticket.id, ticket]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** The tickets of these grants. One statement. */
export async function listTicketsOfGrants(
  tx: Transaction,
  grantIds: readonly string[],
): Promise<TicketOnProduct[]> {
  return await tx.ticket.findMany({
    where: { grants: { some: { id: { in: [...grantIds] } } } },
    include: { site: true, product: true },
    relationLoadStrategy: 'join',
  });
}

/** The next ticket key, such as `SUP-1042`. Numbers may be skipped, but never repeated. */
export async function nextTicketKey(tx: Transaction): Promise<string> {
  const [row] = await tx.$queryRawUnsafe<{ number: string }[]>(
    `SELECT nextval('ticket_numbers')::text AS number`,
  );
  if (row === undefined) throw new Error('nextval returned no row');
  return `SUP-${row.number}`;
}

/** The ticket that the integration calls by this id. One statement. */
export async function findExternalTicket(
  tx: Transaction,
  by: { integrationId: string; externalId: string },
): Promise<Ticket | null> {
  const { integrationId, externalId } = by;
  return await tx.ticket.findUnique({ where: { integrationId_externalId: { integrationId, externalId } } });
}

export async function insertTicket(tx: Transaction, ticket: Ticket): Promise<void> {
  await tx.ticket.create({ data: ticket });
}

/**
 * Writes tickets that still have the version that the change was decided on. One statement, however many.
 *
 * @throws WriteConflictError when another transaction has changed one of them since.
 */
export async function updateTickets(tx: Transaction, tickets: readonly Ticket[]): Promise<void> {
  const rows = tickets.map(
    ({ id, summary, productId, status, assigneeId, closedAt, version, ...remembered }) => ({
      ...{ id, summary, status, version },
      ...{ product_id: productId, assignee_id: assigneeId, closed_at: closedAt },
      ...{ status_moment: remembered.statusMoment, assignment_moment: remembered.assignmentMoment },
      ...{ summary_moment: remembered.summaryMoment, product_moment: remembered.productMoment },
    }),
  );
  const written = await tx.$executeRawUnsafe(
    `UPDATE tickets AS known
        SET summary = changed.summary, product_id = changed.product_id, status = changed.status, assignee_id = changed.assignee_id, closed_at = changed.closed_at, version = changed.version,
            status_moment = changed.status_moment, assignment_moment = changed.assignment_moment,
            summary_moment = changed.summary_moment, product_moment = changed.product_moment
       FROM jsonb_populate_recordset(NULL::tickets, $1::jsonb) AS changed
      WHERE known.id = changed.id AND known.version = changed.version - 1`,
    JSON.stringify(rows),
  );
  if (written !== rows.length) throw new WriteConflictError();
}

/** The engineer's tickets that are not closed, in the order of their ids. One statement. */
export async function listOpenTicketsOfEngineer(
  tx: Transaction,
  engineerId: string,
): Promise<TicketOnProduct[]> {
  return await tx.ticket.findMany({
    where: { assigneeId: engineerId, status: { not: 'CLOSED' } },
    include: { site: true, product: true },
    relationLoadStrategy: 'join',
    orderBy: { id: 'asc' },
  });
}
