/** Adds to a decision about a support session what its audit entry and its event need. */
import { decide, type Session, type SessionDecision } from '../sessions/session.ts';
import type { DecidedSessionChange } from './session-effects.ts';

/** The session's grant and its ticket, as they are afterwards. */
export type SessionSubject = Pick<DecidedSessionChange, 'grant' | 'ticket'> & { now: Date };

/** The start or the end in the decision, if there is one. */
export function sessionChanges(
  decision: SessionDecision,
  { grant, ticket, now, actor }: SessionSubject & Pick<DecidedSessionChange, 'actor'>,
): DecidedSessionChange[] {
  if (!('changed' in decision) || decision.changed.event === 'USED') return [];
  const { event, session } = decision.changed;
  return [{ event, session, grant, ticket, actor, occurredAt: now }];
}

/** Ends the session if its time has run out. */
export function endElapsedSession(session: Session, subject: SessionSubject): DecidedSessionChange[] {
  const grantExpiresAt = 'expiresAt' in subject.grant ? subject.grant.expiresAt : null;
  const decision = decide(session, { type: 'ElapseTime', grantExpiresAt }, subject.now);
  return sessionChanges(decision, { ...subject, actor: { kind: 'SYSTEM' } });
}
