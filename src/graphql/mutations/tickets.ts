/** Filing, assigning and closing tickets. */
import { assignTicket, closeTicket, reopenTicket, updateTicketStatus } from '../../commands/change-ticket.ts';
import { createTicket } from '../../commands/create-ticket.ts';
import { builder } from '../builder.ts';
import { globalId, line, optionalGlobalId } from '../input.ts';
import { addCommand } from '../mutation.ts';
import { Ticket } from '../types/ticket.ts';

addCommand(createTicket, {
  type: Ticket,
  description:
    'Files a ticket with an outstanding request. With the box ticked it is approved at once, if the reporter may; `accessEligibility` says why not and who may.',
  input: {
    description: 'A support ticket about one product on one site.',
    fields: (t) => ({
      productId: t
        .id({ required: true, description: 'The product on its site.' })
        .validate(globalId('Product')),
      summary: t
        .string({ required: true, description: 'What it is about, in one line.' })
        .validate(line(200)),
      grantDataAccess: t.boolean({
        required: true,
        description: 'The consent box: the reporter permits support to access the data of the product.',
      }),
      reporterId: t
        .id({ description: 'For whom the ticketing system files it; left out, the viewer is the reporter.' })
        .validate(optionalGlobalId('User')),
    }),
  },
  toInput: ({ reporterId, ...input }) => ({ ...input, reporterId: reporterId ?? null }),
});

addCommand(assignTicket, {
  type: Ticket,
  description:
    "Assigns an engineer, who receives the ticket's open grants; whoever was assigned loses them at once.",
  input: {
    description: 'Who works on a ticket.',
    fields: (t) => ({
      ticketId: t.id({ required: true, description: 'The ticket.' }).validate(globalId('Ticket')),
      engineerId: t
        .id({ description: 'The engineer; left out or null, nobody.' })
        .validate(optionalGlobalId('SupportEngineer')),
    }),
  },
  toInput: ({ ticketId, engineerId }) => ({ ticketId, engineerId: engineerId ?? null }),
});

const OpenTicketStatus = builder.enumType('OpenTicketStatus', {
  description: 'The statuses of a ticket that is not closed.',
  values: {
    OPEN: { description: 'The engineer works on it.' },
    WAITING_FOR_CUSTOMER: { description: 'The engineer waits for the customer.' },
    RESOLVED: { description: 'Solved; grants go on until it closes.' },
  } as const,
});

addCommand(updateTicketStatus, {
  type: Ticket,
  description: 'Says where an open ticket stands. Grants are not touched.',
  input: {
    description: 'Where a ticket stands now.',
    fields: (t) => ({
      ticketId: t.id({ required: true, description: 'The ticket.' }).validate(globalId('Ticket')),
      status: t.field({ type: OpenTicketStatus, required: true, description: 'Where it stands.' }),
    }),
  },
  toInput: (input) => input,
});

addCommand(closeTicket, {
  type: Ticket,
  description: 'Closes a ticket: what is active on it is revoked, what is pending is withdrawn.',
  input: {
    description: 'Which ticket to close.',
    fields: (t) => ({
      ticketId: t.id({ required: true, description: 'The ticket.' }).validate(globalId('Ticket')),
    }),
  },
  toInput: (input) => input,
});

addCommand(reopenTicket, {
  type: Ticket,
  description: 'Reopens a closed ticket. No grant comes back: the engineer asks again.',
  input: {
    description: 'Which ticket to reopen.',
    fields: (t) => ({
      ticketId: t.id({ required: true, description: 'The ticket.' }).validate(globalId('Ticket')),
    }),
  },
  toInput: (input) => input,
});
