import type { EventEnvelope } from './envelope.ts';
import { covers, type EventOffset, includes, isCovered, type Position, tagOf } from './position.ts';

/** An event with its place in the stream: parsed once, shared by every subscriber. */
export type PositionedEvent = {
  readonly event: EventEnvelope;
  readonly offset: EventOffset;
  /** Includes everything that the gateway has read up to this event, the event too. */
  readonly position: Position;
};

/**
 * The last events that a gateway has read, so that subscribers which reconnect after a moment, perhaps all at
 * once, are served from memory.
 */
export type RecentEvents = {
  /** Starts again at a position, without events. */
  startAt(position: Position): void;
  /** Adds the events that follow; `position` includes the last of them. */
  add(events: readonly PositionedEvent[], position: Position): void;
  /** All events after the position, in order. Undefined if some of them may have been evicted. */
  after(position: Position): PositionedEvent[] | undefined;
  /**
   * Whether the position's checksum matches the events kept here, so that the position is of the same history. False
   * if it covers others, too, and if it has none.
   */
  confirms(position: Position): boolean;
  /** Discards everything; until `startAt` there is nothing to read. */
  clear(): void;
};

/** @param capacity how many events are kept */
export function createRecentEvents(capacity: number): RecentEvents {
  /** In order, beginning at `oldest` once it is full: a new event replaces the oldest. */
  const ring: PositionedEvent[] = [];
  let oldest = 0;
  let start: Position | undefined;
  let end: Position | undefined;

  function empty(): void {
    ring.length = 0;
    oldest = 0;
  }

  function add(event: PositionedEvent): void {
    if (ring.length < capacity) {
      ring.push(event);
      return;
    }
    const { position } = ring[oldest] ?? event;
    start = position;
    if (capacity === 0) return;
    ring[oldest] = event;
    oldest = (oldest + 1) % capacity;
  }

  return {
    startAt(position) {
      empty();
      start = position;
      end = position;
    },
    add(events, position) {
      for (const event of events) add(event);
      end = position;
    },
    after(position) {
      if (start === undefined || end === undefined || !covers(position, start)) return undefined;
      if (covers(position, end)) return [];
      const inOrder = [...ring.slice(oldest), ...ring.slice(0, oldest)];
      return inOrder.filter(({ offset }) => !includes(position, offset));
    },
    confirms({ checksum }) {
      if (checksum === undefined) return false;
      let value = 0n;
      for (const { event, offset } of ring) {
        if (isCovered(checksum, offset)) value ^= tagOf(event.id);
      }
      return value === checksum.value;
    },
    clear() {
      empty();
      start = undefined;
      end = undefined;
    },
  };
}
