/** Events of grants. */
import {
  GrantEndReason,
  GrantPath,
  GrantScopeKind,
  GrantState,
  TicketStatus,
} from '../../../prisma/generated/client/enums.ts';
import type { GrantModel } from '../../../prisma/generated/client/models/Grant.ts';
import { audienceIn, type EventAudience, topicsOfTicket } from '../audience.ts';
import type { EventKind } from '../envelope.ts';
import {
  added,
  boolean,
  type Fields,
  nullable,
  object,
  oneOf,
  optional,
  positiveInteger,
  string,
  strings,
  timestamp,
  uuid,
} from '../payload-reader.ts';

/** What can happen to a grant. */
export const GrantEventType = {
  REQUESTED: 'REQUESTED',
  AWAITING_GUARD: 'AWAITING_GUARD',
  WAIT_SHORTENED: 'WAIT_SHORTENED',
  APPROVAL_LAPSED: 'APPROVAL_LAPSED',
  ACTIVATED: 'ACTIVATED',
  DENIED: 'DENIED',
  WITHDRAWN: 'WITHDRAWN',
  EXPIRED: 'EXPIRED',
  REVOKED: 'REVOKED',
  ENDED: 'ENDED',
  REASSIGNED: 'REASSIGNED',
} as const;
export type GrantEventType = keyof typeof GrantEventType;

/** Those that end the use of a grant. */
const urgentTypes: ReadonlySet<GrantEventType> = new Set(['REVOKED', 'ENDED', 'REASSIGNED']);

/** Something happened to a grant. */
export type GrantEventEnvelope = {
  /** The same wherever and however often the event is delivered. */
  id: string;
  kind: EventKind<GrantEventEnvelope>;
  type: GrantEventType;
  occurredAt: Date;
  audience: EventAudience;
  ticketId: string;
  grantId: string;
  /** Increases with every event of the grant. */
  grantVersion: number;
  grant: GrantSnapshot;
  /** Absent in an event of a version that did not write it. */
  ticket?: TicketAtEvent;
};

/** The grant right after the event. */
export type GrantSnapshot = GrantModel;

/** The grant's ticket right after the event: what changes on it and on its site, beyond what the grant itself says. */
export type TicketAtEvent = {
  status: TicketStatus;
  version: number;
  supportAccessRestricted: boolean;
  requestWaitSeconds: number;
  maxGrantSeconds: number | null;
  samePersonMayApproveTwice: boolean;
  relayedConsentCounts: boolean;
} & SessionPolicy;

/** A ticket, as far as events say whom it concerns and how it was. */
export type TicketOfEvent = Pick<TicketAtEvent, 'status' | 'version'> & {
  reporterId: string;
  site: Omit<TicketAtEvent, 'status' | 'version'>;
};

export function ticketAtEvent({ status, version, site }: TicketOfEvent): TicketAtEvent {
  const { supportAccessRestricted, requestWaitSeconds, maxGrantSeconds } = site;
  const { samePersonMayApproveTwice, relayedConsentCounts } = site;
  const { dataResidencyPinned, engineerCountries, sessionIdleSeconds, maxSessionSeconds } = site;
  return {
    ...{ status, version, supportAccessRestricted, requestWaitSeconds, maxGrantSeconds },
    ...{ samePersonMayApproveTwice, relayedConsentCounts },
    ...{ dataResidencyPinned, engineerCountries, sessionIdleSeconds, maxSessionSeconds },
  };
}

/** The part of a site's policy that came with support sessions. */
type SessionPolicy = {
  dataResidencyPinned: boolean;
  engineerCountries: string[];
  sessionIdleSeconds: number;
  maxSessionSeconds: number;
};

/** That part where a version without sessions has written the policy: every site had this then. */
export const policyBeforeSessions: Readonly<SessionPolicy> = {
  dataResidencyPinned: false,
  engineerCountries: [],
  sessionIdleSeconds: 1_800,
  maxSessionSeconds: 28_800,
};

export const grantKind: EventKind<GrantEventEnvelope> = {
  name: 'grant',
  read: (row, payload) => {
    const audience = audienceIn(object(payload, 'audience'));
    return {
      id: row.id,
      occurredAt: row.occurredAt,
      kind: grantKind,
      type: oneOf(GrantEventType, row, 'type'),
      audience,
      ticketId: uuid(payload, 'ticketId'),
      grantId: uuid(payload, 'grantId'),
      grantVersion: positiveInteger(payload, 'grantVersion'),
      grant: grantIn(object(payload, 'grant'), audience),
      ...(payload['ticket'] === undefined ? {} : { ticket: ticketIn(object(payload, 'ticket')) }),
    };
  },
  organizationOf: ({ audience }) => audience.organizationId,
  topicsOf: topicsOfTicket,
  subjectOf: ({ grantId }) => grantId,
  isUrgent: ({ type }) => urgentTypes.has(type),
  changesRightsOf: () => null,
};

export function ticketIn(ticket: Fields): TicketAtEvent {
  return {
    status: oneOf(TicketStatus, ticket, 'status'),
    version: positiveInteger(ticket, 'version'),
    supportAccessRestricted: boolean(ticket, 'supportAccessRestricted'),
    requestWaitSeconds: positiveInteger(ticket, 'requestWaitSeconds'),
    maxGrantSeconds: nullable(positiveInteger, ticket, 'maxGrantSeconds'),
    samePersonMayApproveTwice: boolean(ticket, 'samePersonMayApproveTwice'),
    // Absent in an event of a version with which it always counted.
    relayedConsentCounts: added(boolean, ticket, 'relayedConsentCounts', true),
    ...sessionPolicyIn(ticket),
  };
}

function sessionPolicyIn(ticket: Fields): SessionPolicy {
  const before = policyBeforeSessions;
  return {
    dataResidencyPinned: added(boolean, ticket, 'dataResidencyPinned', before.dataResidencyPinned),
    engineerCountries: added(strings, ticket, 'engineerCountries', before.engineerCountries),
    sessionIdleSeconds: added(positiveInteger, ticket, 'sessionIdleSeconds', before.sessionIdleSeconds),
    maxSessionSeconds: added(positiveInteger, ticket, 'maxSessionSeconds', before.maxSessionSeconds),
  };
}

export function grantIn(grant: Fields, audience: EventAudience): GrantSnapshot {
  return {
    id: uuid(grant, 'id'),
    // Absent in an event of a version whose grants did not say it.
    organizationId: added(uuid, grant, 'organizationId', audience.organizationId),
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
    // Absent in an event of a version that did not keep the terms.
    guardRequired: optional(boolean, grant, 'guardRequired'),
    maxGrantSeconds: optional(positiveInteger, grant, 'maxGrantSeconds'),
    samePersonMayApproveTwice: optional(boolean, grant, 'samePersonMayApproveTwice'),
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
