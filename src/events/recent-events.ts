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
  find(id: string): StreamEvent | undefined;
  forget(): void;
  readonly size: number;
};

/** @param capacity how many events are kept */
export function createRecentEvents(capacity: number): RecentEvents {
  /** In order; a Map keeps the order of insertion. */
  const kept = new Map<string, StreamEvent>();
  let start: Position | undefined;
  let end: Position | undefined;

  return {
    startAt(position) {
      kept.clear();
      start = position;
      end = position;
    },
    add(events, position) {
      end = position;
      for (const event of events) kept.set(event.event.id, event);
      for (const [id, event] of kept) {
        if (kept.size <= capacity) break;
        kept.delete(id);
        start = event.position;
      }
    },
    after(position) {
      if (start === undefined || end === undefined || !covers(position, start)) return undefined;
      if (covers(position, end)) return [];
      return [...kept.values()].filter(({ place }) => !isBehind(position, place));
    },
    find: (id) => kept.get(id),
    forget() {
      kept.clear();
      start = undefined;
      end = undefined;
    },
    get size() {
      return kept.size;
    },
  };
}
