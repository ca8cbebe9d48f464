/** Support sessions, in the model. */
import {
  type Answer,
  endSession,
  grantAt,
  hasApproved,
  isMember,
  type Model,
  openGrants,
  refuse,
  type Session,
  seesGrants,
  seesTicket,
  settle,
  ticketAt,
  type Who,
  write,
} from './model.ts';

const idle = 1_800 * 1_000;
const longest = 28_800 * 1_000;

export function sessionAt(model: Model, index: number): Session {
  const session = model.sessions[index];
  if (session === undefined) throw new Error(`The model has no session ${index}`);
  return session;
}

/** Whether time has ended it, and nothing has recorded that. */
const isDue = ({ endedAt, dueAt }: Session, now: number): boolean => endedAt === null && dueAt <= now;

/** The session as a reader must see it now. */
export function asOfNow(session: Session, grantExpiresAt: number | null, now: number): Session {
  if (!isDue(session, now)) return session;
  const { dueAt: endedAt, expiresAt } = session;
  const withGrant = grantExpiresAt !== null && grantExpiresAt <= expiresAt;
  const endReason = endedAt < expiresAt ? 'IDLE_LIMIT' : withGrant ? 'GRANT_EXPIRED' : 'TIME_LIMIT';
  return { ...session, endedAt, endReason, endedBy: null };
}

/** Records what is due. */
export function endDue(model: Model, isMeant: (session: Session) => boolean = () => true): void {
  model.sessions.forEach((session, index) => {
    if (!isDue(session, model.now) || !isMeant(session)) return;
    const { expiresAt } = grantAt(model, session.grant);
    const { endReason, endedAt } = asOfNow(session, expiresAt, model.now);
    endSession(model, index, 'SYSTEM', endReason ?? '', endedAt ?? 0);
  });
}

export function startSession(model: Model, who: Who, index: number): Answer {
  const grant = grantAt(model, index);
  const ticket = ticketAt(model, grant.ticket);
  const no = (code: string) => refuse(model, who, 'support_session.start', `grant ${index}`, code);
  const approvedIt = hasApproved(model, who, (_, of) => of === index);
  if (!seesTicket(model, who, ticket) && !approvedIt) return no('NOT_FOUND');
  settle(
    model,
    openGrants(model, (_, of) => of === grant.ticket),
  );
  if (ticket.engineer !== who) return no('FORBIDDEN');
  if (grant.state === 'PENDING_APPROVAL' || grant.state === 'PENDING_GUARD_APPROVAL') return no('NOT_ACTIVE');
  if (grant.state !== 'ACTIVE') return no('ALREADY_OVER');
  const ofGrant = (session: Session) => session.grant === index;
  if (model.sessions.some((one) => ofGrant(one) && one.endedAt === null && one.dueAt > model.now))
    return no('SESSION_ALREADY_OPEN');
  endDue(model, ofGrant);
  const expiresAt = Math.min(model.now + longest, grant.expiresAt ?? Number.POSITIVE_INFINITY);
  const session =
    model.sessions.push({
      ...{ grant: index, engineer: who, startedAt: model.now, expiresAt },
      dueAt: Math.min(model.now + idle, expiresAt),
      ...{ endedAt: null, endReason: null, endedBy: null },
    }) - 1;
  write(model, who, 'support_session.start', `session ${session}`);
  model.events.push(`SESSION_STARTED session ${session}`);
  return { session };
}

/** Visible to the customer who sees the grant, to the operator, and to its engineer while the ticket is theirs. */
export function seesSession(model: Model, who: Who, index: number): boolean {
  const { grant, engineer } = sessionAt(model, index);
  const ticket = ticketAt(model, grantAt(model, grant).ticket);
  if (isMember(who))
    return seesGrants(model, who, ticket) || hasApproved(model, who, (_, of) => of === grant);
  return who === 'operator' || (engineer === who && ticket.engineer === who);
}

export function finishSession(model: Model, who: Who, index: number): Answer {
  const session = sessionAt(model, index);
  const { ticket } = grantAt(model, session.grant);
  const about = `session ${index}`;
  const no = (code: string) => refuse(model, who, 'support_session.end', about, code);
  if (!seesSession(model, who, index)) return no('NOT_FOUND');
  settle(
    model,
    openGrants(model, (_, of) => of === ticket),
  );
  if (session.engineer !== who) return no('FORBIDDEN');
  if (session.endedAt === null && session.dueAt > model.now)
    endSession(model, index, who, 'ENDED_BY_ENGINEER', model.now);
  return { session: index };
}
