/** The commands that change a ticket, and what each does to the ticket's grants and change requests. */
import type { EndOfItsUse } from '../changes/change-request.ts';
import { listOpenChangeRequests } from '../changes/store.ts';
import type { GrantCommand } from '../grants/lifecycle.ts';
import type { Transaction } from '../platform/database.ts';
import { shareCaseload, shareCaseloadOfAssignee } from '../tickets/locks.ts';
import type { Moment } from '../tickets/moment.ts';
import { updateTickets } from '../tickets/store.ts';
import { decideTicket, type Ticket, type TicketCommand, type TicketRefusal } from '../tickets/ticket.ts';
import { changeOpenGrants } from './change-grant.ts';
import type { DecisionContext, Outcome } from './command.ts';
import { andEndChangeRequests } from './end-change-requests.ts';
import { invalidInput, invalidState, type Refusal } from './refusal.ts';
import { grantSubjectOf, ticketCommand } from './ticket-command.ts';
import type { TicketFacts } from './ticket-facts.ts';

/** Decides a command on a ticket, and what it does to the ticket's open grants and change requests. */
export function changeTicket(
  facts: TicketFacts,
  by: DecisionContext,
  command: TicketCommand & { moment?: Moment | undefined },
  onGrants: GrantCommand | null,
  auditDetails = statusesOf,
): Outcome<Ticket> {
  const { site: _site, product: _product, ...ticket } = facts.ticket;
  const decision = decideTicket(ticket, command, by.now);
  if ('refused' in decision) return { refused: refusalOf(command, decision.refused) };
  if ('unchanged' in decision) return { answer: ticket, entry: { details: auditDetails(ticket, ticket) } };
  const { changed } = decision;
  const outcome = {
    answer: changed,
    entry: { details: auditDetails(ticket, changed) },
    grants:
      onGrants === null
        ? []
        : changeOpenGrants(facts.grants, onGrants, {
            ...grantSubjectOf({ ...facts.ticket, ...changed }),
            by,
          }),
    write: (tx: Transaction) => updateTickets(tx, [changed]),
  };
  const reason = endsChangeRequests[command.type];
  return reason === undefined ? outcome : andEndChangeRequests(outcome, facts.changeRequests, reason, by);
}

/** The customer consented to a change by this engineer, for this ticket. */
const endsChangeRequests: Partial<Record<TicketCommand['type'], EndOfItsUse>> = {
  Close: 'TICKET_CLOSED',
  Assign: 'TICKET_REASSIGNED',
};

async function withChangeRequests(tx: Transaction, { ticketId }: { ticketId: string }) {
  return { changeRequests: await listOpenChangeRequests(tx, [ticketId]) };
}

function refusalOf({ type }: TicketCommand, code: TicketRefusal): Refusal {
  return type === 'Close' ? invalidState(code, 'The ticket is closed already.') : invalidState(code);
}

/** The details of a change of status, for the audit log. */
function statusesOf(before: Ticket, after: Ticket): Record<string, unknown> {
  return { from: before.status, to: after.status };
}

/** The details of an assignment, for the audit log. */
export function engineersOf(before: Ticket, after: Ticket): Record<string, unknown> {
  return { engineerId: after.assigneeId, formerEngineerId: before.assigneeId };
}

/** A ticket, and when its ticketing system says that the change happened. Left out: it happens now. */
export type TicketChangeInput = { ticketId: string; moment?: Moment };

/** Closing a ticket revokes what is active on it and withdraws what is pending. A change that was begun is still recorded. */
export const closeTicket = ticketCommand<TicketChangeInput, Ticket, Pick<TicketFacts, 'changeRequests'>>({
  operation: 'closeTicket',
  action: 'ticket.close',
  refusals: ['TICKET_CLOSED'],
  extra: withChangeRequests,
  decide: (facts, { moment }, by) =>
    changeTicket(facts, by, { type: 'Close', moment }, { type: 'CloseTicket', by: by.viewer.id }),
});

/**
 * Reopening revives no grant: the engineer asks again. A ticket whose engineer was deactivated meanwhile has none
 * afterwards.
 */
export const reopenTicket = ticketCommand<TicketChangeInput, Ticket, { engineerIsGone: boolean }>({
  operation: 'reopenTicket',
  action: 'ticket.reopen',
  refusals: ['TICKET_NOT_CLOSED'],
  lockBefore: (tx, { ticketId }) => shareCaseloadOfAssignee(tx, ticketId),
  extra: async (tx, { ticketId }) => ({ engineerIsGone: await hasInactiveAssignee(tx, ticketId) }),
  decide: (facts, { moment }, by) => {
    const unassign = facts.engineerIsGone === true;
    const reopened = changeTicket(facts, by, { type: 'Reopen', unassign, moment }, null);
    if (!unassign || 'refused' in reopened) return reopened;
    const details = engineersOf(facts.ticket, reopened.answer);
    return { ...reopened, consequences: [{ action: 'ticket.assign', details }] };
  },
});

export type UpdateTicketStatusInput = TicketChangeInput & {
  status: 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED';
};

/** Every status but closed, which has a command of its own because grants end with it. */
export const updateTicketStatus = ticketCommand<UpdateTicketStatusInput, Ticket>({
  operation: 'updateTicketStatus',
  action: 'ticket.update_status',
  refusals: ['TICKET_CLOSED'],
  decide: (facts, { status, moment }, by) =>
    changeTicket(facts, by, { type: 'UpdateStatus', status, moment }, null),
});

export type AssignTicketInput = TicketChangeInput & { engineerId: string | null };

/**
 * The engineer who is assigned receives the ticket's open grants; the one who was, loses them at once, and what they asked
 * to change is withdrawn.
 */
export const assignTicket = ticketCommand<
  AssignTicketInput,
  Ticket,
  Pick<TicketFacts, 'changeRequests'> & { engineerIsKnown: boolean }
>({
  operation: 'assignTicket',
  action: 'ticket.assign',
  refusals: ['TICKET_CLOSED'],
  lockBefore: async (tx, { engineerId }) => {
    if (engineerId !== null) await shareCaseload(tx, engineerId);
  },
  extra: async (tx, { ticketId, engineerId }) => ({
    engineerIsKnown: engineerId !== null && (await isEngineer(tx, engineerId)),
    ...(await withChangeRequests(tx, { ticketId })),
  }),
  decide: (facts, { engineerId, moment }, by) =>
    engineerId === null || facts.engineerIsKnown === true
      ? changeTicket(
          facts,
          by,
          { type: 'Assign', engineerId, moment },
          { type: 'Reassign', engineerId },
          engineersOf,
        )
      : { refused: invalidInput('engineerId', 'must be an active support engineer.') },
});

async function hasInactiveAssignee(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.ticket.count({ where: { id, assignee: { active: false } } })) === 1;
}

async function isEngineer(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.account.count({ where: { id, kind: 'SUPPORT_ENGINEER', active: true } })) === 1;
}
