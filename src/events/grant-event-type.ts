/** What can happen to a grant. */
export const GrantEventType = {
  REQUESTED: 'REQUESTED',
  AWAITING_GUARD: 'AWAITING_GUARD',
  ACTIVATED: 'ACTIVATED',
  DENIED: 'DENIED',
  WITHDRAWN: 'WITHDRAWN',
  EXPIRED: 'EXPIRED',
  REVOKED: 'REVOKED',
  ENDED: 'ENDED',
  REASSIGNED: 'REASSIGNED',
} as const;
export type GrantEventType = keyof typeof GrantEventType;
