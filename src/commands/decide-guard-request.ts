import { grantCommand, termsOf } from './ticket-command.ts';

/** The Guard admin's yes, in second place: only now does the engineer receive the grant. */
export const approveGuardRequest = grantCommand(
  'approveGuardRequest',
  'grant.approve_as_guard',
  ['NOT_AWAITING_GUARD', 'ALREADY_ACTIVE', 'SAME_PERSON_MAY_NOT_APPROVE_TWICE'],
  ({ ticket }, { viewer }) => ({ type: 'ApproveAsGuard', by: viewer.id, terms: termsOf(ticket.site) }),
);

/** The Guard admin's no, in second place. */
export const denyGuardRequest = grantCommand(
  'denyGuardRequest',
  'grant.deny_as_guard',
  ['NOT_AWAITING_GUARD', 'ALREADY_ACTIVE'],
  (_, { viewer }) => ({
    type: 'DenyAsGuard',
    by: viewer.id,
  }),
);
