/** A support ticket about one product on one site. Its grants end when it closes. Pure functions. */
import type { Ticket } from '../../prisma/generated/client/client.ts';
import { laterOf, type Moment, momentOf } from './moment.ts';

export type { Ticket };

/** Names a ticket: by its id, or by the key that people call it by. */
export type TicketRef = { ticketId: string } | { ticketKey: string };

export type TicketCommand =
  | { type: 'Assign'; engineerId: string | null }
  | { type: 'Close' }
  /** `unassign`: its engineer can no longer work on it. */
  | { type: 'Reopen'; unassign: boolean }
  | { type: 'UpdateStatus'; status: 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED' };

/** When the ticketing system says that it happened. Left out: it happens now, in Latchkey. */
type Told = { moment?: Moment | undefined };

export type TicketRefusal = 'TICKET_CLOSED' | 'TICKET_NOT_CLOSED';
export type TicketDecision = { changed: Ticket } | { unchanged: true } | { refused: TicketRefusal };

/**
 * Decides what a command does to a ticket. What is so already stays so, as somebody who repeats a command expects.
 * Reopening a ticket does not reopen its grants: the engineer requests access again.
 */
export function decideTicket(ticket: Ticket, command: TicketCommand & Told, now: Date): TicketDecision {
  const closed = ticket.status === 'CLOSED';
  const { moment = momentOf(now) } = command;
  const statusSet = remember(ticket, 'statusMoment', moment);
  const engineerSet = remember(ticket, 'assignmentMoment', moment);
  switch (command.type) {
    case 'Assign':
      if (ticket.assigneeId === command.engineerId) return { unchanged: true };
      return closed
        ? { refused: 'TICKET_CLOSED' }
        : changed(ticket, { assigneeId: command.engineerId, ...engineerSet });
    case 'Close':
      return closed
        ? { unchanged: true }
        : changed(ticket, { status: 'CLOSED', closedAt: now, ...statusSet });
    case 'Reopen':
      if (!closed) return { refused: 'TICKET_NOT_CLOSED' };
      return changed(ticket, {
        ...{ status: 'OPEN', closedAt: null, ...statusSet },
        ...(command.unassign ? { assigneeId: null, ...engineerSet } : {}),
      });
    case 'UpdateStatus':
      if (closed) return { refused: 'TICKET_CLOSED' };
      return ticket.status === command.status
        ? { unchanged: true }
        : changed(ticket, { status: command.status, ...statusSet });
  }
}

/** What a ticket remembers that its ticketing system tells of. It never remembers less than before. */
export function remember(
  ticket: Ticket,
  column: 'statusMoment' | 'assignmentMoment',
  moment: Moment,
): Partial<Ticket> {
  return ticket.externalId === null ? {} : { [column]: laterOf(moment, ticket[column]) };
}

function changed(ticket: Ticket, change: Partial<Ticket>): TicketDecision {
  return { changed: { ...ticket, ...change, version: ticket.version + 1 } };
}
