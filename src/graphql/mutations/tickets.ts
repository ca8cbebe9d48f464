/** Mutations that file, assign, update, close and reopen tickets. */
import { assignTicket, closeTicket, reopenTicket, updateTicketStatus } from '../../commands/change-ticket.ts';
import { createTicket } from '../../commands/create-ticket.ts';
import { updateTicket } from '../../commands/update-ticket.ts';
import { builder } from '../builder.ts';
import { invalidField } from '../errors.ts';
import { line, optionalGlobalId, productKey } from '../input.ts';
import { addCommand } from '../mutation.ts';
import {
  engineerFields,
  engineerRef,
  productFields,
  productRef,
  reporterFields,
  reporterRef,
  ticketFields,
  ticketRef,
} from '../named-inputs.ts';
import { Ticket, TicketStatus } from '../types/ticket.ts';

addCommand(createTicket, {
  type: Ticket,
  description:
    'Files a ticket with an outstanding request for the data of its product. With `grantDataAccess` the request is approved at once if the reporter may grant access; `accessEligibility` of the ticket says why not, and who may. A ticketing system that files the ticket relays this consent: `relayedConsent` of the ticket says what came of it. On a deactivated site, or for an unlicensed product, there is no request.',
  input: {
    description: 'The ticket to file.',
    fields: (t) => ({
      ...productFields(t),
      summary: t
        .string({
          required: true,
          description: 'What the ticket is about, in one line of at most 200 characters.',
        })
        .validate(line(200)),
      grantDataAccess: t.boolean({
        required: true,
        description: 'The consent box: the reporter permits support to access the data of the product.',
      }),
      ...reporterFields(t),
    }),
  },
  toInput: ({ summary, grantDataAccess, ...named }) => ({
    ...{ ...productRef(named), summary, grantDataAccess },
    ...reporterRef(named),
  }),
});

addCommand(assignTicket, {
  type: Ticket,
  description:
    'Assigns a ticket to an engineer, who receives its open grants. The engineer before loses them at once. A success without any change where it is assigned to them already.',
  input: {
    description: 'The ticket and its engineer.',
    fields: (t) => ({
      ...ticketFields(t),
      ...engineerFields(t),
    }),
  },
  toInput: (named, viewer) => ({ ...ticketRef(named, viewer), ...engineerRef(named) }),
});

const OpenTicketStatus = builder.enumType('OpenTicketStatus', {
  description: 'The statuses of a ticket that is not closed.',
  values: {
    OPEN: { description: 'The engineer works on it.' },
    WAITING_FOR_CUSTOMER: { description: 'The engineer waits for the customer.' },
    RESOLVED: { description: 'The ticket is solved. Its grants last until it is closed.' },
  } as const,
});

addCommand(updateTicketStatus, {
  type: Ticket,
  description: 'Sets the status of a ticket that is not closed. Grants do not change.',
  input: {
    description: 'The ticket and its status.',
    fields: (t) => ({
      ...ticketFields(t),
      status: t.field({ type: OpenTicketStatus, required: true, description: 'The new status.' }),
    }),
  },
  toInput: ({ status, ...named }, viewer) => ({ ...ticketRef(named, viewer), status }),
});

addCommand(updateTicket, {
  type: Ticket,
  description:
    'Changes the summary, the product or the status of a ticket; at least one of them. With the status `CLOSED` its grants end as by `closeTicket`. With another product all its open grants and change requests end, because they were for the other one: active access with `PRODUCT_CHANGED`, requests as withdrawn. The summary changes nothing else. What is so already stays so. Another status than `CLOSED` is refused on a closed ticket: `reopenTicket`.',
  input: {
    description: 'The ticket, and what it is to be. What is left out stays as it is.',
    fields: (t) => ({
      ...ticketFields(t),
      summary: t
        .string({ description: 'What the ticket is about, in one line of at most 200 characters.' })
        .validate(line(200).nullish()),
      productId: t
        .id({ description: "The product on the ticket's site. At most one of `productId` and `productKey`." })
        .validate(optionalGlobalId('Product')),
      productKey: t
        .string({ description: "The product on the ticket's site, by its key, for example `jira`." })
        .validate(productKey.nullish()),
      status: t.field({ type: TicketStatus, description: 'The status.' }),
    }),
  },
  toInput: ({ summary, productId, productKey: key, status, ...named }, viewer) => {
    if (productId != null && key != null)
      throw invalidField('input', 'must name at most one of productId and productKey.');
    const changes = {
      ...(summary == null ? {} : { summary }),
      ...(productId == null ? {} : { product: { id: productId } }),
      ...(key == null ? {} : { product: { key } }),
      ...(status == null ? {} : { status }),
    };
    if (Object.keys(changes).length === 0)
      throw invalidField('input', 'must have a summary, a product or a status.');
    return { ...ticketRef(named, viewer), ...changes };
  },
});

addCommand(closeTicket, {
  type: Ticket,
  description:
    'Closes a ticket. Its active grants are revoked, and its requests withdrawn. A success without any change on a ticket that is closed already.',
  input: {
    description: 'The ticket to close.',
    fields: (t) => ticketFields(t),
  },
  toInput: ticketRef,
});

addCommand(reopenTicket, {
  type: Ticket,
  description: 'Reopens a closed ticket. Its grants stay as they are: the engineer requests access again.',
  input: {
    description: 'The ticket to reopen.',
    fields: (t) => ticketFields(t),
  },
  toInput: ticketRef,
});
