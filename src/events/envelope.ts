/** Events, as the gateway handles them and as the table of events stores them, whatever their kind. */
import { type Fields, InvalidPayloadError, isObject, string } from './payload-reader.ts';
import type { Topic } from './topics.ts';

/** Something happened. Each kind of event adds its own fields. */
export type EventEnvelope = {
  /** The same wherever and however often the event is delivered. */
  id: string;
  kind: EventKind;
  type: string;
  occurredAt: Date;
};

/** What the delivery of events has to know about one kind of them. */
export type EventKind<Event extends EventEnvelope = EventEnvelope> = {
  /** The payload's field `kind`. */
  readonly name: string;
  /** @throws InvalidPayloadError if the row is not such an event */
  read(row: EventRow, payload: Fields): Event;
  /** Whose the event is: the organization that it concerns, or the vendor's own. A CHECK of the database compares it. */
  organizationOf(event: Event): string;
  /** What the event is about: it is offered to the subscriptions with one of these topics. */
  topicsOf(event: Event): readonly Topic[];
  /** Events of one subject are delivered in the order in which they happened. */
  subjectOf(event: Event): string;
  /** Whether it overtakes events of other subjects that wait for the same subscriber. */
  isUrgent(event: Event): boolean;
  /** The account whose rights have changed by it; null if it changes no rights. */
  changesRightsOf(event: Event): string | null;
};

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
  kind,
  ...payload
}: EventEnvelope): object {
  return { kind: kind.name, ...payload };
}

/**
 * Parses a row of the table. Does not throw for an invalid row: the caller decides what to do with it. A gateway skips
 * events of a kind that it does not know, so that two versions can run side by side.
 */
export function parseEvent(row: EventRow, kinds: readonly EventKind[]): ParsedEvent {
  const { payload } = row;
  if (!isObject(payload)) return { outcome: 'INVALID', reason: 'the payload must be an object' };
  try {
    const name = string(payload, 'kind');
    const kind = kinds.find((known) => known.name === name);
    if (kind === undefined) return { outcome: 'UNKNOWN_KIND', kind: name };
    return { outcome: 'EVENT', event: kind.read(row, payload) };
  } catch (error) {
    if (error instanceof InvalidPayloadError) return { outcome: 'INVALID', reason: error.message };
    throw error;
  }
}
