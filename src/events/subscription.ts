import { withDeadline } from '../platform/deadline.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import type { EventEnvelope } from './envelope.ts';
import { AccessEndedError, FeedUnavailableError } from './errors.ts';
import { untilAvailable } from './outage.ts';
import { type EventOffset, includes, origin, type Position, union } from './position.ts';
import type { PositionedEvent, Relay } from './relay.ts';
import type { Delivery, Subscriber } from './subscriber.ts';
import { concerns, type Topics } from './topics.ts';

/** Which events a subscription delivers. */
export type SubscribeOptions<Event extends EventEnvelope, Cursor = string> = {
  /** The viewer's account: the subscription notices changes of its rights. */
  viewerId: string;
  /**
   * Reloads the viewer's rights, by which `mayReceive` and `topics` decide. Called before the first event and whenever
   * the rights have changed; nothing is delivered until it has resolved. Resolves with null if the subscription
   * continues, otherwise with the reason why it ends. A rejection is retried for as long as an outage may last.
   */
  recheck(): Promise<string | null>;
  /** The topics outside of which no event concerns the viewer. Called after every recheck. */
  topics(): Topics;
  /** The subscription's own filter, which also selects the kinds that it delivers. */
  matches(event: EventEnvelope): event is Event;
  /** Whether the viewer may receive the event, by the rights loaded last. Called right before each delivery. */
  mayReceive(event: Event): boolean;
  /** The cursor from which this subscriber misses nothing after the position. */
  cursorAt(position: Position): Cursor;
};

/** A running subscription. It has subscribed to changes of rights; `start` begins the delivery. */
export type EventSubscription = {
  /** From now on passes events to the subscriber, each as soon as it may be delivered. */
  start(): void;
  /** Ends it at once, and calls the subscriber's `onEnd`. */
  end(error?: Error): void;
  readonly hasEnded: boolean;
  /** Undefined while the viewer's rights are up to date; otherwise resolves as soon as they are, or when it has ended. */
  rightsLoaded(): Promise<void> | undefined;
};

export type SubscriptionLimits = {
  /** Events that wait in memory for one subscriber. With more, it reads the database at its own speed. */
  queueLength: number;
  /** Milliseconds for which the database may be unavailable. */
  outage: number;
};

/** What a subscription needs of its feed. */
export type SubscriptionHost = {
  relay: Relay;
  limits: SubscriptionLimits;
  /** Reads events after the position from the database, when its turn has come; rejects with a FeedError. */
  read(subscription: Subscription, after: Position): ReturnType<Relay['read']>;
  /** Whether the position is known to belong to this database's history. */
  isConfirmed(position: Position): boolean;
  /** From now on calls `receive` for every event within the topics. */
  setTopics(subscription: Subscription, topics: Topics): void;
  /** From now on calls `receive` no more. */
  clearTopics(subscription: Subscription): void;
  /** Called once, when the subscription has ended. */
  onEnd(subscription: Subscription): void;
};

/**
 * The subscription of one subscriber.
 *
 * It first catches up, from the relay's memory or from the database, and then goes live: the relay passes events to
 * it. The change from one to the other happens within one turn of the event loop, so that there is no gap and no
 * overlap. When the queue is full, the subscription returns to catching up: events that were not read yet take no
 * memory.
 */
export class Subscription implements EventSubscription {
  readonly #options: SubscribeOptions<EventEnvelope, unknown>;
  readonly #subscriber: Subscriber<Delivery<EventEnvelope, unknown>>;
  readonly #host: SubscriptionHost;
  readonly #queue: DeliveryQueue;
  #state: 'CATCHING_UP' | 'LIVE' | 'ENDED' = 'CATCHING_UP';
  #hasStarted = false;
  #isFlushing = false;
  /** Every event it includes has been queued, or does not concern this subscriber. */
  #position: Position;
  /** Whether `#position` is known to belong to this database's history. */
  #isPositionVerified: boolean;
  #topics: Topics = 'EVERYTHING';
  #rightsVersion = 0;
  #rightsLoading: Promise<void> | undefined;

  /** @param after everything after this position is delivered */
  constructor(
    after: Position,
    options: SubscribeOptions<EventEnvelope, unknown>,
    subscriber: Subscriber<Delivery<EventEnvelope, unknown>>,
    host: SubscriptionHost,
  ) {
    this.#options = options;
    this.#subscriber = subscriber;
    this.#host = host;
    this.#position = after;
    this.#queue = new DeliveryQueue(after);
    this.#isPositionVerified = host.isConfirmed(after);
    this.#rightsLoading = this.#loadRights().catch((error) => this.end(asError(error)));
  }

  get viewerId(): string {
    return this.#options.viewerId;
  }

  get isLive(): boolean {
    return this.#state === 'LIVE';
  }

  get hasEnded(): boolean {
    return this.#state === 'ENDED';
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Whether an event waits that overtakes others. */
  get isUrgent(): boolean {
    return this.#queue.isUrgent;
  }

  start(): void {
    this.#hasStarted = true;
    this.flush();
  }

  rightsLoaded(): Promise<void> | undefined {
    return this.#state === 'ENDED' ? undefined : this.#rightsLoading?.then(() => this.rightsLoaded());
  }

  end(error?: Error): void {
    if (this.#state === 'ENDED') return;
    this.#state = 'ENDED';
    this.#host.clearTopics(this);
    this.#host.onEnd(this);
    this.#queue.clear();
    this.#subscriber.onEnd(error);
  }

  /** The viewer's rights have changed: nothing more is delivered until they are loaded again. */
  rightsChanged(): void {
    if (this.#state === 'ENDED') return;
    this.#rightsVersion += 1;
    // Until the new topics are known, any event could be within them.
    this.#topics = 'EVERYTHING';
    if (this.#state === 'LIVE') this.#host.setTopics(this, this.#topics);
    this.#rightsLoading ??= this.#loadRights().catch((error) => this.end(asError(error)));
  }

  /** Queues an event of the relay that is within the topics, while live. The next `flush` delivers it. */
  receive(positioned: PositionedEvent): void {
    if (this.#state !== 'LIVE') return;
    if (this.#queue.held >= this.#host.limits.queueLength) {
      this.#state = 'CATCHING_UP';
      this.#host.clearTopics(this);
      return;
    }
    try {
      this.#accept(positioned);
    } catch (error) {
      this.end(asError(error));
    }
  }

  /** Delivers what can be delivered now, and continues by itself after anything it has to wait for. */
  flush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      const pending = this.#deliverQueued();
      if (pending !== undefined) {
        void this.#flushAfter(pending);
        return;
      }
    } catch (error) {
      this.end(asError(error));
    }
    this.#isFlushing = false;
  }

  async #flushAfter(pending: Promise<unknown>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.end(asError(error));
    }
    this.#isFlushing = false;
    this.flush();
  }

  /** Returns undefined when nothing more can be delivered for now, or a promise to wait for before continuing. */
  #deliverQueued(): Promise<unknown> | undefined {
    while (this.#hasStarted && this.#state !== 'ENDED') {
      if (this.#rightsLoading !== undefined) return this.#rightsLoading;
      const next = this.#queue.dequeue();
      if (next === undefined) return this.#state === 'CATCHING_UP' ? this.#catchUp() : undefined;
      if (!this.#options.mayReceive(next.event)) continue;
      const cursor = this.#options.cursorAt(next.position);
      const pending = this.#subscriber.onEvent({ event: next.event, cursor });
      if (pending !== undefined) return pending;
    }
    return undefined;
  }

  async #catchUp(): Promise<void> {
    const { relay, limits } = this.#host;
    if (relay.position() === undefined) {
      await withDeadline(relay.ready(), limits.outage, () => new FeedUnavailableError());
      return;
    }
    const recent = this.#isPositionVerified ? relay.recent.after(this.#position) : undefined;
    if (recent === undefined) {
      const page = await this.#host.read(this, this.#position);
      if (this.#state === 'ENDED') return;
      this.#isPositionVerified = true;
      for (const event of page.events) this.#accept(event);
      this.#position = union(this.#position, page.position);
      return;
    }
    for (const event of recent) {
      if (this.#queue.held >= limits.queueLength) return;
      this.#accept(event);
    }
    this.#state = 'LIVE';
    this.#host.setTopics(this, this.#topics);
  }

  #accept({ event, offset, position }: PositionedEvent): void {
    if (includes(this.#position, offset)) return;
    this.#position = union(this.#position, position);
    if (event.kind.changesRightsOf(event) === this.viewerId) this.#onChangeOfRights(offset);
    // A live subscription was found by its topics.
    if (this.#state !== 'LIVE' && !concerns(this.#topics, event.kind.topicsOf(event))) return;
    if (this.#options.matches(event)) this.#queue.enqueue(event, this.#position);
  }

  #onChangeOfRights(offset: EventOffset): void {
    // If the relay's position includes it, it was noticed when the relay passed it on, or is older than the rights.
    const wasNoticed = includes(this.#host.relay.position() ?? origin, offset);
    if (!wasNoticed) this.rightsChanged();
  }

  async #loadRights(): Promise<void> {
    const reason = await untilAvailable(this.#host.limits.outage, (deadline) => this.#recheck(deadline));
    if (this.#state === 'ENDED') return;
    if (reason !== null) {
      this.end(new AccessEndedError(reason));
      return;
    }
    this.#topics = this.#options.topics();
    if (this.#state === 'LIVE') this.#host.setTopics(this, this.#topics);
    this.#rightsLoading = undefined;
  }

  /** Again and again while the rights change meanwhile. */
  async #recheck(deadline: number): Promise<string | null> {
    for (;;) {
      const version = this.#rightsVersion;
      const msLeft = Math.max(deadline - performance.now(), 0);
      const reason = await withDeadline(this.#options.recheck(), msLeft, () => new FeedUnavailableError());
      if (reason !== null || version === this.#rightsVersion || this.#state === 'ENDED') return reason;
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
