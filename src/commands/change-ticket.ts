/** The commands that change a ticket, and what each does to the ticket's grants. */
import type { GrantCommand } from '../grants/lifecycle.ts';
import type { Transaction } from '../platform/database.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { updateTicket } from '../tickets/store.ts';
import { decideTicket, type Ticket, type TicketCommand, type TicketRefusal } from '../tickets/ticket.ts';
import { changeOpenGrants } from './change-grant.ts';
import type { DecisionContext, Outcome } from './command.ts';
import { invalidInput, invalidState, type Refusal } from './refusal.ts';
import { grantSubjectOf, ticketCommand } from './ticket-command.ts';
import type { TicketFacts } from './ticket-facts.ts';

function changeTicket(
  facts: TicketFacts,
  by: DecisionContext,
  command: TicketCommand,
  onGrants: GrantCommand | null,
  auditDetails = statusesOf,
): Outcome<Ticket> {
  const { site: _site, product: _product, ...ticket } = facts.ticket;
  const decision = decideTicket(ticket, command, by.now);
  if ('refused' in decision) return { refused: refusalOf(command, decision.refused) };
  if ('unchanged' in decision) return { answer: ticket, entry: { details: auditDetails(ticket, ticket) } };
  const { changed } = decision;
  return {
    answer: changed,
    entry: { details: auditDetails(ticket, changed) },
    grants:
      onGrants === null
        ? []
        : changeOpenGrants(facts.grants, onGrants, {
            ...grantSubjectOf({ ...facts.ticket, ...changed }),
            by,
          }),
    write: async (tx) => {
      if (!(await updateTicket(tx, changed))) throw new WriteConflictError();
    },
  };
}

function refusalOf({ type }: TicketCommand, code: TicketRefusal): Refusal {
  return type === 'Close' ? invalidState(code, 'The ticket is closed already.') : invalidState(code);
}

/** The details of a change of status, for the audit log. */
function statusesOf(before: Ticket, after: Ticket): Record<string, unknown> {
  return { from: before.status, to: after.status };
}

function engineersOf(before: Ticket, after: Ticket): Record<string, unknown> {
  return { engineerId: after.assigneeId, formerEngineerId: before.assigneeId };
}

/** Closing a ticket revokes what is active on it and withdraws what is pending. */
export const closeTicket = ticketCommand<{ ticketId: string }, Ticket>({
  operation: 'closeTicket',
  action: 'ticket.close',
  refusals: ['TICKET_CLOSED'],
  decide: (facts, _, by) =>
    changeTicket(facts, by, { type: 'Close' }, { type: 'CloseTicket', by: by.viewer.id }),
});

/** Reopening revives no grant: the engineer asks again. */
export const reopenTicket = ticketCommand<{ ticketId: string }, Ticket>({
  operation: 'reopenTicket',
  action: 'ticket.reopen',
  refusals: ['TICKET_NOT_CLOSED'],
  decide: (facts, _, by) => changeTicket(facts, by, { type: 'Reopen' }, null),
});

export type UpdateTicketStatusInput = {
  ticketId: string;
  status: 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED';
};

/** Every status but closed, which has a command of its own because grants end with it. */
export const updateTicketStatus = ticketCommand<UpdateTicketStatusInput, Ticket>({
  operation: 'updateTicketStatus',
  action: 'ticket.update_status',
  refusals: ['TICKET_CLOSED'],
  decide: (facts, { status }, by) => changeTicket(facts, by, { type: 'UpdateStatus', status }, null),
});

export type AssignTicketInput = { ticketId: string; engineerId: string | null };

/** The engineer who is assigned receives the ticket's open grants; the one who was, loses them at once. */
export const assignTicket = ticketCommand<AssignTicketInput, Ticket, { engineerIsKnown: boolean }>({
  operation: 'assignTicket',
  action: 'ticket.assign',
  refusals: ['TICKET_CLOSED'],
  extra: async (tx, { engineerId }) => ({
    engineerIsKnown: engineerId !== null && (await isEngineer(tx, engineerId)),
  }),
  decide: (facts, { engineerId }, by) =>
    engineerId === null || facts.engineerIsKnown === true
      ? changeTicket(facts, by, { type: 'Assign', engineerId }, { type: 'Reassign', engineerId }, engineersOf)
      : { refused: invalidInput('engineerId', 'must be an active support engineer.') },
});

async function isEngineer(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.account.count({ where: { id, kind: 'SUPPORT_ENGINEER', active: true } })) === 1;
}
