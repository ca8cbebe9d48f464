import type { MutationName } from './operations.ts';

/**
 * The mutations that only take access away, or say no to it. They have connections of their own, so that nobody's other
 * work holds them up.
 */
const ending = [
  'revokeDataAccess',
  'revokeDataAccessInBulk',
  'denyDataAccess',
  'denyDataAccessInBulk',
  'denyGuardRequest',
  'denyGuardRequestInBulk',
  'releaseDataAccess',
  'endSupportSession',
  'refuseChange',
  'revokeChangeConsent',
  'closeTicket',
  'removeRole',
  'deactivateSite',
  'unlicenseProduct',
  'removeUser',
  'deactivateAccount',
] as const satisfies readonly MutationName[];

const names: ReadonlySet<string> = new Set(ending);

export function endsAccess(mutation: string): boolean {
  return names.has(mutation);
}

const named = new RegExp(`\\b(?:${ending.join('|')})\\b`);

/** Whether a document may have such a mutation: cheap, and true for some that have none. */
export function mayEndAccess(document: string): boolean {
  return named.test(document);
}
