/**
 * What the gateway tells its subscribers, as it is kept in the table of events and as it travels inside.
 *
 * The kinds are open: `session` events join beside `grant`. A gateway passes over a kind that it does not
 * know yet, so that versions can run side by side.
 */
import { z } from 'zod';
import {
  GrantEndReason,
  GrantPath,
  GrantScopeKind,
  GrantState,
} from '../../prisma/generated/client/enums.ts';
import type { GrantModel } from '../../prisma/generated/client/models/Grant.ts';

/** Whom an event concerns. Who of them may hear it is decided by authorization, at every event. */
export type EventAudience = {
  organizationId: string;
  siteId: string;
  /** The ticket's reporter. */
  reporterId: string;
  /** The engineers it concerns; at a reassignment, the one before and the one after. */
  engineerIds: readonly string[];
};

export const grantEventTypes = [
  'REQUESTED',
  'AWAITING_GUARD',
  'ACTIVATED',
  'DENIED',
  'WITHDRAWN',
  'EXPIRED',
  'REVOKED',
  'ENDED',
  'REASSIGNED',
] as const;
export type GrantEventType = (typeof grantEventTypes)[number];

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
export type HeardEvent = Exclude<EventEnvelope, AccessChangedEnvelope>;

/** An event as the table holds it. */
export type EventRow = { id: string; type: string; occurredAt: Date; payload: unknown };

export type ParsedEvent =
  | { outcome: 'EVENT'; event: EventEnvelope }
  /** Of a kind that this gateway does not know. */
  | { outcome: 'UNKNOWN_KIND'; kind: string }
  /** Not an event: what is wrong with it. */
  | { outcome: 'ILLEGAL'; reason: string };

const moment = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
});

const snapshot = z.object({
  id: z.uuid(),
  ticketId: z.uuid(),
  siteId: z.uuid(),
  scopeKind: z.enum(GrantScopeKind),
  conversationIds: z.array(z.string()),
  state: z.enum(GrantState),
  path: z.enum(GrantPath).nullable(),
  engineerId: z.uuid().nullable(),
  requestedById: z.uuid(),
  justification: z.string().nullable(),
  requestedAt: moment,
  approvalDueAt: moment,
  customerApprovedAt: moment.nullable(),
  customerApprovedById: z.uuid().nullable(),
  activatedAt: moment.nullable(),
  expiresAt: moment.nullable(),
  endedAt: moment.nullable(),
  endReason: z.enum(GrantEndReason).nullable(),
  endedById: z.uuid().nullable(),
  version: z.int().positive(),
}) satisfies z.ZodType<GrantSnapshot>;

const head = { id: z.uuid(), occurredAt: z.date() };

const envelope = z.discriminatedUnion('kind', [
  z.object({
    ...head,
    kind: z.literal('grant'),
    type: z.enum(grantEventTypes),
    audience: z.object({
      organizationId: z.uuid(),
      siteId: z.uuid(),
      reporterId: z.uuid(),
      engineerIds: z.array(z.uuid()),
    }),
    ticketId: z.uuid(),
    grantId: z.uuid(),
    grantVersion: z.int().positive(),
    grant: snapshot,
  }),
  z.object({
    ...head,
    kind: z.literal('access'),
    type: z.literal('ACCESS_CHANGED'),
    accountId: z.uuid(),
  }),
]) satisfies z.ZodType<EventEnvelope>;

const knownKinds: ReadonlySet<string> = new Set(envelope.options.map((option) => option.shape.kind.value));
const anyKind = z.object({ kind: z.string() });

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
export function parseEvent({ id, type, occurredAt, payload }: EventRow): ParsedEvent {
  const some = anyKind.safeParse(payload);
  if (!some.success) return { outcome: 'ILLEGAL', reason: z.prettifyError(some.error) };
  if (!knownKinds.has(some.data.kind)) return { outcome: 'UNKNOWN_KIND', kind: some.data.kind };
  const parsed = envelope.safeParse({ ...Object(payload), id, type, occurredAt });
  return parsed.success
    ? { outcome: 'EVENT', event: parsed.data }
    : { outcome: 'ILLEGAL', reason: z.prettifyError(parsed.error) };
}
