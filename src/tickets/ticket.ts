/** A support ticket about one product on one site. Its grants end when it closes. Pure functions. */
import type { Ticket } from '../../prisma/generated/client/client.ts';

export type { Ticket };

export type TicketCommand =
  | { type: 'Assign'; engineerId: string | null }
  | { type: 'Close' }
  /** `unassign`: its engineer can no longer work on it. */
  | { type: 'Reopen'; unassign: boolean }
  | { type: 'UpdateStatus'; status: 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED' };

export type TicketRefusal = 'TICKET_CLOSED' | 'TICKET_NOT_CLOSED';
export type TicketDecision = { changed: Ticket } | { unchanged: true } | { refused: TicketRefusal };

/**
 * Decides what a command does to a ticket. Reopening a ticket does not reopen its grants: the engineer requests
 * access again.
 */
export function decideTicket(ticket: Ticket, command: TicketCommand, now: Date): TicketDecision {
  const closed = ticket.status === 'CLOSED';
  switch (command.type) {
    case 'Assign':
      if (closed) return { refused: 'TICKET_CLOSED' };
      return ticket.assigneeId === command.engineerId
        ? { unchanged: true }
        : changed(ticket, { assigneeId: command.engineerId });
    case 'Close':
      return closed ? { refused: 'TICKET_CLOSED' } : changed(ticket, { status: 'CLOSED', closedAt: now });
    case 'Reopen':
      if (!closed) return { refused: 'TICKET_NOT_CLOSED' };
      return changed(ticket, {
        ...{ status: 'OPEN', closedAt: null },
        ...(command.unassign ? { assigneeId: null } : {}),
      });
    case 'UpdateStatus':
      if (closed) return { refused: 'TICKET_CLOSED' };
      return ticket.status === command.status
        ? { unchanged: true }
        : changed(ticket, { status: command.status });
  }
}

function changed(ticket: Ticket, change: Partial<Ticket>): TicketDecision {
  return { changed: { ...ticket, ...change, version: ticket.version + 1 } };
}
