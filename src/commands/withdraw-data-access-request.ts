import { grantCommand } from './ticket-command.ts';

/** The engineer takes back a request that is not decided yet. */
export const withdrawDataAccessRequest = grantCommand(
  'withdrawDataAccessRequest',
  'grant.withdraw',
  ['ALREADY_ACTIVE'],
  (_, { viewer }) => ({ type: 'Withdraw', by: viewer.id }),
);
