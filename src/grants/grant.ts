/**
 * A grant: one permission for a ticket's assigned engineer to see the data in its scope.
 *
 * The union holds what is true in each state and nothing else, so that a state with the wrong
 * facts cannot be built: an `ACTIVE` grant has an activation time, a pending one has none.
 */

export type GrantPath = 'TICKET_CREATION' | 'SUPPORT_PORTAL' | 'ADMIN_CONSOLE';

/** What the engineer may see: the data of the ticket's product, or exactly these Rovo conversations. */
export type GrantScope =
  | { kind: 'PRODUCT_DATA' }
  | { kind: 'ROVO_CONVERSATIONS'; conversationIds: readonly string[] };

export type EndReason =
  | 'REVOKED_BY_CUSTOMER'
  | 'TICKET_CLOSED'
  | 'TIME_ELAPSED'
  | 'RELEASED_BY_ENGINEER'
  | 'SITE_DEACTIVATED'
  | 'PRODUCT_UNLICENSED'
  | 'DENIED_BY_CUSTOMER'
  | 'DENIED_BY_GUARD'
  | 'WITHDRAWN_BY_ENGINEER'
  | 'APPROVAL_TIMED_OUT';

type Every = {
  id: string;
  ticketId: string;
  siteId: string;
  scope: GrantScope;
  /** The ticket's engineer while the grant is open; the last one once it is over. */
  engineerId: string | null;
  requestedById: string;
  /** What the engineer (or customer) wrote when asking. */
  justification: string | null;
  requestedAt: Date;
  /** Until when the request waits for all its decisions. */
  approvalDueAt: Date;
  /** Grows by one with every change; the compare-and-set of concurrent writers. */
  version: number;
};

/** The customer has said yes. */
type CustomerApproved = {
  path: GrantPath;
  customerApprovedAt: Date;
  customerApprovedById: string;
  /** When the access ends by itself; null: when the ticket closes. */
  expiresAt: Date | null;
};

/** Over, and final. `endedById` is null when no person ended it. */
type Over = { endedAt: Date; endedById: string | null };

/** What a grant that never became active may carry of the customer's approval. */
type MaybeApproved = { [Key in keyof CustomerApproved]: CustomerApproved[Key] | null };

export type PendingApproval = Every & { state: 'PENDING_APPROVAL' };
export type PendingGuardApproval = Every & CustomerApproved & { state: 'PENDING_GUARD_APPROVAL' };
export type ActiveGrant = Every & CustomerApproved & { state: 'ACTIVE'; activatedAt: Date };
export type NeverActive = Every &
  MaybeApproved &
  Over &
  (
    | { state: 'DENIED'; endReason: 'DENIED_BY_CUSTOMER' | 'DENIED_BY_GUARD' }
    | {
        state: 'WITHDRAWN';
        endReason: 'WITHDRAWN_BY_ENGINEER' | 'TICKET_CLOSED' | 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED';
      }
    | { state: 'EXPIRED'; endReason: 'APPROVAL_TIMED_OUT' }
  );
export type WasActive = Every &
  CustomerApproved &
  Over & { activatedAt: Date } & (
    | { state: 'REVOKED'; endReason: 'REVOKED_BY_CUSTOMER' | 'TICKET_CLOSED' }
    | {
        state: 'ENDED';
        endReason: 'TIME_ELAPSED' | 'RELEASED_BY_ENGINEER' | 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED';
      }
  );

export type OpenGrant = PendingApproval | PendingGuardApproval | ActiveGrant;
export type FinalGrant = NeverActive | WasActive;
export type Grant = OpenGrant | FinalGrant;
export type GrantState = Grant['state'];

const openStates = ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'] as const satisfies GrantState[];

export function isOpen(grant: Grant): grant is OpenGrant {
  return openStates.some((state) => state === grant.state);
}

/**
 * The moment at which an open grant is over without anybody doing anything, or null when only the
 * ticket's end ends it. A pending grant is over when its wait is, or when the window that the
 * customer approved has already gone by.
 */
export function expiryOf(grant: OpenGrant): Date | null {
  switch (grant.state) {
    case 'PENDING_APPROVAL':
      return grant.approvalDueAt;
    case 'PENDING_GUARD_APPROVAL':
      return grant.expiresAt !== null && grant.expiresAt < grant.approvalDueAt
        ? grant.expiresAt
        : grant.approvalDueAt;
    case 'ACTIVE':
      return grant.expiresAt;
  }
}

/** Whether time alone has ended the grant by `now`; the end itself belongs to the grant, not to the sweep. */
export function hasExpired(grant: OpenGrant, now: Date): boolean {
  const end = expiryOf(grant);
  return end !== null && end <= now;
}
