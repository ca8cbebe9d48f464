import type { Product, Site, Ticket } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';

/** A ticket with the product that it is about and the site of that product. */
export type TicketOnProduct = Ticket & { site: Site; product: Product };

/** The ticket, or the ticket of the grant, with its site and product. One statement. */
export async function findTicket(
  tx: Transaction,
  by: { ticketId: string } | { grantId: string },
): Promise<TicketOnProduct | null> {
  return await tx.ticket.findFirst({
    where: 'ticketId' in by ? { id: by.ticketId } : { grants: { some: { id: by.grantId } } },
    include: { site: true, product: true },
    relationLoadStrategy: 'join',
  });
}

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

/** The next ticket key, such as `SUP-1042`. Numbers may be skipped, but never repeated. */
export async function nextTicketKey(tx: Transaction): Promise<string> {
  const [row] = await tx.$queryRawUnsafe<{ number: string }[]>(
    `SELECT nextval('ticket_numbers')::text AS number`,
  );
  if (row === undefined) throw new Error('nextval returned no row');
  return `SUP-${row.number}`;
}

export async function insertTicket(tx: Transaction, ticket: Ticket): Promise<void> {
  await tx.ticket.create({ data: ticket });
}

/**
 * Writes a ticket if it still has the version that the change was decided on. Returns false if another transaction
 * was first.
 */
export async function updateTicket(tx: Transaction, { id, ...ticket }: Ticket): Promise<boolean> {
  const { status, assigneeId, closedAt, version } = ticket;
  const { count } = await tx.ticket.updateMany({
    where: { id, version: version - 1 },
    data: { status, assigneeId, closedAt, version },
  });
  return count === 1;
}
