/** Refusals as data: why a command was not run, and what people are told. Each is returned, audited, and kept for its idempotency key. */
import type { ChangeRequestRefusal, OpeningRefusal } from '../changes/lifecycle.ts';
import type { GrantRefusal } from '../grants/lifecycle.ts';
import { mostWaiting, type ProposalRefusal } from '../proposals/proposal.ts';
import type { ObstacleCode } from '../roles/eligibility.ts';
import type { DeletionRefusal } from '../rovo/deletion.ts';
import type { SessionRefusal } from '../sessions/session.ts';
import type { TicketRefusal } from '../tickets/ticket.ts';

export type StateRefusalCode =
  | GrantRefusal
  | TicketRefusal
  | ChangeRequestRefusal
  | OpeningRefusal
  | 'APPROVAL_LAPSED'
  | ProposalRefusal
  | DeletionRefusal
  | 'DELETION_ALREADY_REQUESTED'
  | 'TOO_MANY_OPEN_TICKETS'
  | 'TOO_MANY_TICKETS'
  | 'TOO_MANY_OPEN_REQUESTS'
  | 'TOO_MANY_ACCESS_REQUESTS'
  | 'ANOTHER_CHANGE_WAITS'
  | 'TOO_MANY_CHANGES_WAIT'
  | 'CHANGE_LAPSED'
  | 'NO_GUARD_ADMIN'
  | 'SUPPORT_ACCESS_RESTRICTED'
  | 'SITE_DEACTIVATED'
  | 'SITE_NOT_DEACTIVATED'
  | 'NOT_SETTLED_YET'
  | 'PRODUCT_NOT_LICENSED'
  | 'ORGANIZATION_WITHOUT_GUARD'
  | 'ALREADY_APPLIED'
  | 'OWN_ACCOUNT'
  | 'LAST_ORGANIZATION_ADMIN'
  | 'INVITATION_OVER'
  | 'TOO_MANY_INVITATIONS'
  | 'TOO_MANY_AUDIT_STREAMS'
  | 'AUDIT_STREAM_ACTIVE'
  | 'AUDIT_STREAM_NOT_ACTIVE'
  | 'ALREADY_EXISTS'
  | 'VENDOR_ADDRESS'
  | 'COUNTRY_NOT_ALLOWED';

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
  | {
      kind: 'SessionOpen';
      code: Extract<SessionRefusal, 'SESSION_ALREADY_OPEN'>;
      message: string;
      sessionId: string;
    }
  | { kind: 'Unavailable'; code: 'SERVICE_UNAVAILABLE' | 'NOT_BEGUN'; message: string }
  | {
      kind: 'Conflict';
      code: 'VERSION_CONFLICT' | 'IDEMPOTENCY_KEY_REUSED';
      message: string;
      currentVersion: number | null;
    };

export type RefusalKind = Refusal['kind'];
export type RefusalCode = Refusal['code'];

/** What every command can be refused with: see execute.ts and the validation of a mutation's input. */
export const refusalsOfEveryCommand = [
  'INVALID_INPUT',
  'FORBIDDEN',
  'IDEMPOTENCY_KEY_REUSED',
] as const satisfies RefusalCode[];

/** The kinds that these codes belong to. */
export function refusalKinds(codes: readonly RefusalCode[]): ReadonlySet<RefusalKind> {
  return new Set(codes.map(kindOf));
}

function kindOf(code: RefusalCode): RefusalKind {
  switch (code) {
    case 'NOT_FOUND':
      return 'NotFound';
    case 'FORBIDDEN':
      return 'Forbidden';
    case 'NOT_ELIGIBLE':
      return 'NotEligible';
    case 'INVALID_INPUT':
      return 'InvalidInput';
    case 'SESSION_ALREADY_OPEN':
      return 'SessionOpen';
    case 'SERVICE_UNAVAILABLE':
    case 'NOT_BEGUN':
      return 'Unavailable';
    case 'VERSION_CONFLICT':
    case 'IDEMPOTENCY_KEY_REUSED':
      return 'Conflict';
    default:
      return 'InvalidState';
  }
}

/** Thrown to the caller, after the refusal was written to the audit log. */
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

export function notEligible(ticketId: string, obstacles: readonly ObstacleCode[]): Refusal {
  return {
    kind: 'NotEligible',
    code: 'NOT_ELIGIBLE',
    message: 'You cannot decide on data access for this product on this site. The obstacles say why.',
    ticketId,
    obstacles,
  };
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
    message: `It has changed since you read it: it is now at version ${currentVersion}. Read it again, then decide.`,
    currentVersion,
  };
}

/** The viewer decided on a request that somebody else has decided since; that is no consent to a new one. */
export const noLongerOutstanding: Refusal = {
  kind: 'Conflict',
  code: 'VERSION_CONFLICT',
  message: 'The request you read is no longer outstanding. Read the ticket again, then decide.',
  currentVersion: null,
};

/** The grant is in use already: by the same engineer, perhaps in another window. */
export function sessionAlreadyOpen(sessionId: string): Refusal {
  return {
    kind: 'SessionOpen',
    code: 'SESSION_ALREADY_OPEN',
    message: 'You have an open support session under this grant. Go on in that one, or end it first.',
    sessionId,
  };
}

export const idempotencyKeyReused: Refusal = {
  kind: 'Conflict',
  code: 'IDEMPOTENCY_KEY_REUSED',
  message:
    'This idempotency key was used for another mutation or another input. Use a new key for each new intention.',
  currentVersion: null,
};

/** For one item of a bulk mutation. A mutation on its own fails with the error itself. */
export const unavailable: Refusal = {
  kind: 'Unavailable',
  code: 'SERVICE_UNAVAILABLE',
  message: 'The gateway could not run this one for now. Try it again shortly, with the same idempotency key.',
};

/** For an item of a bulk mutation whose time was over before it. */
export const notBegun: Refusal = {
  kind: 'Unavailable',
  code: 'NOT_BEGUN',
  message:
    'The time of this mutation was over before this one was begun, so nothing has changed. Send the same mutation again with the same idempotency key: it goes on with the rest.',
};

/** Give a message where the command has something better to say than the usual one. */
export function invalidState(code: StateRefusalCode, message: string = stateMessages[code]): Refusal {
  return { kind: 'InvalidState', code, message };
}

/** What each state refusal says to people, whichever command it answers. */
export const stateMessages: Record<StateRefusalCode, string> = {
  ALREADY_REQUESTED:
    'The ticket already has an open request of this scope. It can be approved, denied or withdrawn.',
  ALREADY_APPROVED:
    'The customer has approved already; a Guard admin decides now. To take the approval back, revoke it.',
  ALREADY_ACTIVE: 'The grant is active already. To end it, revoke or release it.',
  NOT_APPROVED_YET:
    'Nothing has been approved yet, so there is nothing to revoke. To refuse the request, deny it.',
  NOT_AWAITING_GUARD: 'The grant does not await a Guard admin: the customer decides first.',
  APPROVAL_LAPSED:
    'The person who approved for the customer may no longer grant here, so that approval has lapsed. Somebody who may grant has to approve again.',
  NOT_ACTIVE: 'The grant is not active yet. To take back a request that is still pending, withdraw it.',
  ALREADY_OVER: 'The grant is over, and that is final. The engineer may request access again.',
  NO_SUCH_GRANT: 'There is no such grant on this ticket.',
  SAME_PERSON_MAY_NOT_APPROVE_TWICE:
    "You gave the customer's approval. On this site a different person must decide for Guard.",
  GUARD_ADMIN_ONLY_SINCE_APPROVAL:
    'You became a Guard admin after the customer approved, so another Guard admin decides. Where there is none, the customer may revoke the approval and approve again.',
  EXPIRES_AT_IN_THE_PAST: 'expiresAt must be in the future.',
  EXPIRES_AT_BEYOND_POLICY:
    "expiresAt is later than the site's policy allows a grant to last. Choose an earlier time.",
  EXPIRES_AT_BEYOND_APPROVAL:
    'expiresAt is later than the end that the customer approved. A Guard admin may bring it forward, not put it off: choose an earlier time, or leave it out.',
  NOT_CONSENTED_YET:
    'Nobody has consented to the change yet, so there is no consent to take back. To refuse it, refuse the change.',
  ALREADY_CONSENTED:
    'The customer has consented to the change already. To take that back, revoke the consent.',
  CHANGE_IN_PROGRESS:
    'The change was begun, so it can no longer be decided or taken back. Its engineer records what came of it.',
  CHANGE_NOT_IN_PROGRESS: 'The change was not begun, so nothing has come of it that could be recorded.',
  CHANGE_REQUEST_OVER:
    'The change request is over, and that is final. The engineer may ask for the change again.',
  VALID_UNTIL_IN_THE_PAST: 'validUntil must be in the future.',
  VALID_UNTIL_BEYOND_LIMIT: 'validUntil must be at most 30 days from now.',
  TOO_MANY_CHANGE_REQUESTS:
    'The ticket has as many open change requests as it may have. Withdraw those that are no longer needed, and record what came of those that were begun.',
  TOO_MANY_OPEN_TICKETS:
    'You have as many open tickets as one person may have. Close those that are settled, then file this one.',
  TOO_MANY_TICKETS:
    'As many tickets were filed within an hour as may be, by you or for your organization. The message says when to file the next one.',
  TOO_MANY_OPEN_REQUESTS:
    'As many requests on your tickets await a decision as one engineer may have. Withdraw those that are no longer needed, or wait until some are decided.',
  TOO_MANY_ACCESS_REQUESTS:
    'You have asked for access as often within an hour as one engineer may. The message says when to ask again.',
  TICKET_CLOSED: 'The ticket is closed. Reopen it first.',
  TICKET_NOT_CLOSED: 'The ticket is not closed.',
  SITE_DEACTIVATED:
    'The site is deactivated: it accepts tickets, but no requests and no grants. Reactivate it first.',
  SITE_NOT_DEACTIVATED: 'The site is not deactivated.',
  NOT_SETTLED_YET:
    'What was open there when it ended is still being recorded as over, so that nothing of it comes back. Try again in a moment.',
  PRODUCT_NOT_LICENSED: 'The product is not licensed on this site, so its data cannot be opened to support.',
  ORGANIZATION_WITHOUT_GUARD:
    'The organization does not have Guard, so support access cannot be restricted on its sites.',
  SUPPORT_ACCESS_RESTRICTED:
    'Support access is restricted on a site of the organization, so it cannot give up Guard. Switch the restrictions off first.',
  NO_GUARD_ADMIN:
    'The organization restricts support access and has no active Guard admin who could confirm this. Ask an organization admin: their appointment takes effect after a wait.',
  OWN_GUARD_ROLE: 'Nobody makes themselves a Guard admin. Ask another organization admin.',
  OWN_PROPOSAL: 'You proposed this change, so another person decides on it. To take it back, withdraw it.',
  CHANGE_NOT_WAITING: 'The proposed change is settled already: it waits for nobody any more.',
  CHANGE_LAPSED: 'The proposed change can no longer be made, so it has ended.',
  ANOTHER_CHANGE_WAITS:
    'Another change of the same thing waits for its confirmation. Withdraw that one first, or wait until it is decided.',
  TOO_MANY_CHANGES_WAIT: `${mostWaiting} changes of the organization wait for this confirmation already. Confirm, decline or withdraw some of them first.`,
  ALREADY_APPLIED: 'The event was applied already, so there is nothing to apply again.',
  DELETION_ALREADY_REQUESTED:
    'The deletion of this data is requested already, and not completed. Look at the one that is open.',
  DELETION_NOT_STARTED: 'The deletion is not in progress. Record first that it has begun.',
  DELETION_STARTED: 'The deletion has begun already. It cannot be withdrawn, or begun once more.',
  DELETION_OVER: 'The deletion was completed or withdrawn, and that is final. It may be requested again.',
  OWN_ACCOUNT: 'You cannot deactivate or reactivate your own account. Ask another operator.',
  LAST_ORGANIZATION_ADMIN:
    "You are the organization's last active organization admin. Make somebody else one first, or ask the vendor's operator.",
  INVITATION_OVER:
    'The invitation was accepted or withdrawn, or its time is over. An organization admin may invite again.',
  TOO_MANY_INVITATIONS:
    'As many people are invited to your organization as may be, or were within an hour. The message says what to do, or when to invite the next one.',
  TOO_MANY_AUDIT_STREAMS:
    'The audit log of the organization is streamed to as many endpoints as it may be. Delete those that are no longer needed.',
  AUDIT_STREAM_ACTIVE: 'The stream is active already, so there is nothing to resume.',
  AUDIT_STREAM_NOT_ACTIVE: 'The stream is paused or disabled already. To go on with it, resume it.',
  ALREADY_EXISTS: 'What you want to create exists already.',
  VENDOR_ADDRESS:
    "The email address is the vendor's, so this person is no customer's user. Use the address that they have at the customer.",
  COUNTRY_NOT_ALLOWED:
    'Support may not act on this site from the country that you named. Ask an engineer in an allowed country to take the ticket.',
};
