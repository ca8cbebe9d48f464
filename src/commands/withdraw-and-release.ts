import { grantCommand } from './ticket-command.ts';

/** The engineer takes back a request that is not decided yet. */
export const withdrawDataAccessRequest = grantCommand(
  'withdrawDataAccessRequest',
  'grant.withdraw',
  ['ALREADY_ACTIVE'],
  (_, { viewer }) => ({
    type: 'Withdraw',
    by: viewer.id,
  }),
);

/** The engineer is done and gives active access back before it ends by itself. */
export const releaseDataAccess = grantCommand(
  'releaseDataAccess',
  'grant.release',
  ['NOT_ACTIVE'],
  (_, { viewer }) => ({
    type: 'Release',
    by: viewer.id,
  }),
);
