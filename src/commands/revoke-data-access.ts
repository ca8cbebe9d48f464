import { grantCommand } from './ticket-command.ts';

/**
 * Ends access at once, at any time: by any eligible grantor, the person who approved, the reporter, or a
 * Guard admin. While the Guard's decision is still out it takes the customer's approval back.
 */
export const revokeDataAccess = grantCommand(
  'revokeDataAccess',
  'grant.revoke',
  ['NOT_APPROVED_YET'],
  (_, { viewer, relations }) => ({
    type: 'Revoke',
    by: viewer.id,
    asGuard: !(['GRANTOR', 'APPROVER', 'REPORTER'] as const).some((relation) => relations.has(relation)),
  }),
);
