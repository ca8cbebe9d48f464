import type { EventEnvelope } from './envelope.ts';
import type { Position } from './position.ts';

/** The next event for one subscriber, who misses nothing after `position`. */
export type Dequeued = {
  readonly event: EventEnvelope;
  readonly position: Position;
};

type Entry = Dequeued & { isDequeued: boolean };

/** Dequeued entries stay at the front of the array until there are more of them than this; then they are cut off. */
const maxDequeued = 256;

/** How many events may overtake the event at the head. */
const maxOvertakes = 8;
/** Milliseconds after it was first overtaken from which the event at the head is not overtaken again. */
const maxOvertakingTime = 500;

/**
 * The events that wait for one subscriber. They leave in the order of the stream, except that urgent events overtake
 * events of other subjects. Events of one subject never overtake each other.
 *
 * Overtaking is limited, so that a steady flow of urgent events neither keeps the others back nor stops the position.
 */
export class DeliveryQueue {
  #entries: Entry[] = [];
  /** The index of the first entry that was not dequeued. */
  #head = 0;
  #size = 0;
  #urgent = 0;
  #delivered: Position;
  /** How many events have overtaken the event at the head, and when the first of them did, by `#now`. */
  #overtakes = 0;
  #overtakenSince = 0;
  readonly #now: () => number;

  /**
   * @param start includes everything delivered before
   * @param now milliseconds on a clock that never goes back
   */
  constructor(start: Position, now: () => number = monotonicNow) {
    this.#delivered = start;
    this.#now = now;
  }

  /** Events that wait. */
  get size(): number {
    return this.#size;
  }

  /** Events that count against the queue's limit: those that wait, and those that overtook one of them. */
  get held(): number {
    return this.#entries.length - this.#head;
  }

  /** Whether an event waits that overtakes others. */
  get isUrgent(): boolean {
    return this.#urgent > 0;
  }

  /** @param position includes the event and everything enqueued before it */
  enqueue(event: EventEnvelope, position: Position): void {
    this.#entries.push({ event, position, isDequeued: false });
    this.#size += 1;
    if (isUrgent(event)) this.#urgent += 1;
  }

  /**
   * Removes the next event and returns it with the position from which nothing is missed. An event that overtook
   * others does not advance this position, since the overtaken events are still to come.
   */
  dequeue(): Dequeued | undefined {
    const index = this.#urgent === 0 ? this.#head : this.#nextWhileUrgent();
    const entry = this.#entries[index];
    if (entry === undefined) return undefined;
    entry.isDequeued = true;
    this.#size -= 1;
    if (isUrgent(entry.event)) this.#urgent -= 1;
    this.#advanceHead();
    return entry.position === this.#delivered ? entry : { event: entry.event, position: this.#delivered };
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#size = 0;
    this.#urgent = 0;
    this.#overtakes = 0;
  }

  /** The index of the next event while an urgent one waits: that of the head if it has been overtaken for long enough. */
  #nextWhileUrgent(): number {
    const isOverdue = this.#overtakes > 0 && this.#now() - this.#overtakenSince >= maxOvertakingTime;
    if (this.#overtakes === maxOvertakes || isOverdue) return this.#head;
    if (this.#overtakes === 0) this.#overtakenSince = this.#now();
    // If the next event is the head itself, the count starts again as soon as it has left.
    this.#overtakes += 1;
    return this.#nextUrgent();
  }

  /** The index of the first event of the first urgent event's subject: the urgent one, or one it must not overtake. */
  #nextUrgent(): number {
    const urgent = this.#entries.find(({ event, isDequeued }) => !isDequeued && isUrgent(event));
    const subject = urgent && subjectOf(urgent.event);
    return this.#entries.findIndex(({ event, isDequeued }) => !isDequeued && subjectOf(event) === subject);
  }

  #advanceHead(): void {
    for (let next = this.#entries[this.#head]; next?.isDequeued === true; next = this.#entries[this.#head]) {
      this.#delivered = next.position;
      this.#head += 1;
      this.#overtakes = 0;
    }
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head > maxDequeued) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

function isUrgent(event: EventEnvelope): boolean {
  return event.kind.isUrgent(event);
}

function subjectOf(event: EventEnvelope): string {
  return event.kind.subjectOf(event);
}

function monotonicNow(): number {
  return performance.now();
}
