/** Events of change requests. */
import {
  ChangeKind,
  ChangeRequestEndReason,
  ChangeRequestState,
  ChangeResult,
} from '../../../prisma/generated/client/enums.ts';
import type { ChangeRequestModel } from '../../../prisma/generated/client/models/ChangeRequest.ts';
import { audienceIn, type EventAudience, topicsOfTicket } from '../audience.ts';
import type { EventKind } from '../envelope.ts';
import {
  boolean,
  type Fields,
  nullable,
  object,
  oneOf,
  positiveInteger,
  string,
  timestamp,
  uuid,
} from '../payload-reader.ts';
import { type TicketAtEvent, ticketIn } from './grant.ts';

/** What can happen to a change request: it reaches a state, and never the same one twice. */
export const changeRequestEventTypes = {
  PENDING_CONSENT: 'REQUESTED',
  CONSENTED: 'CONSENTED',
  IN_PROGRESS: 'BEGUN',
  COMPLETED: 'COMPLETED',
  REFUSED: 'REFUSED',
  WITHDRAWN: 'WITHDRAWN',
  EXPIRED: 'EXPIRED',
} as const satisfies Record<ChangeRequestState, string>;
export type ChangeRequestEventType = (typeof changeRequestEventTypes)[ChangeRequestState];

/** Those after which the change may not be begun. */
const urgentTypes: ReadonlySet<ChangeRequestEventType> = new Set(['REFUSED', 'WITHDRAWN', 'EXPIRED']);

/** Something happened to a change request. */
export type ChangeRequestEventEnvelope = {
  /** The same wherever and however often the event is delivered. */
  id: string;
  kind: EventKind<ChangeRequestEventEnvelope>;
  type: ChangeRequestEventType;
  occurredAt: Date;
  /** Its engineer is the one who asked; of a result, the one who recorded it. */
  audience: EventAudience;
  ticketId: string;
  changeRequest: ChangeRequestSnapshot;
  /** Its ticket right after the event: what an engineer sees of it who has lost the ticket since. */
  ticket: TicketAtChange;
};

/** The change request right after the event. */
export type ChangeRequestSnapshot = ChangeRequestModel;

/** What was begun outlives its ticket's engineer, and what the engineer needs: so all of it is here. */
export type TicketAtChange = TicketAtEvent & {
  assigneeId: string | null;
  closedAt: Date | null;
  siteIsActive: boolean;
  isLicensed: boolean;
};

export const changeRequestKind: EventKind<ChangeRequestEventEnvelope> = {
  name: 'change_request',
  read: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: changeRequestKind,
    type: oneOf(typesByName, row, 'type'),
    audience: audienceIn(object(payload, 'audience')),
    ticketId: uuid(payload, 'ticketId'),
    changeRequest: changeRequestIn(object(payload, 'changeRequest')),
    ticket: ticketAtChangeIn(object(payload, 'ticket')),
  }),
  organizationOf: ({ audience }) => audience.organizationId,
  topicsOf: topicsOfTicket,
  subjectOf: ({ changeRequest }) => changeRequest.id,
  isUrgent: ({ type }) => urgentTypes.has(type),
  changesRightsOf: () => null,
};

const typesByName = Object.fromEntries(Object.values(changeRequestEventTypes).map((type) => [type, type]));

function changeRequestIn(request: Fields): ChangeRequestSnapshot {
  return {
    id: uuid(request, 'id'),
    ticketId: uuid(request, 'ticketId'),
    siteId: uuid(request, 'siteId'),
    organizationId: uuid(request, 'organizationId'),
    kind: oneOf(ChangeKind, request, 'kind'),
    resourceType: string(request, 'resourceType'),
    resourceId: string(request, 'resourceId'),
    description: string(request, 'description'),
    justification: string(request, 'justification'),
    requestedById: uuid(request, 'requestedById'),
    requestedAt: timestamp(request, 'requestedAt'),
    validUntil: timestamp(request, 'validUntil'),
    state: oneOf(ChangeRequestState, request, 'state'),
    decidedById: nullable(uuid, request, 'decidedById'),
    decidedAt: nullable(timestamp, request, 'decidedAt'),
    decisionReason: nullable(string, request, 'decisionReason'),
    allowedAt: nullable(timestamp, request, 'allowedAt'),
    sessionId: nullable(uuid, request, 'sessionId'),
    result: nullable(result, request, 'result'),
    resultNote: nullable(string, request, 'resultNote'),
    endedAt: nullable(timestamp, request, 'endedAt'),
    endedById: nullable(uuid, request, 'endedById'),
    endReason: nullable(endReason, request, 'endReason'),
    version: positiveInteger(request, 'version'),
  };
}

function ticketAtChangeIn(ticket: Fields): TicketAtChange {
  return {
    ...ticketIn(ticket),
    assigneeId: nullable(uuid, ticket, 'assigneeId'),
    closedAt: nullable(timestamp, ticket, 'closedAt'),
    siteIsActive: boolean(ticket, 'siteIsActive'),
    isLicensed: boolean(ticket, 'isLicensed'),
  };
}

const result = (from: Fields, name: string) => oneOf(ChangeResult, from, name);
const endReason = (from: Fields, name: string) => oneOf(ChangeRequestEndReason, from, name);
