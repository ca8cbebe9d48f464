/** Opens a request on a ticket: when that is possible, and the lifecycle command for it. */
import { type GrantScope, isOpen } from '../grants/grant.ts';
import type { GrantCommand } from '../grants/lifecycle.ts';
import { termsOf } from '../grants/terms.ts';
import type { TicketOnProduct } from '../tickets/store.ts';
import { invalidState, type Refusal } from './refusal.ts';
import type { TicketFacts } from './ticket-facts.ts';

/** Why nothing can be asked of the customer on the ticket now, or null when something can. */
export function refuseAsking({ status, site, product }: TicketOnProduct): Refusal | null {
  if (status === 'CLOSED') return invalidState('TICKET_CLOSED');
  if (site.status === 'DEACTIVATED') return invalidState('SITE_DEACTIVATED');
  if (!product.licensed) return invalidState('PRODUCT_NOT_LICENSED');
  return null;
}

/** Why no request of this scope can be opened on the ticket now, or null when one can. */
export function refuseOpening({ ticket, grants }: TicketFacts, scope: GrantScope['kind']): Refusal | null {
  const refused = refuseAsking(ticket);
  if (refused !== null) return refused;
  const open = grants.filter((grant) => isOpen(grant) && grant.scope.kind === scope);
  if (open.some((grant) => grant.state === 'PENDING_APPROVAL')) return invalidState('ALREADY_REQUESTED');
  if (open.some((grant) => grant.state === 'PENDING_GUARD_APPROVAL')) return invalidState('ALREADY_APPROVED');
  // The engineer may ask for more conversations beside those granted. Product data is either open or not.
  if (scope === 'PRODUCT_DATA' && open.length > 0) return invalidState('ALREADY_ACTIVE');
  return null;
}

/** The request is opened under the terms that the ticket's site sets at present. */
export function openRequest(
  ticket: TicketOnProduct,
  scope: GrantScope,
  requestedById: string,
  justification: string | null,
  grantId: string,
): GrantCommand {
  return {
    type: 'Request',
    grantId,
    organizationId: ticket.organizationId,
    ticketId: ticket.id,
    siteId: ticket.siteId,
    scope,
    engineerId: ticket.assigneeId,
    requestedById,
    justification,
    waitSeconds: ticket.site.requestWaitSeconds,
    terms: termsOf(ticket.site),
  };
}
