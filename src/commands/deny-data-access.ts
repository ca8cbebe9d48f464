import { grantCommand } from './ticket-command.ts';

/** The customer denies an outstanding request. */
export const denyDataAccess = grantCommand(
  'denyDataAccess',
  'grant.deny',
  ['ALREADY_APPROVED', 'ALREADY_ACTIVE'],
  (_, { viewer }) => ({
    type: 'Deny',
    by: viewer.id,
  }),
);
