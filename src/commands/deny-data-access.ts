import { grantCommand } from './on-ticket.ts';

/** The customer's no to an outstanding request. */
export const denyDataAccess = grantCommand('denyDataAccess', 'grant.deny', (_, { viewer }) => ({
  type: 'Deny',
  by: viewer.id,
}));
