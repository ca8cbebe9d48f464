import type { EventEnvelope } from './envelope.ts';
import { covers, isBehind, type Place, type Position } from './position.ts';

/** An event as it passes through the gateway: parsed once, shared by everyone it goes to. */
export type StreamEvent = {
  readonly event: EventEnvelope;
  readonly place: Place;
  /** Behind this event: everything the gateway has read up to it. */
  readonly position: Position;
};

/**
 * The last events a gateway has handed on, so that subscribers who come back after a moment, all at once
 * perhaps, are served from memory.
 */
export type RecentEvents = {
  /** Begins anew at a position, with nothing. */
  startAt(position: Position): void;
  /** Adds events that follow what is there; `position` lies behind the last of them. */
  add(events: readonly StreamEvent[], position: Position): void;
  /**
   * Every event after the position that was handed on so far, in order; undefined when some of them may not
   * be here any more.
   */
  after(position: Position): StreamEvent[] | undefined;
  forget(): void;
};

/** @param capacity how many events are kept */
export function createRecentEvents(capacity: number): RecentEvents {
  /** In order, beginning with `oldest` once it is full: each takes the place of the one that goes. */
  const ring: StreamEvent[] = [];
  let oldest = 0;
  let start: Position | undefined;
  let end: Position | undefined;

  function clear(): void {
    ring.length = 0;
    oldest = 0;
  }

  function add(event: StreamEvent): void {
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
      clear();
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
      return inOrder.filter(({ place }) => !isBehind(position, place));
    },
    forget() {
      clear();
      start = undefined;
      end = undefined;
    },
  };
}
