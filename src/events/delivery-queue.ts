import type { DeliverableEvent, GrantEventType } from './envelope.ts';
import type { Position } from './position.ts';

/** An event on its way to one subscriber. */
export type QueuedEvent = {
  readonly event: DeliverableEvent;
  /** Behind this event in the stream. */
  readonly position: Position;
};

type Waiting = QueuedEvent & { hasLeft: boolean };

const urgentTypes: ReadonlySet<GrantEventType> = new Set(['REVOKED', 'ENDED', 'REASSIGNED']);

/** What has left is cut off once it is so long. */
const longestTail = 256;

/**
 * What waits for one subscriber. Events leave in the order of the stream, except that the end of a grant's
 * use goes ahead of what waits of other grants. Events of one grant never pass each other.
 */
export class DeliveryQueue {
  #waiting: Waiting[] = [];
  #head = 0;
  #size = 0;
  #urgent = 0;
  #delivered: Position;

  /** @param start the position behind everything delivered before */
  constructor(start: Position) {
    this.#delivered = start;
  }

  get size(): number {
    return this.#size;
  }

  /** Events in memory: those that wait, and those that have gone ahead of one of them. */
  get held(): number {
    return this.#waiting.length - this.#head;
  }

  /** Whether something waits that goes ahead of others. */
  get isUrgent(): boolean {
    return this.#urgent > 0;
  }

  /** @param position lies behind everything that was pushed before */
  push(event: DeliverableEvent, position: Position): void {
    this.#waiting.push({ event, position, hasLeft: false });
    this.#size += 1;
    if (urgentTypes.has(event.type)) this.#urgent += 1;
  }

  /**
   * The next event, with the position from which nothing is missed afterwards: an event that went ahead
   * does not move it, since what it passed is still to come.
   */
  take(): QueuedEvent | undefined {
    const taken = this.#waiting[this.#urgent === 0 ? this.#head : this.#firstToGoAhead()];
    if (taken === undefined) return undefined;
    taken.hasLeft = true;
    this.#size -= 1;
    if (urgentTypes.has(taken.event.type)) this.#urgent -= 1;
    this.#moveHead();
    return taken.position === this.#delivered ? taken : { event: taken.event, position: this.#delivered };
  }

  clear(): void {
    this.#waiting = [];
    this.#head = 0;
    this.#size = 0;
    this.#urgent = 0;
  }

  /** The first event of the first urgent one's grant: it or what it must not pass. */
  #firstToGoAhead(): number {
    const urgent = this.#waiting.find(
      ({ event, hasLeft }, at) => at >= this.#head && !hasLeft && urgentTypes.has(event.type),
    );
    return this.#waiting.findIndex(
      ({ event, hasLeft }, at) => at >= this.#head && !hasLeft && event.grantId === urgent?.event.grantId,
    );
  }

  #moveHead(): void {
    for (let next = this.#waiting[this.#head]; next?.hasLeft === true; next = this.#waiting[this.#head]) {
      this.#delivered = next.position;
      this.#head += 1;
    }
    if (this.#head === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#head = 0;
    } else if (this.#head > longestTail) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}
