/**
 * A grant: one permission for a ticket's assigned engineer to see the data in its scope.
 *
 * Each member of the union has exactly the facts of its state, so that a grant with facts of another state does not
 * compile: an `ACTIVE` grant has an activation time, a pending one has none.
 */
import type { GrantTerms } from './terms.ts';

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
  | 'PRODUCT_CHANGED'
  | 'DENIED_BY_CUSTOMER'
  | 'DENIED_BY_GUARD'
  | 'WITHDRAWN_BY_ENGINEER'
  | 'APPROVAL_TIMED_OUT';

type Every = {
  id: string;
  organizationId: string;
  ticketId: string;
  siteId: string;
  scope: GrantScope;
  /** The engineer who is assigned to the ticket. Once the grant is over: the one who was assigned at its end. */
  engineerId: string | null;
  requestedById: string;
  /** What the engineer (or customer) wrote when asking. */
  justification: string | null;
  requestedAt: Date;
  /** When the request expires if it is not fully decided by then. Brought forward where its site lets requests wait less long. */
  approvalDueAt: Date;
  /** Starts at 1 and grows by one with every change. A write succeeds only over the version that it was decided on. */
  version: number;
};

/** What every open grant has. */
type Open = Every & {
  /** What its site demanded when it was opened. */
  terms: GrantTerms;
};

/** The customer's approval. */
type CustomerApproved = {
  path: GrantPath;
  customerApprovedAt: Date;
  customerApprovedById: string;
  /** When access ends by itself; null: only when the ticket closes. */
  expiresAt: Date | null;
};

/** The facts of a grant in a final state. */
type Over = {
  endedAt: Date;
  /** Null if no person ended it. */
  endedById: string | null;
  /** Null if it was over before the terms were kept. */
  terms: GrantTerms | null;
};

/** The customer's approval of a grant that never became active, if there was one. */
type MaybeApproved = { [Key in keyof CustomerApproved]: CustomerApproved[Key] | null };

export type PendingApproval = Open & { state: 'PENDING_APPROVAL' };
export type PendingGuardApproval = Open & CustomerApproved & { state: 'PENDING_GUARD_APPROVAL' };
export type ActiveGrant = Open & CustomerApproved & { state: 'ACTIVE'; activatedAt: Date };
export type NeverActive = Every &
  MaybeApproved &
  Over &
  (
    | { state: 'DENIED'; endReason: 'DENIED_BY_CUSTOMER' | 'DENIED_BY_GUARD' }
    | {
        state: 'WITHDRAWN';
        endReason:
          | 'WITHDRAWN_BY_ENGINEER'
          | 'TICKET_CLOSED'
          | 'SITE_DEACTIVATED'
          | 'PRODUCT_UNLICENSED'
          | 'PRODUCT_CHANGED';
      }
    | { state: 'EXPIRED'; endReason: 'APPROVAL_TIMED_OUT' }
  );
export type WasActive = Every &
  CustomerApproved &
  Over & { activatedAt: Date } & (
    | { state: 'REVOKED'; endReason: 'REVOKED_BY_CUSTOMER' | 'TICKET_CLOSED' }
    | {
        state: 'ENDED';
        endReason:
          | 'TIME_ELAPSED'
          | 'RELEASED_BY_ENGINEER'
          | 'SITE_DEACTIVATED'
          | 'PRODUCT_UNLICENSED'
          | 'PRODUCT_CHANGED';
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
 * The moment at which time alone ends an open grant, or null when it lasts until the ticket closes. A pending
 * grant expires at its deadline, or earlier at the end that the customer approved.
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

/** Whether time alone has ended the grant by `now`, even if that is not in the database yet. */
export function hasExpired(grant: OpenGrant, now: Date): boolean {
  const end = expiryOf(grant);
  return end !== null && end <= now;
}
