/**
 * The lifecycle of a change request, as one pure decision: what a command does to it, or why it is refused.
 *
 *     PENDING_CONSENT ──► CONSENTED ──► IN_PROGRESS ──► COMPLETED
 *            └───────────────┴──► REFUSED | WITHDRAWN | EXPIRED
 *
 * COMPLETED and the states below are final. No command begins a change: the one yes to a product's backend does, in
 * access/, of what is consented to and has not expired. A change that was begun is not undone: whatever ends meanwhile,
 * what came of it can still be recorded. Who may run which command is decided before: see authorization/. Pure: time and ids are
 * arguments.
 */
import {
  type Asked,
  type ChangeRequest,
  type ChangeResult,
  type Consented,
  type EndOfItsUse,
  hasExpired,
  type InProgress,
  isOpen,
  type OpenChangeRequest,
  type PendingConsent,
} from './change-request.ts';

/** At most so many change requests of one ticket are open at once. */
export const maxOpenChangeRequests = 20;

/** The latest end of a change request after it was made, in milliseconds: 30 days. */
export const maxValidity = 30 * 24 * 60 * 60 * 1000;

export type ChangeCommand =
  | { type: 'Consent'; by: string; reason: string | null }
  | { type: 'Refuse'; by: string; reason: string | null }
  | { type: 'RevokeConsent'; by: string }
  | { type: 'Withdraw'; by: string }
  /** What it needs has ended: its ticket was closed or got another engineer, its site was deactivated … */
  | { type: 'EndUse'; reason: EndOfItsUse; by: string }
  | { type: 'RecordResult'; by: string; result: ChangeResult; note: string | null }
  | { type: 'ElapseTime' };

export type OpeningRefusal =
  | 'VALID_UNTIL_IN_THE_PAST'
  | 'VALID_UNTIL_BEYOND_LIMIT'
  | 'TOO_MANY_CHANGE_REQUESTS';

export type ChangeRequestRefusal =
  | 'NOT_CONSENTED_YET'
  | 'ALREADY_CONSENTED'
  | 'CHANGE_IN_PROGRESS'
  | 'CHANGE_NOT_IN_PROGRESS'
  | 'CHANGE_REQUEST_OVER';

export type ChangeDecision =
  | { changed: ChangeRequest }
  | { unchanged: true }
  | { refused: ChangeRequestRefusal };

/** Decides whether a change request is made on a ticket that has so many open ones. */
export function openChangeRequest(
  asked: Omit<Asked, 'requestedAt' | 'version'>,
  openOnTicket: number,
  now: Date,
): { changed: PendingConsent } | { refused: OpeningRefusal } {
  const { validUntil } = asked;
  if (!(validUntil > now)) return { refused: 'VALID_UNTIL_IN_THE_PAST' };
  if (validUntil.getTime() > now.getTime() + maxValidity) return { refused: 'VALID_UNTIL_BEYOND_LIMIT' };
  if (openOnTicket >= maxOpenChangeRequests) return { refused: 'TOO_MANY_CHANGE_REQUESTS' };
  return { changed: { ...asked, state: 'PENDING_CONSENT', requestedAt: now, version: 1 } };
}

/**
 * Decides a command on a change request at the moment `now`. One whose time has run out is treated as over, even before
 * that is written.
 */
export function decide(request: ChangeRequest, command: ChangeCommand, now: Date): ChangeDecision {
  if (!isOpen(request)) return decideOnFinal(command);
  if (command.type === 'ElapseTime')
    return request.state !== 'IN_PROGRESS' && hasExpired(request, now)
      ? expire(request)
      : { unchanged: true };
  if (hasExpired(request, now)) return decideOnFinal(command);
  const at = later(now, lastChangeOf(request));
  return request.state === 'IN_PROGRESS'
    ? decideOnBegun(request, command, at)
    : decideOnWaiting(request, command, at);
}

type Waiting = PendingConsent | Consented;
type OfPeople = Exclude<ChangeCommand, { type: 'ElapseTime' }>;

function decideOnWaiting(request: Waiting, command: OfPeople, now: Date): ChangeDecision {
  const isConsented = request.state === 'CONSENTED';
  switch (command.type) {
    case 'Consent':
      return isConsented ? { refused: 'ALREADY_CONSENTED' } : consent(request, command, now);
    case 'Refuse':
      return isConsented ? { refused: 'ALREADY_CONSENTED' } : refuse(request, command, now);
    case 'RevokeConsent':
      return isConsented ? revokeConsent(request, command.by, now) : { refused: 'NOT_CONSENTED_YET' };
    case 'Withdraw':
      return withdraw(request, 'WITHDRAWN_BY_ENGINEER', command.by, now);
    case 'EndUse':
      return withdraw(request, command.reason, command.by, now);
    case 'RecordResult':
      return { refused: 'CHANGE_NOT_IN_PROGRESS' };
  }
}

function decideOnBegun(request: InProgress, command: OfPeople, now: Date): ChangeDecision {
  switch (command.type) {
    case 'RecordResult': {
      const { result, note: resultNote, by } = command;
      return changed({ ...request, state: 'COMPLETED', result, resultNote, endedAt: now, endedById: by });
    }
    case 'EndUse':
      return { unchanged: true };
    case 'Consent':
    case 'Refuse':
    case 'RevokeConsent':
    case 'Withdraw':
      return { refused: 'CHANGE_IN_PROGRESS' };
  }
}

/** Commands of people are refused, and consequences of other changes do nothing. */
function decideOnFinal(command: ChangeCommand): ChangeDecision {
  switch (command.type) {
    case 'EndUse':
    case 'ElapseTime':
      return { unchanged: true };
    case 'Consent':
    case 'Refuse':
    case 'RevokeConsent':
    case 'Withdraw':
    case 'RecordResult':
      return { refused: 'CHANGE_REQUEST_OVER' };
  }
}

type Of<Type extends ChangeCommand['type']> = Extract<ChangeCommand, { type: Type }>;

function consent(request: PendingConsent, command: Of<'Consent'>, now: Date): ChangeDecision {
  return changed({ ...request, ...decisionOf(command, now), state: 'CONSENTED' });
}

function refuse(request: PendingConsent, command: Of<'Refuse'>, now: Date): ChangeDecision {
  const over = { endedAt: now, endedById: command.by, endReason: 'REFUSED_BY_CUSTOMER' } as const;
  return changed({ ...request, ...decisionOf(command, now), ...over, state: 'REFUSED' });
}

/** Who consented, and why, stays with it. */
function revokeConsent(request: Consented, by: string, now: Date): ChangeDecision {
  const over = { endedAt: now, endedById: by, endReason: 'CONSENT_REVOKED' } as const;
  return changed({ ...request, ...over, state: 'REFUSED' });
}

function withdraw(
  request: Waiting,
  endReason: 'WITHDRAWN_BY_ENGINEER' | EndOfItsUse,
  endedById: string,
  endedAt: Date,
): ChangeDecision {
  return changed({ ...withDecision(request), endedAt, endedById, endReason, state: 'WITHDRAWN' });
}

/** It ends at the moment when its time ran out, however late that is written. */
function expire(request: Waiting): ChangeDecision {
  const over = { endedAt: request.validUntil, endedById: null, endReason: 'TIME_ELAPSED' } as const;
  return changed({ ...withDecision(request), ...over, state: 'EXPIRED' });
}

function withDecision(request: Waiting) {
  return request.state === 'CONSENTED'
    ? request
    : { ...request, decidedById: null, decidedAt: null, decisionReason: null };
}

function decisionOf({ by, reason }: Of<'Consent' | 'Refuse'>, now: Date) {
  return { decidedById: by, decidedAt: now, decisionReason: reason };
}

function changed(next: Exclude<ChangeRequest, PendingConsent>): ChangeDecision {
  return { changed: { ...next, version: next.version + 1 } };
}

/** The clocks of two gateways differ a little, and what takes a consent back must not fail because of that. */
function later(now: Date, lastChange: Date): Date {
  return now > lastChange ? now : lastChange;
}

function lastChangeOf(request: OpenChangeRequest): Date {
  switch (request.state) {
    case 'PENDING_CONSENT':
      return request.requestedAt;
    case 'CONSENTED':
      return request.decidedAt;
    case 'IN_PROGRESS':
      return request.allowedAt;
  }
}
