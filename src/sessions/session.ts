/**
 * A support session: an engineer's use of one active grant, from its start until its end. What a command does to it, as
 * one pure decision.
 *
 *     (none) ──► open ──► over
 *
 * A session whose time has run out is over at that moment, even before that is written. This file says only what each
 * command does in each state; whether the grant may be used is decided before. Pure: time and ids are arguments.
 */

export type SessionReason =
  | 'INVESTIGATE_PROBLEM'
  | 'REPRODUCE_PROBLEM'
  | 'GATHER_LOGS'
  | 'CHECK_CONFIGURATION'
  | 'APPLY_CHANGE'
  | 'VERIFY_SOLUTION';

/** Why the use of a session's grant has ended. */
export type EndOfUse =
  | 'GRANT_REVOKED'
  | 'GRANT_EXPIRED'
  | 'GRANT_RELEASED'
  | 'TICKET_CLOSED'
  | 'TICKET_REASSIGNED'
  | 'ENGINEER_DEACTIVATED'
  | 'SITE_DEACTIVATED'
  | 'PRODUCT_UNLICENSED'
  | 'PRODUCT_CHANGED';

export type SessionEndReason = 'ENDED_BY_ENGINEER' | 'IDLE_LIMIT' | 'TIME_LIMIT' | EndOfUse;

/** A session as the database has it. */
export type Session = {
  id: string;
  grantId: string;
  ticketId: string;
  siteId: string;
  organizationId: string;
  engineerId: string;
  reason: SessionReason;
  note: string;
  /** Where the engineer is: an ISO 3166-1 alpha-2 code. */
  country: string;
  startedAt: Date;
  /** To within a tenth of its idle limit. */
  lastUsedAt: Date;
  /** It ends after so many seconds without use: the limit of its site at its start. */
  idleSeconds: number;
  /** When it ends however much it is used: at the limit of its site at its start, or with its grant. */
  expiresAt: Date;
  /** When it ends by itself unless it is used: `expiresAt`, or its idle limit after its last use if that is earlier. */
  dueAt: Date;
  /** Null: it is open. */
  endedAt: Date | null;
  endReason: SessionEndReason | null;
  /** Null: no person ended it. */
  endedById: string | null;
  /** 1, and 2 when it is over. */
  version: number;
};

/** What a session is started with. */
export type SessionStart = Omit<
  Session,
  | 'startedAt'
  | 'lastUsedAt'
  | 'idleSeconds'
  | 'expiresAt'
  | 'dueAt'
  | 'endedAt'
  | 'endReason'
  | 'endedById'
  | 'version'
>;

/** The settings of the site that limit a session. */
export type SessionLimits = { sessionIdleSeconds: number; maxSessionSeconds: number };

/** `grantExpiresAt`: when the time of its grant is over; null: not by time. */
export type SessionCommand =
  | { type: 'Start'; start: SessionStart; limits: SessionLimits; grantExpiresAt: Date | null }
  /** The engineer acts in it. */
  | { type: 'Use' }
  | { type: 'End'; by: string }
  /** Its grant may no longer be used from this moment on. `by`: the person who did that; null: nobody. */
  | { type: 'EndUse'; endReason: EndOfUse; by: string | null }
  | { type: 'ElapseTime'; grantExpiresAt: Date | null };

export type SessionRefusal = 'SESSION_ALREADY_OPEN' | 'SESSION_OVER' | 'NO_SUCH_SESSION';

export type SessionChange = {
  event: 'STARTED' | 'USED' | 'ENDED';
  /** The session after the change. */
  session: Session;
};

export type SessionDecision = { changed: SessionChange } | { unchanged: true } | { refused: SessionRefusal };

/**
 * Decides a command on the latest session of a grant (null: it has none yet) at the moment `now`.
 *
 * Callers that start a session apply `ElapseTime` to the one before first, which makes its end a change of its own.
 */
export function decide(session: Session | null, command: SessionCommand, now: Date): SessionDecision {
  if (command.type === 'Start') {
    return session !== null && isOpen(session, now)
      ? { refused: 'SESSION_ALREADY_OPEN' }
      : start(command, now);
  }
  if (session === null) return { refused: 'NO_SUCH_SESSION' };
  switch (command.type) {
    case 'Use':
      return isOpen(session, now) ? use(session, now) : { refused: 'SESSION_OVER' };
    case 'End':
      return isOpen(session, now) ? end(session, 'ENDED_BY_ENGINEER', now, command.by) : { unchanged: true };
    case 'EndUse':
      return endUse(session, command, now);
    case 'ElapseTime':
      return isElapsed(session, now) ? elapse(session, command.grantExpiresAt) : { unchanged: true };
  }
}

/** Whether the session is open at `now`. Whether its grant may be used then is another question. */
export function isOpen(session: Session, now: Date): boolean {
  return session.endedAt === null && session.dueAt > now;
}

/** Whether time alone has ended the session by `now`, and that is not in the database yet. */
export function isElapsed(session: Session, now: Date): boolean {
  return session.endedAt === null && session.dueAt <= now;
}

/** The session as it is at `now`, including an end by time that is not written yet. */
export function asOf(session: Session, grantExpiresAt: Date | null, now: Date): Session {
  const decision = decide(session, { type: 'ElapseTime', grantExpiresAt }, now);
  return 'changed' in decision ? decision.changed.session : session;
}

/** The session after its site was deactivated or its product's licence ended, at `since`, even if that is not written yet. */
export function endWithPlace(
  session: Session,
  end: { reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED'; since: Date; byId: string },
): Session {
  const decision = decide(session, { type: 'EndUse', endReason: end.reason, by: end.byId }, end.since);
  return 'changed' in decision ? decision.changed.session : session;
}

type Of<Type extends SessionCommand['type']> = Extract<SessionCommand, { type: Type }>;

function start({ start, limits, grantExpiresAt }: Of<'Start'>, now: Date): SessionDecision {
  const { sessionIdleSeconds, maxSessionSeconds } = limits;
  const limit = secondsAfter(now, maxSessionSeconds);
  const expiresAt = grantExpiresAt === null ? limit : earlier(limit, grantExpiresAt);
  const session: Session = {
    ...start,
    ...{ startedAt: now, lastUsedAt: now, idleSeconds: sessionIdleSeconds, expiresAt },
    dueAt: earlier(secondsAfter(now, sessionIdleSeconds), expiresAt),
    ...{ endedAt: null, endReason: null, endedById: null, version: 1 },
  };
  return { changed: { event: 'STARTED', session } };
}

/** Whether a use is late enough to be written: most actions write nothing to the session. */
export function isUseWritten(
  { lastUsedAt, idleSeconds }: Pick<Session, 'lastUsedAt' | 'idleSeconds'>,
  now: Date,
): boolean {
  return now >= secondsAfter(lastUsedAt, idleSeconds / 10);
}

/** The store of evaluations writes the same in SQL. */
function use(session: Session, now: Date): SessionDecision {
  if (!isUseWritten(session, now)) return { unchanged: true };
  const dueAt = earlier(secondsAfter(now, session.idleSeconds), session.expiresAt);
  return { changed: { event: 'USED', session: { ...session, lastUsedAt: now, dueAt } } };
}

/** A session whose time ran out before its grant's use ended was over before. The store decides the same in SQL. */
function endUse(session: Session, { endReason, by }: Of<'EndUse'>, now: Date): SessionDecision {
  if (session.endedAt !== null) return { unchanged: true };
  return session.dueAt < now ? elapse(session, null) : end(session, endReason, now, by);
}

/** Ends the session at the moment when its time ran out, however late that is written. */
function elapse(session: Session, grantExpiresAt: Date | null): SessionDecision {
  return end(session, limitReached(session, grantExpiresAt), session.dueAt, null);
}

function limitReached({ dueAt, expiresAt }: Session, grantExpiresAt: Date | null): SessionEndReason {
  if (dueAt < expiresAt) return 'IDLE_LIMIT';
  return grantExpiresAt !== null && grantExpiresAt <= expiresAt ? 'GRANT_EXPIRED' : 'TIME_LIMIT';
}

/** Ends it no earlier than it began: an end must not fail because the clock of the database was set back. */
function end(session: Session, endReason: SessionEndReason, at: Date, by: string | null): SessionDecision {
  const endedAt = at < session.startedAt ? session.startedAt : at;
  const over: Session = { ...session, endedAt, endReason, endedById: by, version: session.version + 1 };
  return { changed: { event: 'ENDED', session: over } };
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

function secondsAfter(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000);
}
