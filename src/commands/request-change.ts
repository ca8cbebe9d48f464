import { actorOf } from '../audit/entry.ts';
import { type Asked, hasExpired } from '../changes/change-request.ts';
import { openChangeRequest } from '../changes/lifecycle.ts';
import { type ChangeRequestRow, toRow } from '../changes/row.ts';
import { listOpenChangeRequests } from '../changes/store.ts';
import { changeRequestedMail } from '../notifications/kinds/change-requested.ts';
import { newId } from '../platform/ids.ts';
import type { TicketRef } from '../tickets/ticket.ts';
import { refuseAsking } from './open-request.ts';
import { invalidState } from './refusal.ts';
import { ticketCommand } from './ticket-command.ts';
import type { TicketFacts } from './ticket-facts.ts';

export type RequestChangeInput = TicketRef &
  Pick<Asked, 'kind' | 'resourceType' | 'resourceId' | 'description' | 'justification' | 'validUntil'>;

/**
 * The assigned engineer asks for the customer's consent to a change. A grant is not needed for that: the consent shows
 * nothing to the engineer, and the change is made only in a session under an active grant.
 */
export const requestChange = ticketCommand<
  RequestChangeInput,
  ChangeRequestRow,
  Pick<TicketFacts, 'changeRequests'>
>({
  operation: 'requestChange',
  action: 'change_request.request',
  refusals: [
    'TICKET_CLOSED',
    'SITE_DEACTIVATED',
    'PRODUCT_NOT_LICENSED',
    'VALID_UNTIL_IN_THE_PAST',
    'VALID_UNTIL_BEYOND_LIMIT',
    'TOO_MANY_CHANGE_REQUESTS',
  ],
  extra: async (tx, _, { id }) => ({ changeRequests: await listOpenChangeRequests(tx, [id]) }),
  decide: ({ ticket, changeRequests = [] }, input, { viewer, now }) => {
    const refused = refuseAsking(ticket);
    if (refused !== null) return { refused };
    const { id: ticketId, siteId, site } = ticket;
    const place = { ticketId, siteId, organizationId: site.organizationId };
    const { kind, resourceType, resourceId, description, justification, validUntil } = input;
    const asked = {
      ...{ kind, resourceType, resourceId, description, justification, validUntil, ...place },
      ...{ id: newId(now), requestedById: viewer.id },
    };
    const open = changeRequests.filter((request) => !hasExpired(request, now));
    const decision = openChangeRequest(asked, open.length, now);
    if ('refused' in decision) return { refused: invalidState(decision.refused) };
    const request = decision.changed;
    const by = { actor: actorOf(viewer), occurredAt: now, reason: justification };
    return {
      answer: toRow(request),
      changeRequests: [{ before: null, request, command: 'Request', ticket, ...by }],
      mails: [{ kind: changeRequestedMail, aboutId: request.id }],
    };
  },
});
