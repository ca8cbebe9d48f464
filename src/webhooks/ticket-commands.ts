/**
 * The commands on tickets as a ticketing system's events run them: in the name of its service account, and only where
 * the event is not older than what the ticket remembers. That is decided under the ticket's lock.
 */
import { changeOpenGrants } from '../commands/change-grant.ts';
import {
  type AssignTicketFacts,
  assignTicket,
  closeTicket,
  reopenTicket,
  type TicketChangeInput,
  type UpdateTicketStatusInput,
  updateTicketStatus,
} from '../commands/change-ticket.ts';
import type { Command, DecisionContext, Outcome } from '../commands/command.ts';
import { type CreateTicketFacts, type CreateTicketInput, createTicket } from '../commands/create-ticket.ts';
import { endChangeRequests } from '../commands/end-change-requests.ts';
import { grantSubjectOf } from '../commands/ticket-command.ts';
import type { TicketFacts } from '../commands/ticket-facts.ts';
import { type UpdateTicketFacts, type UpdateTicketInput, updateTicket } from '../commands/update-ticket.ts';
import { isOlder, type Moment } from '../tickets/moment.ts';
import { findExternalTicket, insertTicket, updateTickets } from '../tickets/store.ts';
import { remember, type Ticket } from '../tickets/ticket.ts';

/** What a ticketing system tells of a ticket, and when it happened there. */
type News = TicketChangeInput & { moment: Moment };

type FileTicketInput = CreateTicketInput & { integrationId: string; externalId: string; moment: Moment };

/** Files a ticket under its id in the ticketing system. Answers the ticket that has that id already, if there is one. */
export const fileTicket: Command<FileTicketInput, CreateTicketFacts & { filed?: Ticket | null }, Ticket> = {
  ...createTicket,
  load: async (tx, input, now) => {
    const facts = await createTicket.load(tx, input, now);
    return facts && { ...facts, filed: await findExternalTicket(tx, input) };
  },
  decide: (facts, input, by) => {
    if (facts.filed != null) return { answer: facts.filed };
    const outcome = createTicket.decide(facts, input, by);
    if ('refused' in outcome) return outcome;
    const { integrationId, externalId, moment: statusMoment } = input;
    const filedAt = { summaryMoment: statusMoment, productMoment: statusMoment };
    const ticket = { ...outcome.answer, integrationId, externalId, statusMoment, ...filedAt };
    const { entry } = outcome;
    return {
      ...outcome,
      answer: ticket,
      write: (tx) => insertTicket(tx, ticket),
      ...(entry === undefined ? {} : { entry: { ...entry, details: { ...entry.details, externalId } } }),
    };
  },
};

/** The command, where the news is not older than what the ticket remembers, and not so already. */
function asNews<Input extends News, Facts extends TicketFacts>(
  command: Command<Input, Facts, Ticket>,
  remembered: 'statusMoment' | 'assignmentMoment',
  isSo: (ticket: Ticket, input: Input) => boolean,
): Command<Input, Facts, Ticket> {
  return {
    ...command,
    decide: (facts, input, by) => {
      const ticket = ticketOf(facts);
      if (isOlder(input.moment, ticket[remembered])) return { answer: ticket };
      if (!isSo(ticket, input)) return command.decide(facts, input, by);
      return input.moment === ticket[remembered]
        ? { answer: ticket }
        : remembering({ ...ticket, ...remember(ticket, remembered, input.moment) });
    },
  };
}

type AssignAsToldInput = News & { engineerId: string | null };

function ticketOf({ ticket: { site: _site, product: _product, ...ticket } }: TicketFacts): Ticket {
  return ticket;
}

function remembering(ticket: Ticket): Outcome<Ticket> {
  const changed = { ...ticket, version: ticket.version + 1 };
  return { answer: changed, write: (tx) => updateTickets(tx, [changed]) };
}

export const assignAsTold = asNews<AssignAsToldInput, AssignTicketFacts>(
  assignTicket,
  'assignmentMoment',
  (ticket, { engineerId }) => ticket.status !== 'CLOSED' && ticket.assigneeId === engineerId,
);

export const setStatusAsTold = asNews<UpdateTicketStatusInput & News, TicketFacts>(
  updateTicketStatus,
  'statusMoment',
  (ticket, { status }) => ticket.status === status,
);

export const reopenAsTold = asNews<News, TicketFacts & { engineerIsGone?: boolean }>(
  reopenTicket,
  'statusMoment',
  ({ status }) => status !== 'CLOSED',
);

/** The summary and the product, each where the news is not older than what the ticket remembers of it. */
export const updateAsTold: Command<UpdateTicketInput & News, UpdateTicketFacts, Ticket> = {
  ...updateTicket,
  decide: (facts, { summary, product, ...news }, by) => {
    const { summaryMoment, productMoment } = facts.ticket;
    const told = {
      ...news,
      ...(summary === undefined || isOlder(news.moment, summaryMoment) ? {} : { summary }),
      ...(product === undefined || isOlder(news.moment, productMoment) ? {} : { product }),
    };
    return updateTicket.decide(facts, told, by);
  },
};

const closeNow = asNews<News & { occurredAt: Date }, TicketFacts>(
  closeTicket,
  'statusMoment',
  ({ status }) => status === 'CLOSED',
);

/**
 * Closes a ticket. If it was reopened since, it stays as it is, and only the grants and change requests end that the
 * close would have ended: those that were requested before. Reopening revives none, however late the close becomes known.
 */
export const closeAsTold: typeof closeNow = {
  ...closeNow,
  decide: (facts, input, by) =>
    facts.ticket.status !== 'CLOSED' && isOlder(input.moment, facts.ticket.statusMoment)
      ? endEarlierUses(facts, input.occurredAt, by)
      : closeNow.decide(facts, input, by),
};

function endEarlierUses(facts: TicketFacts, closedAt: Date, by: DecisionContext): Outcome<Ticket> {
  const filedAt = facts.ticket.createdAt.getTime();
  // The request of the filing is as old as the ticket, which may have been filed here after it was closed there.
  const isEarlier = ({ requestedAt }: { requestedAt: Date }) =>
    requestedAt < closedAt || requestedAt.getTime() === filedAt;
  const subject = { ...grantSubjectOf(facts.ticket), by };
  const command = { type: 'CloseTicket', by: by.viewer.id } as const;
  const grants = changeOpenGrants(facts.grants.filter(isEarlier), command, subject);
  const earlier = facts.changeRequests?.filter(isEarlier);
  const changeRequests = endChangeRequests(earlier, 'TICKET_CLOSED', () => facts.ticket, by);
  return { answer: ticketOf(facts), grants, changeRequests };
}
