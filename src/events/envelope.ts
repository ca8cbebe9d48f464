/**
 * Events, as the gateway handles them and as the table of events stores them.
 *
 * New kinds can be added beside `grant` and `access`. A gateway skips events of a kind it does not know, so that two
 * versions can run side by side.
 */
import {
  GrantEndReason,
  GrantPath,
  GrantScopeKind,
  GrantState,
} from '../../prisma/generated/client/enums.ts';
import type { GrantModel } from '../../prisma/generated/client/models/Grant.ts';
import { GrantEventType } from './grant-event-type.ts';
import {
  type Fields,
  InvalidPayloadError,
  isObject,
  nullable,
  object,
  oneOf,
  positiveInteger,
  string,
  strings,
  timestamp,
  uuid,
  uuids,
} from './payload-reader.ts';

/** Whom an event concerns. Authorization decides at every event which viewers may receive it. */
export type EventAudience = {
  organizationId: string;
  siteId: string;
  /** The ticket's reporter. */
  reporterId: string;
  /** The engineers it concerns: for a reassignment, the previous one and the new one. */
  engineerIds: readonly string[];
};

/** The grant right after the event. */
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
  /** Increases with every event of the grant. */
  grantVersion: number;
  grant: GrantSnapshot;
};

/**
 * The account's rights changed: a role was given, removed or synced, a membership changed, or the account was
 * deactivated. Never delivered: it makes the account's subscriptions reload its rights.
 */
export type AccessChangedEnvelope = {
  id: string;
  kind: 'access';
  type: 'ACCESS_CHANGED';
  occurredAt: Date;
  accountId: string;
};

export type EventEnvelope = GrantEventEnvelope | AccessChangedEnvelope;

/** An event that subscribers can receive. */
export type DeliverableEvent = Exclude<EventEnvelope, AccessChangedEnvelope>;

/** An event as the table stores it. */
export type EventRow = { id: string; type: string; occurredAt: Date; payload: unknown };

export type ParsedEvent =
  | { outcome: 'EVENT'; event: EventEnvelope }
  /** The event is of a kind that this gateway does not know. */
  | { outcome: 'UNKNOWN_KIND'; kind: string }
  /** The row is not a valid event; `reason` says why. */
  | { outcome: 'INVALID'; reason: string };

/** The row's payload: the envelope without the fields that have columns of their own. */
export function payloadOf({
  id: _id,
  type: _type,
  occurredAt: _occurredAt,
  ...payload
}: EventEnvelope): object {
  return payload;
}

/** Parses a row of the table. Does not throw for an invalid row: the caller decides what to do with it. */
export function parseEvent(row: EventRow): ParsedEvent {
  const { payload } = row;
  if (!isObject(payload)) return { outcome: 'INVALID', reason: 'the payload must be an object' };
  try {
    const kind = string(payload, 'kind');
    if (!Object.hasOwn(readers, kind)) return { outcome: 'UNKNOWN_KIND', kind };
    return { outcome: 'EVENT', event: readers[kind as EventEnvelope['kind']](row, payload) };
  } catch (error) {
    if (error instanceof InvalidPayloadError) return { outcome: 'INVALID', reason: error.message };
    throw error;
  }
}

/** By the payload's `kind`. */
const readers: {
  [Kind in EventEnvelope['kind']]: (row: EventRow, payload: Fields) => EventEnvelope & { kind: Kind };
} = {
  grant: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: 'grant',
    type: oneOf(GrantEventType, row, 'type'),
    audience: audienceIn(object(payload, 'audience')),
    ticketId: uuid(payload, 'ticketId'),
    grantId: uuid(payload, 'grantId'),
    grantVersion: positiveInteger(payload, 'grantVersion'),
    grant: snapshotIn(object(payload, 'grant')),
  }),
  access: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: 'access',
    type: oneOf({ ACCESS_CHANGED: 'ACCESS_CHANGED' } as const, row, 'type'),
    accountId: uuid(payload, 'accountId'),
  }),
};

function audienceIn(audience: Fields): EventAudience {
  return {
    organizationId: uuid(audience, 'organizationId'),
    siteId: uuid(audience, 'siteId'),
    reporterId: uuid(audience, 'reporterId'),
    engineerIds: uuids(audience, 'engineerIds'),
  };
}

function snapshotIn(grant: Fields): GrantSnapshot {
  return {
    id: uuid(grant, 'id'),
    ticketId: uuid(grant, 'ticketId'),
    siteId: uuid(grant, 'siteId'),
    scopeKind: oneOf(GrantScopeKind, grant, 'scopeKind'),
    conversationIds: strings(grant, 'conversationIds'),
    state: oneOf(GrantState, grant, 'state'),
    path: nullable(grantPath, grant, 'path'),
    engineerId: nullable(uuid, grant, 'engineerId'),
    requestedById: uuid(grant, 'requestedById'),
    justification: nullable(string, grant, 'justification'),
    requestedAt: timestamp(grant, 'requestedAt'),
    approvalDueAt: timestamp(grant, 'approvalDueAt'),
    customerApprovedAt: nullable(timestamp, grant, 'customerApprovedAt'),
    customerApprovedById: nullable(uuid, grant, 'customerApprovedById'),
    activatedAt: nullable(timestamp, grant, 'activatedAt'),
    expiresAt: nullable(timestamp, grant, 'expiresAt'),
    endedAt: nullable(timestamp, grant, 'endedAt'),
    endReason: nullable(grantEndReason, grant, 'endReason'),
    endedById: nullable(uuid, grant, 'endedById'),
    version: positiveInteger(grant, 'version'),
  };
}

const grantPath = (from: Fields, name: string) => oneOf(GrantPath, from, name);
const grantEndReason = (from: Fields, name: string) => oneOf(GrantEndReason, from, name);
