/** What a subscription field delivers: events of one kind, and the present state of what they are about. */
import type { OperationName, operations } from '../../authorization/operations.ts';
import type { EventAudience } from '../../events/audience.ts';
import type { EventEnvelope, EventKind } from '../../events/envelope.ts';
import type { Viewer } from '../../identity/viewer.ts';
import type { Services } from '../context.ts';

/** An event of what belongs to a ticket: a grant, a session under one, or a change request. */
export type TicketEvent = EventEnvelope & { audience: EventAudience; ticketId: string; grantId?: string };

type SubscriptionName = {
  [Name in OperationName]: (typeof operations)[Name]['kind'] extends 'subscription' ? Name : never;
}[OperationName];

export type StreamKind<Envelope extends TicketEvent, Content extends object> = {
  /** The subscription field. */
  readonly name: SubscriptionName;
  readonly kind: EventKind<Envelope>;
  /** What the event is about. */
  subjectOf(event: Envelope): Versioned;
  /** One page of the open items that the viewer may see, by id. */
  listOpen(
    prisma: Services['database']['prisma'],
    viewer: Viewer,
    page: StatePage,
  ): Promise<OpenItem<Content>[]>;
};

/** An item of which there are events. The version increases with each. */
type Versioned = { id: string; version: number };

/** An open item of the current state: what its event contains, and whom it concerns. */
export type OpenItem<Content extends object> = Versioned & { content: Content; audience: EventAudience };

/** The condition for tickets whose site is active and whose product is licensed: on others, nothing is open. */
export const inUse = { site: { status: 'ACTIVE' }, product: { licensed: true } } as const;

export type StatePage = {
  filter: EventFilter;
  /** The time at which the items must be open. */
  at: Date;
  /** Only items with a greater id. */
  after: string | null;
  /** The maximum number of items. */
  limit: number;
};

export type EventFilter = {
  siteId?: string | null | undefined;
  ticketId?: string | null | undefined;
  grantId?: string | null | undefined;
  types?: readonly string[] | null | undefined;
};

/** An event at the beginning of a subscription: nothing happened. */
type BeginningEvent<Content extends object> = {
  id: string;
  type: 'STARTED' | 'CURRENT' | 'CURRENT_COMPLETE';
  occurredAt: Date;
  /** Only in `CURRENT`: the present state of an open item. */
  content?: Content;
  /** Only in `CURRENT_COMPLETE`: how many items the current state had. */
  stateSize?: number;
  /** Absent: the right to each item is checked as it is read. */
  audience?: undefined;
};

/** What a subscriber receives: what happened, with its `kind`, or the beginning. */
export type StreamEvent<Envelope extends TicketEvent, Content extends object> =
  | Envelope
  | BeginningEvent<Content>;
