/** What follows from a change of a support session: its audit entry and its event. And which sessions a grant's change ends. */
import type { Actor, AuditContext, AuditEntry } from '../audit/entry.ts';
import { type TicketOfEvent, ticketAtEvent } from '../events/kinds/grant.ts';
import { type SessionEventEnvelope, sessionKind } from '../events/kinds/session.ts';
import type { Grant } from '../grants/grant.ts';
import { toRow } from '../grants/row.ts';
import { newId } from '../platform/ids.ts';
import type { EndOfUse, Session, SessionChange } from '../sessions/session.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';

/** A start or an end, with what the command adds to it: who, when, and the grant and its ticket afterwards. */
export type DecidedSessionChange = SessionChange & {
  event: 'STARTED' | 'ENDED';
  actor: Actor;
  occurredAt: Date;
  grant: Grant;
  ticket: TicketOfEvent;
};

export function sessionAuditEntry({ event, session, actor, occurredAt }: DecidedSessionChange): AuditEntry {
  return {
    ...contextOfSession(session),
    action: event === 'STARTED' ? 'support_session.start' : 'support_session.end',
    actor,
    resource: { type: 'SupportSession', id: session.id },
    refusalCode: null,
    occurredAt,
    details: event === 'STARTED' ? startDetails(session) : endDetails(session),
  };
}

/** Where the entries of what happens in a session belong. */
export function contextOfSession({ id, organizationId, siteId, ticketId, grantId }: Session): AuditContext {
  return { organizationId, siteId, ticketId, grantId, sessionId: id };
}

function startDetails({ engineerId, reason, note, country, idleSeconds, expiresAt }: Session) {
  return { engineerId, reason, note, country, idleSeconds, expiresAt };
}

function endDetails({ engineerId, endReason, endedAt }: Session): Record<string, unknown> {
  return { engineerId, endReason, endedAt };
}

export function sessionEvent({
  event,
  session,
  occurredAt,
  grant,
  ticket,
}: DecidedSessionChange): SessionEventEnvelope {
  const { organizationId, siteId, ticketId, grantId, engineerId } = session;
  return {
    id: newId(occurredAt),
    kind: sessionKind,
    type: event === 'STARTED' ? 'SESSION_STARTED' : 'SESSION_ENDED',
    occurredAt,
    audience: { organizationId, siteId, reporterId: ticket.reporterId, engineerIds: [engineerId] },
    ticketId,
    grantId,
    session,
    grant: toRow(grant),
    ticket: ticketAtEvent(ticket),
  };
}

/** Why a change of a grant ends the session under it; null: it does not. */
export function endOfUse({ event, grant, before, engineerIsGone }: DecidedGrantChange): EndOfUse | null {
  if (before?.state !== 'ACTIVE') return null;
  if (event === 'REASSIGNED') return engineerIsGone === true ? 'ENGINEER_DEACTIVATED' : 'TICKET_REASSIGNED';
  switch (grant.state) {
    case 'REVOKED':
      return grant.endReason === 'TICKET_CLOSED' ? 'TICKET_CLOSED' : 'GRANT_REVOKED';
    case 'ENDED':
      return endsOfGrant[grant.endReason];
    default:
      return null;
  }
}

const endsOfGrant = {
  TIME_ELAPSED: 'GRANT_EXPIRED',
  RELEASED_BY_ENGINEER: 'GRANT_RELEASED',
  SITE_DEACTIVATED: 'SITE_DEACTIVATED',
  PRODUCT_UNLICENSED: 'PRODUCT_UNLICENSED',
  PRODUCT_CHANGED: 'PRODUCT_CHANGED',
} as const satisfies Record<string, EndOfUse>;
