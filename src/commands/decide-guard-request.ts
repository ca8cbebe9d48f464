import type { PendingGuardApproval } from '../grants/grant.ts';
import type { GrantRow } from '../grants/row.ts';
import { termsOf } from '../grants/terms.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { Site } from '../organizations/store.ts';
import { eligibility } from '../roles/eligibility.ts';
import { guardAdminSince } from '../roles/role.ts';
import { lapseApproval } from './change-grant.ts';
import type { Command } from './command.ts';
import { invalidState } from './refusal.ts';
import { type GrantInput, grantCommand, grantSubjectOf } from './ticket-command.ts';
import { findTicketFacts, findTicketFactsWithApprovers, type TicketFacts } from './ticket-facts.ts';

export type GuardApprovalInput = GrantInput & {
  /** An earlier end than the one that the customer approved and the policy allows. Left out: that one. */
  expiresAt?: Date;
};

/**
 * A Guard admin approves after the customer. Only now does the engineer get the grant.
 *
 * If the person who approved for the customer may no longer grant, that approval lapses instead, and the request waits
 * for the customer again.
 */
export const approveGuardRequest: Command<GuardApprovalInput, TicketFacts, GrantRow> = {
  ...grantCommand<GuardApprovalInput>(
    'approveGuardRequest',
    'grant.approve_as_guard',
    [
      'NOT_AWAITING_GUARD',
      'APPROVAL_LAPSED',
      'ALREADY_ACTIVE',
      'SAME_PERSON_MAY_NOT_APPROVE_TWICE',
      'GUARD_ADMIN_ONLY_SINCE_APPROVAL',
      'EXPIRES_AT_IN_THE_PAST',
      'EXPIRES_AT_BEYOND_POLICY',
      'EXPIRES_AT_BEYOND_APPROVAL',
    ],
    ({ ticket }, { viewer }, { expiresAt }) => ({
      type: 'ApproveAsGuard',
      ...asGuardAdmin(viewer, ticket.site),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      terms: termsOf(ticket.site),
    }),
  ),
  rights: async (input, tx) => {
    const grantId = 'grantId' in input ? input.grantId : (await findTicketFacts(tx, input))?.grant?.id;
    return grantId === undefined ? [] : [{ approverOfGrantId: grantId, purpose: 'KEEP' }];
  },
  load: findTicketFactsWithApprovers,
  loadAtOnce: undefined,
  lapse: (facts, now) => {
    const { ticket, grant } = facts;
    if (grant?.state !== 'PENDING_GUARD_APPROVAL' || isStillApproved(grant, facts)) return null;
    return {
      changes: lapseApproval(grant, grantSubjectOf(ticket), now),
      refused: invalidState('APPROVAL_LAPSED'),
    };
  },
};

/** Whether the person who approved the request for the customer may grant on its ticket at present. */
function isStillApproved(
  { customerApprovedById }: PendingGuardApproval,
  { ticket, approvers }: TicketFacts,
): boolean {
  const approver = approvers?.get(customerApprovedById);
  if (approver?.kind !== 'USER') return false;
  const isMember = approver.organizationIds.includes(ticket.site.organizationId);
  return eligibility({ isMember, assignments: approver.assignments }, ticket).allowed;
}

/** A Guard admin denies after the customer has approved, whether or not that approval still holds. */
export const denyGuardRequest = grantCommand(
  'denyGuardRequest',
  'grant.deny_as_guard',
  ['NOT_AWAITING_GUARD', 'ALREADY_ACTIVE', 'GUARD_ADMIN_ONLY_SINCE_APPROVAL'],
  ({ ticket }, { viewer }) => ({ type: 'DenyAsGuard', ...asGuardAdmin(viewer, ticket.site) }),
);

function asGuardAdmin(viewer: Viewer, site: Site): { by: string; guardAdminSince: Date } {
  const since = viewer.kind === 'USER' ? guardAdminSince(viewer.assignments, site) : null;
  if (since === null) throw new Error(`${viewer.id} is not a Guard admin of the site ${site.id}`);
  return { by: viewer.id, guardAdminSince: new Date(since) };
}
