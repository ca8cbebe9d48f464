/** The commands that change a ticket, and what each does to the ticket's grants and change requests. */
import type { EndOfItsUse } from '../changes/change-request.ts';
import { listOpenChangeRequests } from '../changes/store.ts';
import type { GrantCommand } from '../grants/lifecycle.ts';
import type { Transaction } from '../platform/database.ts';
import { type EngineerRef, shareCaseload, shareCaseloadOfAssignee } from '../tickets/locks.ts';
import type { Moment } from '../tickets/moment.ts';
import { updateTickets } from '../tickets/store.ts';
import {
  decideTicket,
  type OpenStatus,
  type Ticket,
  type TicketCommand,
  type TicketRef,
} from '../tickets/ticket.ts';
import { changeOpenGrants } from './change-grant.ts';
import type { DecisionContext, Outcome } from './command.ts';
import { endChangeRequests, settleChangeRequests } from './end-change-requests.ts';
import { invalidInput, invalidState, type Refusal } from './refusal.ts';
import { grantSubjectOf, ticketCommand } from './ticket-command.ts';
import { endOf, type TicketFacts } from './ticket-facts.ts';

/** Decides a command on a ticket, and what it does to the ticket's open grants and change requests. */
export function changeTicket(
  facts: TicketFacts,
  by: DecisionContext,
  command: TicketCommand & { moment?: Moment | undefined },
  /** Null: it changes nothing else. */
  effectOf: (after: Ticket) => TicketEffect | null,
  auditDetails: (before: Ticket, after: Ticket) => Record<string, unknown> | null = statusesOf,
): Outcome<Ticket> {
  const { site: _site, product: _product, ...ticket } = facts.ticket;
  const decision = decideTicket(ticket, command, by.now);
  if ('refused' in decision) return { refused: invalidState(decision.refused) };
  if ('unchanged' in decision) return { answer: ticket };
  const { changed } = decision;
  const effect = effectOf(changed);
  const details = auditDetails(ticket, changed);
  const outcome = {
    answer: changed,
    ...(details === null ? {} : { entry: { details } }),
    write: (tx: Transaction) => updateTickets(tx, [changed]),
  };
  if (effect === null) return outcome;
  const after = { ...facts.ticket, ...changed };
  const grants = changeOpenGrants(facts.grants, effect.onGrants, { ...grantSubjectOf(after), by });
  const end = endOf(facts);
  const changeRequests =
    end === null
      ? endChangeRequests(facts.changeRequests, effect.endsChangeRequests, () => after, by)
      : settleChangeRequests(facts.changeRequests, end, () => after, by.now);
  return { ...outcome, grants, changeRequests };
}

/**
 * What a change of a ticket does to its open grants, and why its change requests end: the customer consented to a change by
 * this engineer, in this product, for this ticket.
 */
export type TicketEffect = { onGrants: GrantCommand; endsChangeRequests: EndOfItsUse };

const none = () => null;

export function closing({ viewer }: DecisionContext): TicketEffect {
  return { onGrants: { type: 'CloseTicket', by: viewer.id }, endsChangeRequests: 'TICKET_CLOSED' };
}

export function assigning(engineerId: string | null): TicketEffect {
  return { onGrants: { type: 'Reassign', engineerId }, endsChangeRequests: 'TICKET_REASSIGNED' };
}

export async function withChangeRequests(tx: Transaction, _: unknown, { id }: Ticket) {
  return { changeRequests: await listOpenChangeRequests(tx, [id]) };
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
export type TicketChangeInput = TicketRef & { moment?: Moment };

/**
 * Closing a ticket revokes what is active on it and withdraws what is pending. A change that was begun is still recorded.
 * On a closed ticket there is nothing left to do.
 */
export const closeTicket = ticketCommand<TicketChangeInput, Ticket, Pick<TicketFacts, 'changeRequests'>>({
  operation: 'closeTicket',
  action: 'ticket.close',
  refusals: [],
  extra: withChangeRequests,
  decide: (facts, { moment }, by) => changeTicket(facts, by, { type: 'Close', moment }, () => closing(by)),
});

/**
 * Reopening revives no grant: the engineer asks again. A ticket whose engineer was deactivated meanwhile has none
 * afterwards.
 */
export const reopenTicket = ticketCommand<TicketChangeInput, Ticket, { engineerIsGone: boolean }>({
  operation: 'reopenTicket',
  action: 'ticket.reopen',
  refusals: ['TICKET_NOT_CLOSED'],
  lockBefore: shareCaseloadOfAssignee,
  extra: async (tx, _, { id }) => ({ engineerIsGone: await hasInactiveAssignee(tx, id) }),
  decide: (facts, { moment }, by) => {
    const unassign = facts.engineerIsGone === true;
    const reopened = changeTicket(facts, by, { type: 'Reopen', unassign, moment }, none);
    if (!unassign || 'refused' in reopened) return reopened;
    const details = engineersOf(facts.ticket, reopened.answer);
    return { ...reopened, consequences: [{ action: 'ticket.assign', details }] };
  },
});

export type UpdateTicketStatusInput = TicketChangeInput & {
  status: OpenStatus;
};

/** Every status but closed, which has a command of its own because grants end with it. */
export const updateTicketStatus = ticketCommand<UpdateTicketStatusInput, Ticket>({
  operation: 'updateTicketStatus',
  action: 'ticket.update_status',
  refusals: ['TICKET_CLOSED'],
  decide: (facts, { status, moment }, by) =>
    changeTicket(facts, by, { type: 'UpdateStatus', status, moment }, none),
});

/** The id null: nobody. */
export type AssignTicketInput = TicketChangeInput & NamedEngineer;

type NamedEngineer = EngineerRef | { engineerId: string | null };

export type AssignTicketFacts = TicketFacts & {
  /** The engineer whom the input names; null: there is no such active engineer. */
  engineerId?: string | null;
};

/**
 * The engineer who is assigned receives the ticket's open grants; the one who was, loses them at once, and what they asked
 * to change is withdrawn.
 */
export const assignTicket = ticketCommand<
  AssignTicketInput,
  Ticket,
  Pick<AssignTicketFacts, 'changeRequests' | 'engineerId'>
>({
  operation: 'assignTicket',
  action: 'ticket.assign',
  refusals: ['TICKET_CLOSED'],
  lockBefore: async (tx, input) => {
    if (namesEngineer(input)) await shareCaseload(tx, input);
  },
  extra: async (tx, input, ticket) => ({
    engineerId: namesEngineer(input) ? await findActiveEngineer(tx, input) : null,
    ...(await withChangeRequests(tx, input, ticket)),
  }),
  decide: (facts, input, by) => {
    const { engineerId = null } = facts;
    if (namesEngineer(input) && engineerId === null) return { refused: unknownEngineer(input) };
    const { moment } = input;
    const assign = { type: 'Assign', engineerId, moment } as const;
    return changeTicket(facts, by, assign, () => assigning(engineerId), engineersOf);
  },
});

function namesEngineer(input: NamedEngineer): input is EngineerRef {
  return 'engineerEmail' in input || input.engineerId !== null;
}

function unknownEngineer(by: EngineerRef): Refusal {
  return 'engineerEmail' in by
    ? invalidInput('engineerEmail', 'must be the address of an active support engineer.')
    : invalidInput('engineerId', 'must be an active support engineer.');
}

async function hasInactiveAssignee(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.ticket.count({ where: { id, assignee: { active: false } } })) === 1;
}

async function findActiveEngineer(tx: Transaction, by: EngineerRef): Promise<string | null> {
  const named = 'engineerEmail' in by ? { email: by.engineerEmail } : { id: by.engineerId };
  const found = await tx.account.findUnique({
    where: { ...named, kind: 'SUPPORT_ENGINEER', active: true },
    select: { id: true },
  });
  return found?.id ?? null;
}
