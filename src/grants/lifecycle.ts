/**
 * The lifecycle of a grant, as one pure decision: what a command does to a grant, or why it is refused.
 *
 *                           ┌─────────────┐ (the approval has lapsed)
 *                           ▼             │
 *     (none) ──► PENDING_APPROVAL ──► [PENDING_GUARD_APPROVAL ──►] ACTIVE ──► REVOKED | ENDED
 *                       └────────────────────┴──► DENIED | WITHDRAWN | EXPIRED
 *
 * States on the right are final. A request is decided by the terms of its opening, or by the present ones where they
 * are tighter. This file says only what each command does in each state. Who may run it is
 * decided before: see authorization/ and roles/eligibility.ts. Pure: time and ids are arguments.
 */
import type { GrantEventType } from '../events/kinds/grant.ts';
import {
  type EndReason,
  expiryOf,
  type Grant,
  type GrantPath,
  type GrantScope,
  hasExpired,
  isOpen,
  type OpenGrant,
} from './grant.ts';
import { effectiveTerms, type GrantTerms } from './terms.ts';

/** `terms`: what the site demands at present. */
export type GrantCommand =
  | {
      type: 'Request';
      grantId: string;
      organizationId: string;
      ticketId: string;
      siteId: string;
      scope: GrantScope;
      engineerId: string | null;
      requestedById: string;
      justification: string | null;
      /** How long the request waits, in seconds. */
      waitSeconds: number;
      terms: GrantTerms;
    }
  | { type: 'Approve'; by: string; path: GrantPath; expiresAt: Date | null; terms: GrantTerms }
  | { type: 'Deny'; by: string }
  /** `expiresAt`: an earlier end than the customer's. */
  | { type: 'ApproveAsGuard'; by: string; guardAdminSince: Date; expiresAt?: Date; terms: GrantTerms }
  | { type: 'DenyAsGuard'; by: string; guardAdminSince: Date }
  /** The person who approved for the customer may no longer grant. */
  | { type: 'LapseApproval' }
  /** `asGuard`: the person's only right to revoke is being a Guard admin. */
  | { type: 'Revoke'; by: string; asGuard: boolean }
  | { type: 'Withdraw'; by: string }
  | { type: 'Release'; by: string }
  | { type: 'Reassign'; engineerId: string | null }
  /** The site's policy lets requests wait only so many seconds from now on. */
  | { type: 'ShortenWait'; waitSeconds: number }
  | { type: 'CloseTicket'; by: string }
  | { type: 'DeactivateSite'; by: string }
  | { type: 'UnlicenseProduct'; by: string }
  /** The ticket is about another product now. */
  | { type: 'ChangeProduct'; by: string }
  | { type: 'ElapseTime' };

/** The command that ends a grant with its site or its product's licence. */
export function endWithPlace(reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED', by: string): GrantCommand {
  return { type: reason === 'SITE_DEACTIVATED' ? 'DeactivateSite' : 'UnlicenseProduct', by };
}

export type GrantChange = {
  event: GrantEventType;
  /** The grant after the change. */
  grant: Grant;
  /** The decision a named person made in it, if one did. */
  decision: { stage: 'CUSTOMER' | 'GUARD'; outcome: 'APPROVED' | 'DENIED'; by: string } | null;
};

export type GrantRefusal =
  | 'ALREADY_REQUESTED'
  | 'ALREADY_APPROVED'
  | 'ALREADY_ACTIVE'
  | 'NOT_APPROVED_YET'
  | 'NOT_AWAITING_GUARD'
  | 'NOT_ACTIVE'
  | 'ALREADY_OVER'
  | 'NO_SUCH_GRANT'
  | 'SAME_PERSON_MAY_NOT_APPROVE_TWICE'
  | 'GUARD_ADMIN_ONLY_SINCE_APPROVAL'
  | 'EXPIRES_AT_IN_THE_PAST'
  | 'EXPIRES_AT_BEYOND_POLICY'
  | 'EXPIRES_AT_BEYOND_APPROVAL';

export type GrantDecision = { changed: GrantChange } | { unchanged: true } | { refused: GrantRefusal };

/**
 * Decides a command on a grant (null: there is none yet) at the moment `now`.
 *
 * A grant whose time has run out is treated as over even before that is written. So callers apply `ElapseTime`
 * first, which makes the expiry a change of its own.
 */
export function decide(grant: Grant | null, command: GrantCommand, now: Date): GrantDecision {
  if (grant === null) {
    return command.type === 'Request' ? request(command, now) : { refused: 'NO_SUCH_GRANT' };
  }
  if (command.type === 'Request') return { refused: 'ALREADY_REQUESTED' };
  if (!isOpen(grant)) return decideOnFinal(command);
  if (command.type === 'ElapseTime') return elapse(grant, now);
  if (hasExpired(grant, now)) return decideOnFinal(command);
  return decideOnOpen(grant, command, later(now, lastChangeOf(grant)));
}

/**
 * Returns `now`, or the time of the grant's last change if that is later: the clocks of two gateways differ a little,
 * and a revocation must not fail because of that.
 */
function decideOnOpen(
  grant: OpenGrant,
  command: Exclude<GrantCommand, { type: 'Request' | 'ElapseTime' }>,
  now: Date,
): GrantDecision {
  switch (command.type) {
    case 'Approve':
      return approve(grant, command, now);
    case 'Deny':
      return deny(grant, command.by, now);
    case 'ApproveAsGuard':
      return approveAsGuard(grant, command, now);
    case 'DenyAsGuard':
      return denyAsGuard(grant, command, now);
    case 'LapseApproval':
      return lapseApproval(grant);
    case 'Revoke':
      return revoke(grant, command, now);
    case 'Withdraw':
      return withdraw(grant, command.by, now);
    case 'Release':
      return grant.state === 'ACTIVE'
        ? over(grant, 'ENDED', 'RELEASED_BY_ENGINEER', now, command.by)
        : { refused: 'NOT_ACTIVE' };
    case 'Reassign':
      return reassign(grant, command.engineerId);
    case 'ShortenWait':
      return shortenWait(grant, command.waitSeconds, now);
    case 'CloseTicket':
      return grant.state === 'ACTIVE'
        ? over(grant, 'REVOKED', 'TICKET_CLOSED', now, command.by)
        : neverActive(grant, 'WITHDRAWN', 'TICKET_CLOSED', now, command.by);
    case 'DeactivateSite':
      return endWithItsPlace(grant, 'SITE_DEACTIVATED', now, command.by);
    case 'UnlicenseProduct':
      return endWithItsPlace(grant, 'PRODUCT_UNLICENSED', now, command.by);
    case 'ChangeProduct':
      return endWithItsPlace(grant, 'PRODUCT_CHANGED', now, command.by);
  }
}

/**
 * No command changes a grant in a final state: commands of people are refused, and consequences of other changes do
 * nothing.
 */
function decideOnFinal(command: Exclude<GrantCommand, { type: 'Request' }>): GrantDecision {
  switch (command.type) {
    case 'LapseApproval':
    case 'Reassign':
    case 'ShortenWait':
    case 'CloseTicket':
    case 'DeactivateSite':
    case 'UnlicenseProduct':
    case 'ChangeProduct':
    case 'ElapseTime':
      return { unchanged: true };
    case 'Approve':
    case 'Deny':
    case 'ApproveAsGuard':
    case 'DenyAsGuard':
    case 'Revoke':
    case 'Withdraw':
    case 'Release':
      return { refused: 'ALREADY_OVER' };
  }
}

type Of<Type extends GrantCommand['type']> = Extract<GrantCommand, { type: Type }>;

function request(command: Of<'Request'>, now: Date): GrantDecision {
  const grant: Grant = {
    state: 'PENDING_APPROVAL',
    id: command.grantId,
    organizationId: command.organizationId,
    ticketId: command.ticketId,
    siteId: command.siteId,
    scope: command.scope,
    engineerId: command.engineerId,
    requestedById: command.requestedById,
    justification: command.justification,
    requestedAt: now,
    approvalDueAt: secondsAfter(now, command.waitSeconds),
    terms: command.terms,
    version: 1,
  };
  return { changed: { event: 'REQUESTED', grant, decision: null } };
}

function approve(grant: OpenGrant, command: Of<'Approve'>, now: Date): GrantDecision {
  if (grant.state === 'ACTIVE') return { refused: 'ALREADY_ACTIVE' };
  if (grant.state === 'PENDING_GUARD_APPROVAL') return { refused: 'ALREADY_APPROVED' };
  const { by, path, expiresAt } = command;
  const terms = effectiveTerms(grant.terms, command.terms);
  const latest = latestEnd(now, terms);
  if (expiresAt !== null && !(expiresAt > now)) return { refused: 'EXPIRES_AT_IN_THE_PAST' };
  if (expiresAt !== null && latest !== null && expiresAt > latest)
    return { refused: 'EXPIRES_AT_BEYOND_POLICY' };

  const approved = { path, customerApprovedAt: now, customerApprovedById: by, expiresAt };
  const decision = { stage: 'CUSTOMER', outcome: 'APPROVED', by } as const;
  const base = { ...grant, ...approved, version: grant.version + 1 };
  if (terms.guardRequired) {
    return {
      changed: { event: 'AWAITING_GUARD', grant: { ...base, state: 'PENDING_GUARD_APPROVAL' }, decision },
    };
  }
  return {
    changed: {
      event: 'ACTIVATED',
      grant: { ...base, state: 'ACTIVE', activatedAt: now, expiresAt: expiresAt ?? latest },
      decision,
    },
  };
}

function deny(grant: OpenGrant, by: string, now: Date): GrantDecision {
  switch (grant.state) {
    case 'PENDING_APPROVAL':
      return neverActive(grant, 'DENIED', 'DENIED_BY_CUSTOMER', now, by, 'CUSTOMER');
    case 'PENDING_GUARD_APPROVAL':
      return { refused: 'ALREADY_APPROVED' };
    case 'ACTIVE':
      return { refused: 'ALREADY_ACTIVE' };
  }
}

/**
 * The two decisions are made by two different people, unless the terms say otherwise. Somebody who was made a Guard admin
 * after the customer's approval does not decide: nobody is appointed for one grant. A Guard admin may bring the end
 * forward, and never puts it off.
 */
function approveAsGuard(grant: OpenGrant, command: Of<'ApproveAsGuard'>, now: Date): GrantDecision {
  if (grant.state !== 'PENDING_GUARD_APPROVAL') return { refused: notAwaitingGuard(grant) };
  const { by, guardAdminSince } = command;
  if (guardAdminSince > grant.customerApprovedAt) return { refused: 'GUARD_ADMIN_ONLY_SINCE_APPROVAL' };
  const terms = effectiveTerms(grant.terms, command.terms);
  if (by === grant.customerApprovedById && !terms.samePersonMayApproveTwice) {
    return { refused: 'SAME_PERSON_MAY_NOT_APPROVE_TWICE' };
  }
  const latest = latestEnd(now, terms);
  const { expiresAt: chosen } = command;
  if (chosen !== undefined) {
    if (!(chosen > now)) return { refused: 'EXPIRES_AT_IN_THE_PAST' };
    if (grant.expiresAt !== null && chosen > grant.expiresAt)
      return { refused: 'EXPIRES_AT_BEYOND_APPROVAL' };
    if (latest !== null && chosen > latest) return { refused: 'EXPIRES_AT_BEYOND_POLICY' };
  }
  const expiresAt = chosen ?? earlier(grant.expiresAt, latest);
  return {
    changed: {
      event: 'ACTIVATED',
      grant: { ...grant, state: 'ACTIVE', activatedAt: now, expiresAt, version: grant.version + 1 },
      decision: { stage: 'GUARD', outcome: 'APPROVED', by },
    },
  };
}

function denyAsGuard(grant: OpenGrant, { by, guardAdminSince }: Of<'DenyAsGuard'>, now: Date): GrantDecision {
  if (grant.state !== 'PENDING_GUARD_APPROVAL') return { refused: notAwaitingGuard(grant) };
  if (guardAdminSince > grant.customerApprovedAt) return { refused: 'GUARD_ADMIN_ONLY_SINCE_APPROVAL' };
  return neverActive(grant, 'DENIED', 'DENIED_BY_GUARD', now, by, 'GUARD');
}

/** The request waits for the customer again, until the same deadline. */
function lapseApproval(grant: OpenGrant): GrantDecision {
  if (grant.state !== 'PENDING_GUARD_APPROVAL') return { unchanged: true };
  const {
    path: _path,
    customerApprovedAt: _at,
    customerApprovedById: _by,
    expiresAt: _end,
    ...asked
  } = grant;
  const waiting = { ...asked, state: 'PENDING_APPROVAL', version: grant.version + 1 } as const;
  return { changed: { event: 'APPROVAL_LAPSED', grant: waiting, decision: null } };
}

function notAwaitingGuard(grant: OpenGrant): GrantRefusal {
  return grant.state === 'ACTIVE' ? 'ALREADY_ACTIVE' : 'NOT_AWAITING_GUARD';
}

/**
 * Revoking ends an active grant. While a grant awaits the Guard, it takes the customer's approval back, so that
 * the grant cannot become active afterwards.
 */
function revoke(grant: OpenGrant, { by, asGuard }: Of<'Revoke'>, now: Date): GrantDecision {
  switch (grant.state) {
    case 'PENDING_APPROVAL':
      return { refused: 'NOT_APPROVED_YET' };
    case 'PENDING_GUARD_APPROVAL':
      return asGuard
        ? neverActive(grant, 'DENIED', 'DENIED_BY_GUARD', now, by, 'GUARD')
        : neverActive(grant, 'DENIED', 'DENIED_BY_CUSTOMER', now, by, 'CUSTOMER');
    case 'ACTIVE':
      return over(grant, 'REVOKED', 'REVOKED_BY_CUSTOMER', now, by);
  }
}

function withdraw(grant: OpenGrant, by: string, now: Date): GrantDecision {
  if (grant.state === 'ACTIVE') return { refused: 'ALREADY_ACTIVE' };
  return neverActive(grant, 'WITHDRAWN', 'WITHDRAWN_BY_ENGINEER', now, by);
}

/** The engineer assigned to the ticket has its grants; an engineer who is unassigned loses them. */
function reassign(grant: OpenGrant, engineerId: string | null): GrantDecision {
  if (grant.engineerId === engineerId) return { unchanged: true };
  return {
    changed: {
      event: 'REASSIGNED',
      grant: { ...grant, engineerId, version: grant.version + 1 },
      decision: null,
    },
  };
}

/** A request waits as long as it was opened for, or as long as the site lets requests wait now, if that is shorter. */
function shortenWait(grant: OpenGrant, waitSeconds: number, now: Date): GrantDecision {
  const approvalDueAt = later(now, secondsAfter(grant.requestedAt, waitSeconds));
  if (grant.state === 'ACTIVE' || approvalDueAt >= grant.approvalDueAt) return { unchanged: true };
  return {
    changed: {
      event: 'WAIT_SHORTENED',
      grant: { ...grant, approvalDueAt, version: grant.version + 1 },
      decision: null,
    },
  };
}

/** After the site was deactivated, the licence ended or the ticket got another product: an active grant ends, a pending one is withdrawn. */
function endWithItsPlace(
  grant: OpenGrant,
  reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED' | 'PRODUCT_CHANGED',
  now: Date,
  by: string,
): GrantDecision {
  return grant.state === 'ACTIVE'
    ? over(grant, 'ENDED', reason, now, by)
    : neverActive(grant, 'WITHDRAWN', reason, now, by);
}

/** Ends the grant at the moment when its time ran out, however late that is written. */
function elapse(grant: OpenGrant, now: Date): GrantDecision {
  const at = expiryOf(grant);
  if (at === null || at > now) return { unchanged: true };
  return grant.state === 'ACTIVE'
    ? over(grant, 'ENDED', 'TIME_ELAPSED', at, null)
    : neverActive(grant, 'EXPIRED', 'APPROVAL_TIMED_OUT', at, null);
}

type Active = Extract<OpenGrant, { state: 'ACTIVE' }>;
type Pending = Exclude<OpenGrant, Active>;
type Final<State extends Grant['state']> = Extract<Grant, { state: State; endReason: EndReason }>;

function over<State extends 'REVOKED' | 'ENDED'>(
  grant: Active,
  state: State,
  endReason: Final<State>['endReason'],
  endedAt: Date,
  by: string | null,
): GrantDecision {
  const ended = {
    ...grant,
    state,
    endReason,
    endedAt,
    endedById: by,
    version: grant.version + 1,
  } as Final<State>;
  return { changed: { event: state, grant: ended, decision: null } };
}

function neverActive<State extends 'DENIED' | 'WITHDRAWN' | 'EXPIRED'>(
  grant: Pending,
  state: State,
  endReason: Final<State>['endReason'],
  endedAt: Date,
  by: string | null,
  stage: 'CUSTOMER' | 'GUARD' | null = null,
): GrantDecision {
  const approval =
    grant.state === 'PENDING_APPROVAL'
      ? { path: null, customerApprovedAt: null, customerApprovedById: null, expiresAt: null }
      : {};
  const ended = {
    ...grant,
    ...approval,
    state,
    endReason,
    endedAt,
    endedById: by,
    version: grant.version + 1,
  } as Final<State>;
  const decision = stage !== null && by !== null ? ({ stage, outcome: 'DENIED', by } as const) : null;
  return { changed: { event: state, grant: ended, decision } };
}

function lastChangeOf(grant: OpenGrant): Date {
  switch (grant.state) {
    case 'PENDING_APPROVAL':
      return grant.requestedAt;
    case 'PENDING_GUARD_APPROVAL':
      return grant.customerApprovedAt;
    case 'ACTIVE':
      return grant.activatedAt;
  }
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b;
}

function latestEnd(now: Date, terms: GrantTerms): Date | null {
  return terms.maxGrantSeconds === null ? null : secondsAfter(now, terms.maxGrantSeconds);
}

function earlier(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

function secondsAfter(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000);
}
