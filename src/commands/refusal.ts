/** Why a command was not carried out, as data: it is answered, recorded, and kept for a repetition. */
import type { GrantRefusal } from '../grants/lifecycle.ts';
import type { ObstacleCode } from '../roles/eligibility.ts';
import type { TicketRefusal } from '../tickets/ticket.ts';

export type StateRefusalCode =
  | GrantRefusal
  | TicketRefusal
  | 'SITE_DEACTIVATED'
  | 'SITE_NOT_DEACTIVATED'
  | 'PRODUCT_NOT_LICENSED'
  | 'ORGANIZATION_WITHOUT_GUARD'
  | 'OWN_ACCOUNT'
  | 'ALREADY_EXISTS';

export type FieldProblem = { path: string; message: string };

export type Refusal =
  | { kind: 'NotFound'; code: 'NOT_FOUND'; message: string }
  | { kind: 'Forbidden'; code: 'FORBIDDEN'; message: string }
  | {
      kind: 'NotEligible';
      code: 'NOT_ELIGIBLE';
      message: string;
      ticketId: string;
      obstacles: readonly ObstacleCode[];
    }
  | { kind: 'InvalidInput'; code: 'INVALID_INPUT'; message: string; fields: readonly FieldProblem[] }
  | { kind: 'InvalidState'; code: StateRefusalCode; message: string }
  | { kind: 'Unavailable'; code: 'SERVICE_UNAVAILABLE'; message: string }
  | {
      kind: 'Conflict';
      code: 'VERSION_CONFLICT' | 'IDEMPOTENCY_KEY_REUSED';
      message: string;
      currentVersion: number | null;
    };

/** Thrown to the caller once the refusal is on record. */
export class RefusedError extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = 'RefusedError';
    this.refusal = refusal;
  }
}

export function notFound(what: string): Refusal {
  return {
    kind: 'NotFound',
    code: 'NOT_FOUND',
    message: `There is no such ${what}, or it is not yours to see.`,
  };
}

export function forbidden(message: string): Refusal {
  return { kind: 'Forbidden', code: 'FORBIDDEN', message };
}

export function invalidInput(path: string, message: string): Refusal {
  return {
    kind: 'InvalidInput',
    code: 'INVALID_INPUT',
    message: `${path}: ${message}`,
    fields: [{ path, message }],
  };
}

export function versionConflict(currentVersion: number): Refusal {
  return {
    kind: 'Conflict',
    code: 'VERSION_CONFLICT',
    message: `It has changed since you read it: it is at version ${currentVersion} now. Read it again and decide anew.`,
    currentVersion,
  };
}

/** Whoever decided on a request that has been decided since does not mean a new one. */
export const noLongerOutstanding: Refusal = {
  kind: 'Conflict',
  code: 'VERSION_CONFLICT',
  message: 'The request you read is no longer outstanding. Look at the ticket again and decide anew.',
  currentVersion: null,
};

export const idempotencyKeyReused: Refusal = {
  kind: 'Conflict',
  code: 'IDEMPOTENCY_KEY_REUSED',
  message: 'This idempotency key was used with another input. Use a new key for every new intention.',
  currentVersion: null,
};

/** For one of many; a command of its own fails with the error itself. */
export const unavailable: Refusal = {
  kind: 'Unavailable',
  code: 'SERVICE_UNAVAILABLE',
  message: 'The gateway could not carry this one out. Try it again shortly, with the same idempotency key.',
};

export function invalidState(code: StateRefusalCode): Refusal {
  return { kind: 'InvalidState', code, message: stateMessages[code] };
}

/** What each state refusal says to people. */
export const stateMessages: Record<StateRefusalCode, string> = {
  ALREADY_REQUESTED:
    'The ticket already has an open request of this scope. It can be approved, denied or withdrawn.',
  ALREADY_APPROVED:
    'The customer has approved already; a Guard admin decides now. To take the approval back, revoke it.',
  ALREADY_ACTIVE: 'The grant is active already. To end it, revoke or release it.',
  NOT_APPROVED_YET:
    'Nothing has been approved yet, so there is nothing to revoke. To refuse the request, deny it.',
  NOT_AWAITING_GUARD: 'The grant does not await a Guard admin: the customer decides first.',
  NOT_ACTIVE: 'The grant is not active, so there is nothing to release. To take back a request, withdraw it.',
  ALREADY_OVER: 'The grant is over, and that is final. The engineer may request access again.',
  NO_SUCH_GRANT: 'There is no such grant on this ticket.',
  SAME_PERSON_MAY_NOT_APPROVE_TWICE:
    "You gave the customer's approval. On this site a different person must decide for Guard.",
  EXPIRES_AT_IN_THE_PAST: 'expiresAt must be in the future.',
  EXPIRES_AT_BEYOND_POLICY:
    "expiresAt is later than the site's policy allows a grant to last. Choose an earlier time.",
  TICKET_CLOSED: 'The ticket is closed. Reopen it first.',
  TICKET_NOT_CLOSED: 'The ticket is not closed.',
  SITE_DEACTIVATED:
    'The site is deactivated: it accepts tickets, but no requests and no grants. Reactivate it first.',
  SITE_NOT_DEACTIVATED: 'The site is not deactivated.',
  PRODUCT_NOT_LICENSED: 'The product is not licensed on this site, so its data cannot be opened to support.',
  ORGANIZATION_WITHOUT_GUARD:
    'The organization does not have Guard, so support access cannot be restricted on its sites.',
  OWN_ACCOUNT: 'You cannot deactivate your own account. Ask another operator.',
  ALREADY_EXISTS: 'It exists already.',
};
