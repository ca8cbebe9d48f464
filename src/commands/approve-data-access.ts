import type { GrantPath } from '../grants/grant.ts';
import { type GrantRow, toRow } from '../grants/row.ts';
import { termsOf } from '../grants/terms.ts';
import { newId } from '../platform/ids.ts';
import { changeGrant } from './change-grant.ts';
import { openRequest, refuseOpening } from './open-request.ts';
import { noLongerOutstanding, notFound, versionConflict } from './refusal.ts';
import { grantSubjectOf, ticketCommand } from './ticket-command.ts';
import type { TicketInput } from './ticket-facts.ts';

export type ApproveDataAccessInput = TicketInput & {
  path: Exclude<GrantPath, 'TICKET_CREATION'>;
  /** An earlier end than the site's policy sets; null: as late as the policy allows. */
  expiresAt: Date | null;
  reason: string | null;
  expectedVersion: number | null;
};

/**
 * The customer approves, in the ticket's sidebar or the admin console, also on the reporter's behalf.
 *
 * With a ticket it approves the outstanding request for product data. Where there is none, for example after
 * a revocation, it opens one and approves it in the same step. Requests for Rovo conversations are approved by
 * their grant's id, because only the engineer can say which conversations are needed.
 */
export const approveDataAccess = ticketCommand<ApproveDataAccessInput, GrantRow>({
  operation: 'approveDataAccess',
  action: 'grant.approve',
  refusals: [
    'VERSION_CONFLICT',
    'TICKET_CLOSED',
    'ALREADY_APPROVED',
    'ALREADY_ACTIVE',
    'ALREADY_OVER',
    'EXPIRES_AT_IN_THE_PAST',
    'EXPIRES_AT_BEYOND_POLICY',
  ],
  decide: (facts, input, by) => {
    const { ticket } = facts;
    const changeContext = { ...grantSubjectOf(ticket), by, action: null, reason: input.reason };
    const approval = {
      type: 'Approve',
      by: by.viewer.id,
      path: input.path,
      expiresAt: input.expiresAt,
      terms: termsOf(ticket.site),
    } as const;

    const named = 'grantId' in input;
    const outstanding = named
      ? facts.grant
      : (facts.grants.find(
          ({ scope, state }) => scope.kind === 'PRODUCT_DATA' && state === 'PENDING_APPROVAL',
        ) ?? null);
    if (named && outstanding === null) return { refused: notFound('Grant') };
    const { expectedVersion } = input;
    if (outstanding !== null && expectedVersion !== null && expectedVersion !== outstanding.version) {
      return { refused: versionConflict(outstanding.version) };
    }

    if (outstanding !== null) {
      const approved = changeGrant(outstanding, approval, changeContext);
      return 'refused' in approved ? approved : { answer: toRow(approved.grant), grants: approved.changes };
    }

    const refused = refuseOpening(facts, 'PRODUCT_DATA');
    if (refused !== null) return { refused };
    if (expectedVersion !== null) return { refused: noLongerOutstanding };
    const request = openRequest(ticket, { kind: 'PRODUCT_DATA' }, by.viewer.id, null, newId(by.now));
    const opened = changeGrant(null, request, changeContext);
    if ('refused' in opened) return opened;
    const approved = changeGrant(opened.grant, approval, changeContext);
    if ('refused' in approved) return approved;
    return { answer: toRow(approved.grant), grants: [...opened.changes, ...approved.changes] };
  },
});
