/**
 * What the gateway tells its subscribers, as it is kept in the table of events and as it travels inside.
 *
 * The kinds are open: `session` events join beside `grant`. A gateway passes over a kind that it does not
 * know yet, so that versions can run side by side.
 */
import {
  GrantEndReason,
  GrantPath,
  GrantScopeKind,
  GrantState,
} from '../../prisma/generated/client/enums.ts';
import type { GrantModel } from '../../prisma/generated/client/models/Grant.ts';
import {
  count,
  type Facts,
  facts,
  IllegalFactError,
  isFacts,
  moment,
  oneOf,
  orNull,
  text,
  texts,
  uuid,
  uuids,
} from './payload-reader.ts';

/** Whom an event concerns. Who of them may hear it is decided by authorization, at every event. */
export type EventAudience = {
  organizationId: string;
  siteId: string;
  /** The ticket's reporter. */
  reporterId: string;
  /** The engineers it concerns; at a reassignment, the one before and the one after. */
  engineerIds: readonly string[];
};

export const GrantEventType = {
  REQUESTED: 'REQUESTED',
  AWAITING_GUARD: 'AWAITING_GUARD',
  ACTIVATED: 'ACTIVATED',
  DENIED: 'DENIED',
  WITHDRAWN: 'WITHDRAWN',
  EXPIRED: 'EXPIRED',
  REVOKED: 'REVOKED',
  ENDED: 'ENDED',
  REASSIGNED: 'REASSIGNED',
} as const;
export type GrantEventType = keyof typeof GrantEventType;

/** The grant's facts right after the event. */
export type GrantSnapshot = GrantModel;

/** Something happened to a grant. */
export type GrantEventEnvelope = {
  /** The same wherever and however often the event is delivered. */
  id: string;
  kind: 'grant';
  type: GrantEventType;
  occurredAt: Date;
  audience: EventAudience;
  ticketId: string;
  grantId: string;
  /** Grows with every event of the grant. */
  grantVersion: number;
  grant: GrantSnapshot;
};

/**
 * What the account may see or do has changed: a role given, removed or synced, a membership, its
 * deactivation. Never delivered: the account's subscriptions ask again what they may hear.
 */
export type AccessChangedEnvelope = {
  id: string;
  kind: 'access';
  type: 'ACCESS_CHANGED';
  occurredAt: Date;
  accountId: string;
};

export type EventEnvelope = GrantEventEnvelope | AccessChangedEnvelope;

/** What subscribers can hear. */
export type DeliverableEvent = Exclude<EventEnvelope, AccessChangedEnvelope>;

/** An event as the table holds it. */
export type EventRow = { id: string; type: string; occurredAt: Date; payload: unknown };

export type ParsedEvent =
  | { outcome: 'EVENT'; event: EventEnvelope }
  /** Of a kind that this gateway does not know. */
  | { outcome: 'UNKNOWN_KIND'; kind: string }
  /** Not an event: what is wrong with it. */
  | { outcome: 'ILLEGAL'; reason: string };

/** What stands in the row's payload: the envelope without what has a column of its own. */
export function payloadOf({
  id: _id,
  type: _type,
  occurredAt: _occurredAt,
  ...payload
}: EventEnvelope): object {
  return payload;
}

/** Reads a row of the table. Never throws: what a row is worth is for the caller to judge. */
export function parseEvent(row: EventRow): ParsedEvent {
  const { payload } = row;
  if (!isFacts(payload)) return { outcome: 'ILLEGAL', reason: 'the payload must be an object' };
  try {
    const kind = text(payload, 'kind');
    if (!Object.hasOwn(readers, kind)) return { outcome: 'UNKNOWN_KIND', kind };
    return { outcome: 'EVENT', event: readers[kind as EventEnvelope['kind']](row, payload) };
  } catch (error) {
    if (error instanceof IllegalFactError) return { outcome: 'ILLEGAL', reason: error.message };
    throw error;
  }
}

/** By the kind that stands in the payload. */
const readers: {
  [Kind in EventEnvelope['kind']]: (row: EventRow, payload: Facts) => EventEnvelope & { kind: Kind };
} = {
  grant: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: 'grant',
    type: oneOf(GrantEventType, row, 'type'),
    audience: audienceIn(facts(payload, 'audience')),
    ticketId: uuid(payload, 'ticketId'),
    grantId: uuid(payload, 'grantId'),
    grantVersion: count(payload, 'grantVersion'),
    grant: snapshotIn(facts(payload, 'grant')),
  }),
  access: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: 'access',
    type: oneOf({ ACCESS_CHANGED: 'ACCESS_CHANGED' } as const, row, 'type'),
    accountId: uuid(payload, 'accountId'),
  }),
};

function audienceIn(audience: Facts): EventAudience {
  return {
    organizationId: uuid(audience, 'organizationId'),
    siteId: uuid(audience, 'siteId'),
    reporterId: uuid(audience, 'reporterId'),
    engineerIds: uuids(audience, 'engineerIds'),
  };
}

function snapshotIn(grant: Facts): GrantSnapshot {
  return {
    id: uuid(grant, 'id'),
    ticketId: uuid(grant, 'ticketId'),
    siteId: uuid(grant, 'siteId'),
    scopeKind: oneOf(GrantScopeKind, grant, 'scopeKind'),
    conversationIds: texts(grant, 'conversationIds'),
    state: oneOf(GrantState, grant, 'state'),
    path: orNull(aPath, grant, 'path'),
    engineerId: orNull(uuid, grant, 'engineerId'),
    requestedById: uuid(grant, 'requestedById'),
    justification: orNull(text, grant, 'justification'),
    requestedAt: moment(grant, 'requestedAt'),
    approvalDueAt: moment(grant, 'approvalDueAt'),
    customerApprovedAt: orNull(moment, grant, 'customerApprovedAt'),
    customerApprovedById: orNull(uuid, grant, 'customerApprovedById'),
    activatedAt: orNull(moment, grant, 'activatedAt'),
    expiresAt: orNull(moment, grant, 'expiresAt'),
    endedAt: orNull(moment, grant, 'endedAt'),
    endReason: orNull(anEndReason, grant, 'endReason'),
    endedById: orNull(uuid, grant, 'endedById'),
    version: count(grant, 'version'),
  };
}

const aPath = (from: Facts, name: string) => oneOf(GrantPath, from, name);
const anEndReason = (from: Facts, name: string) => oneOf(GrantEndReason, from, name);
