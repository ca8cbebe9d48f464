import { grantCommand, termsOf } from './ticket-command.ts';

/** A Guard admin approves after the customer. Only now does the engineer get the grant. */
export const approveGuardRequest = grantCommand(
  'approveGuardRequest',
  'grant.approve_as_guard',
  ['NOT_AWAITING_GUARD', 'ALREADY_ACTIVE', 'SAME_PERSON_MAY_NOT_APPROVE_TWICE'],
  ({ ticket }, { viewer }) => ({ type: 'ApproveAsGuard', by: viewer.id, terms: termsOf(ticket.site) }),
);

/** A Guard admin denies after the customer has approved. */
export const denyGuardRequest = grantCommand(
  'denyGuardRequest',
  'grant.deny_as_guard',
  ['NOT_AWAITING_GUARD', 'ALREADY_ACTIVE'],
  (_, { viewer }) => ({
    type: 'DenyAsGuard',
    by: viewer.id,
  }),
);
