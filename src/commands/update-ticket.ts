/** Changes a ticket's summary, product and status, and what that does to its grants and change requests. */
import type { Product } from '../organizations/store.ts';
import { findProductOnSite } from '../organizations/store.ts';
import type { OpenStatus, Ticket } from '../tickets/ticket.ts';
import {
  changeTicket,
  closing,
  type TicketChangeInput,
  type TicketEffect,
  withChangeRequests,
} from './change-ticket.ts';
import type { DecisionContext } from './command.ts';
import { invalidInput } from './refusal.ts';
import { ticketCommand } from './ticket-command.ts';
import type { TicketFacts } from './ticket-facts.ts';

/** Left out: that stays as it is. */
export type UpdateTicketInput = TicketChangeInput & {
  summary?: string;
  /** The product on the ticket's site, by its id or its key. */
  product?: { id: string } | { key: string };
  status?: OpenStatus | 'CLOSED';
};

export type UpdateTicketFacts = TicketFacts & {
  /** The product that the input names; null: it is not on the ticket's site. */
  newProduct?: Product | null;
};

/**
 * A summary changes nothing else. Closing ends the open grants as `closeTicket` does. With another product they end as
 * well, whatever their scope: the customer gave them for the product of that time, and the engineer asks again.
 */
export const updateTicket = ticketCommand<
  UpdateTicketInput,
  Ticket,
  Pick<UpdateTicketFacts, 'changeRequests' | 'newProduct'>
>({
  operation: 'updateTicket',
  action: 'ticket.update',
  refusals: ['TICKET_CLOSED'],
  extra: async (tx, input, ticket) => ({
    ...(input.product === undefined
      ? {}
      : { newProduct: await findProductOnSite(tx, ticket.siteId, input.product) }),
    ...(await withChangeRequests(tx, input, ticket)),
  }),
  decide: (facts: UpdateTicketFacts, { summary, product, status, moment }, by) => {
    const { newProduct = null, ticket } = facts;
    if (product !== undefined && newProduct === null) {
      const path = 'key' in product ? 'productKey' : 'productId';
      return { refused: invalidInput(path, 'must name a product on the site of the ticket.') };
    }
    const productId = product === undefined ? undefined : newProduct?.id;
    const command = { type: 'Update', summary, productId, status, moment } as const;
    const effectOf = (after: Ticket) => effectOfUpdate(ticket, after, by);
    return changeTicket(facts, by, command, effectOf, (_, after) => valuesOf(facts, after));
  },
});

function effectOfUpdate(before: Ticket, after: Ticket, by: DecisionContext): TicketEffect | null {
  if (after.status === 'CLOSED' && before.status !== 'CLOSED') return closing(by);
  return after.productId === before.productId
    ? null
    : { onGrants: { type: 'ChangeProduct', by: by.viewer.id }, endsChangeRequests: 'PRODUCT_CHANGED' };
}

/** The fields that changed, as they were and as they are, for the audit log. Null: none did. */
function valuesOf(
  { ticket: { product, ...before }, newProduct }: UpdateTicketFacts,
  after: Ticket,
): Record<string, unknown> | null {
  const changes = [
    ...(before.summary === after.summary ? [] : [['summary', before.summary, after.summary] as const]),
    ...(before.productId === after.productId ? [] : [['product', product.key, newProduct?.key] as const]),
    ...(before.status === after.status ? [] : [['status', before.status, after.status] as const]),
  ];
  if (changes.length === 0) return null;
  return {
    before: Object.fromEntries(changes.map(([name, was]) => [name, was])),
    after: Object.fromEntries(changes.map(([name, , is]) => [name, is])),
  };
}
