import { grantCommand } from './ticket-command.ts';

/** The engineer is done and gives active access back before it ends by itself. */
export const releaseDataAccess = grantCommand(
  'releaseDataAccess',
  'grant.release',
  ['NOT_ACTIVE'],
  (_, { viewer }) => ({ type: 'Release', by: viewer.id }),
);
