/** Events of support sessions. */
import { SupportSessionEndReason, SupportSessionReason } from '../../../prisma/generated/client/enums.ts';
import type { SupportSessionModel } from '../../../prisma/generated/client/models/SupportSession.ts';
import { audienceIn, type EventAudience, topicsOfTicket } from '../audience.ts';
import type { EventKind } from '../envelope.ts';
import {
  type Fields,
  nullable,
  object,
  oneOf,
  positiveInteger,
  string,
  timestamp,
  uuid,
} from '../payload-reader.ts';
import { type GrantSnapshot, grantIn, type TicketAtEvent, ticketIn } from './grant.ts';

/** What can happen to a support session. Every subscription begins with `STARTED`, so these are called by its name. */
const SessionEventType = { SESSION_STARTED: 'SESSION_STARTED', SESSION_ENDED: 'SESSION_ENDED' } as const;
export type SessionEventType = keyof typeof SessionEventType;

/** Something happened to a support session. */
export type SessionEventEnvelope = {
  /** The same wherever and however often the event is delivered. */
  id: string;
  kind: EventKind<SessionEventEnvelope>;
  type: SessionEventType;
  occurredAt: Date;
  /** Its engineer is the session's. */
  audience: EventAudience;
  ticketId: string;
  grantId: string;
  session: SessionSnapshot;
  /** The session's grant and its ticket right after the event: what an engineer sees of them who has lost the ticket since. */
  grant: GrantSnapshot;
  ticket: TicketAtEvent;
};

/** The session right after the event. */
export type SessionSnapshot = SupportSessionModel;

/**
 * Their subject is the grant, so that a subscriber of both kinds learns of a revocation and of the end of the session
 * in the order in which they were written.
 */
export const sessionKind: EventKind<SessionEventEnvelope> = {
  name: 'session',
  read: (row, payload) => {
    const audience = audienceIn(object(payload, 'audience'));
    return {
      id: row.id,
      occurredAt: row.occurredAt,
      kind: sessionKind,
      type: oneOf(SessionEventType, row, 'type'),
      audience,
      ticketId: uuid(payload, 'ticketId'),
      grantId: uuid(payload, 'grantId'),
      session: sessionIn(object(payload, 'session')),
      grant: grantIn(object(payload, 'grant'), audience),
      ticket: ticketIn(object(payload, 'ticket')),
    };
  },
  organizationOf: ({ audience }) => audience.organizationId,
  topicsOf: topicsOfTicket,
  subjectOf: ({ grantId }) => grantId,
  isUrgent: ({ type }) => type === 'SESSION_ENDED',
  changesRightsOf: () => null,
};

function sessionIn(session: Fields): SessionSnapshot {
  return {
    id: uuid(session, 'id'),
    grantId: uuid(session, 'grantId'),
    ticketId: uuid(session, 'ticketId'),
    siteId: uuid(session, 'siteId'),
    organizationId: uuid(session, 'organizationId'),
    engineerId: uuid(session, 'engineerId'),
    reason: oneOf(SupportSessionReason, session, 'reason'),
    note: string(session, 'note'),
    country: string(session, 'country'),
    startedAt: timestamp(session, 'startedAt'),
    lastUsedAt: timestamp(session, 'lastUsedAt'),
    idleSeconds: positiveInteger(session, 'idleSeconds'),
    expiresAt: timestamp(session, 'expiresAt'),
    dueAt: timestamp(session, 'dueAt'),
    endedAt: nullable(timestamp, session, 'endedAt'),
    endReason: nullable(endReason, session, 'endReason'),
    endedById: nullable(uuid, session, 'endedById'),
    version: positiveInteger(session, 'version'),
  };
}

const endReason = (from: Fields, name: string) => oneOf(SupportSessionEndReason, from, name);
