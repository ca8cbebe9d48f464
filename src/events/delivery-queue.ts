import type { GrantEventType, HeardEvent } from './envelope.ts';
import type { Position } from './position.ts';

/** An event on its way to one subscriber. */
export type QueuedEvent = {
  readonly event: HeardEvent;
  /** Behind this event in the stream. */
  readonly position: Position;
};

/**
 * What waits for one subscriber. Events leave in the order of the stream, except that the end of a grant's
 * use goes ahead of what waits of other grants. Events of one grant never pass each other.
 */
export type DeliveryQueue = {
  /** `event.position` lies behind everything that was pushed before. */
  push(event: QueuedEvent): void;
  /**
   * The next event, with the position from which nothing is missed afterwards: an event that went ahead
   * does not move it, since what it passed is still to come.
   */
  take(): QueuedEvent | undefined;
  clear(): void;
  readonly size: number;
};

const urgentTypes: ReadonlySet<GrantEventType> = new Set(['REVOKED', 'ENDED', 'REASSIGNED']);

/** @param start the position behind everything delivered before */
export function createDeliveryQueue(start: Position): DeliveryQueue {
  type Waiting = QueuedEvent & { ahead: boolean };
  let waiting: Waiting[] = [];
  let head = 0;
  let size = 0;
  let urgent = 0;
  let delivered = start;

  /** The first event of the first urgent one's grant: it or what it must not pass. */
  function firstToGoAhead(): number {
    for (let at = head; at < waiting.length; at += 1) {
      const candidate = waiting[at];
      if (candidate === undefined || candidate.ahead || !urgentTypes.has(candidate.event.type)) continue;
      const { grantId } = candidate.event;
      return waiting.findIndex(
        (other, index) => index >= head && !other.ahead && other.event.grantId === grantId,
      );
    }
    return head;
  }

  function takeAt(at: number): QueuedEvent | undefined {
    const taken = waiting[at];
    if (taken === undefined) return undefined;
    taken.ahead = true;
    size -= 1;
    if (urgentTypes.has(taken.event.type)) urgent -= 1;
    for (let next = waiting[head]; next?.ahead === true; next = waiting[head]) {
      delivered = next.position;
      head += 1;
    }
    if (head === waiting.length) {
      waiting = [];
      head = 0;
    } else if (head > 256) {
      waiting = waiting.slice(head);
      head = 0;
    }
    return { event: taken.event, position: delivered };
  }

  return {
    push(event) {
      waiting.push({ ...event, ahead: false });
      size += 1;
      if (urgentTypes.has(event.event.type)) urgent += 1;
    },
    take: () => takeAt(urgent === 0 ? head : firstToGoAhead()),
    clear() {
      waiting = [];
      head = 0;
      size = 0;
      urgent = 0;
    },
    get size() {
      return size;
    },
  };
}
