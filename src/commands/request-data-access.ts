import { type GrantRow, toRow } from '../grants/row.ts';
import { newId } from '../platform/ids.ts';
import type { TicketRef } from '../tickets/ticket.ts';
import { changeGrant } from './change-grant.ts';
import { openRequest, refuseOpening } from './open-request.ts';
import { quotaRefusals, refuseRequest } from './quotas.ts';
import { grantSubjectOf, ticketCommand } from './ticket-command.ts';

export type RequestDataAccessInput = TicketRef & {
  scope: 'PRODUCT_DATA' | 'ROVO_CONVERSATIONS';
  /** The exact conversations, for ROVO_CONVERSATIONS; empty otherwise. */
  conversationIds: readonly string[];
  justification: string | null;
};

/** The assigned engineer asks for access on the ticket; one open request per ticket and scope. */
export const requestDataAccess = ticketCommand<RequestDataAccessInput, GrantRow>({
  operation: 'requestDataAccess',
  action: 'grant.request',
  refusals: [
    'TICKET_CLOSED',
    'SITE_DEACTIVATED',
    'PRODUCT_NOT_LICENSED',
    'ALREADY_REQUESTED',
    'ALREADY_APPROVED',
    'ALREADY_ACTIVE',
    ...quotaRefusals.requests,
  ],
  exceeded: (tx, _, asking) => refuseRequest(tx, asking),
  decide: (facts, { scope: kind, conversationIds, justification }, by) => {
    const { ticket } = facts;
    const refused = refuseOpening(facts, kind);
    if (refused !== null) return { refused };
    const scope = kind === 'PRODUCT_DATA' ? { kind } : { kind, conversationIds };
    const request = openRequest(ticket, scope, by.viewer.id, justification, newId(by.now));
    const decided = changeGrant(null, request, {
      ...grantSubjectOf(ticket),
      by,
      action: null,
      reason: justification,
    });
    return 'refused' in decided ? decided : { answer: toRow(decided.grant), grants: decided.changes };
  },
});
