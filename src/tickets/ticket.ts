/** A support ticket about one product on one site. Its grants end when it closes. Pure functions. */
import type { Ticket } from '../../prisma/generated/client/client.ts';
import { laterOf, type Moment, momentOf } from './moment.ts';

export type { Ticket };

/**
 * Names a ticket: by its id, by the key that people call it by, or by the id that it has in the ticketing system of the
 * service account with this address.
 */
export type TicketRef =
  | { ticketId: string }
  | { ticketKey: string }
  | { externalId: string; integrationEmail: string };

export type TicketCommand =
  | { type: 'Assign'; engineerId: string | null }
  | { type: 'Close' }
  /** `unassign`: its engineer can no longer work on it. */
  | { type: 'Reopen'; unassign: boolean }
  | { type: 'UpdateStatus'; status: OpenStatus }
  | ({ type: 'Update' } & TicketUpdate);

export type OpenStatus = 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED';

/** What an update sets. Left out: that stays as it is. */
export type TicketUpdate = {
  summary?: string | undefined;
  productId?: string | undefined;
  status?: OpenStatus | 'CLOSED' | undefined;
};

/** What a ticket of a ticketing system remembers: when each was last set. */
type MomentColumn = 'statusMoment' | 'assignmentMoment' | 'summaryMoment' | 'productMoment';

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
    case 'Update':
      return update(ticket, command, now);
  }
}

/** A closed ticket may get another summary or product, and is reopened by a command of its own. */
function update(
  ticket: Ticket,
  { summary, productId, status, moment }: TicketUpdate & Told,
  now: Date,
): TicketDecision {
  const closed = ticket.status === 'CLOSED';
  if (closed && status !== undefined && status !== 'CLOSED') return { refused: 'TICKET_CLOSED' };
  const change = {
    ...(summary === undefined ? {} : set(ticket, 'summary', summary, 'summaryMoment', now, moment)),
    ...(productId === undefined ? {} : set(ticket, 'productId', productId, 'productMoment', now, moment)),
    ...(status === undefined ? {} : set(ticket, 'status', status, 'statusMoment', now, moment)),
    ...(status === 'CLOSED' && !closed ? { closedAt: now } : {}),
  };
  return Object.keys(change).length === 0 ? { unchanged: true } : changed(ticket, change);
}

/** The columns that change. A ticket also remembers that it was told what is so already. */
function set<Column extends 'summary' | 'productId' | 'status'>(
  ticket: Ticket,
  column: Column,
  value: Ticket[Column],
  remembered: MomentColumn,
  now: Date,
  told: Moment | undefined,
): Partial<Ticket> {
  const memory = remember(ticket, remembered, told ?? momentOf(now));
  if (ticket[column] !== value) return { [column]: value, ...memory };
  return told !== undefined && memory[remembered] !== undefined && memory[remembered] !== ticket[remembered]
    ? memory
    : {};
}

/** What a ticket remembers that its ticketing system tells of. It never remembers less than before. */
export function remember(ticket: Ticket, column: MomentColumn, moment: Moment): Partial<Ticket> {
  return ticket.externalId === null ? {} : { [column]: laterOf(moment, ticket[column]) };
}

function changed(ticket: Ticket, change: Partial<Ticket>): TicketDecision {
  return { changed: { ...ticket, ...change, version: ticket.version + 1 } };
}
