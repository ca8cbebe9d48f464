import { setTimeout as wait } from 'node:timers/promises';
import { withDeadline } from '../platform/deadline.ts';
import { type Delivery, DeliveryQueue } from './delivery-queue.ts';
import type { DeliverableEvent } from './envelope.ts';
import { AccessEndedError, FeedUnavailableError } from './errors.ts';
import { includes, origin, type Position, union } from './position.ts';
import type { PositionedEvent, Relay } from './relay.ts';
import { concerns, type Topics } from './topics.ts';

export type { Delivery };

export type SubscribeOptions = {
  /** The viewer's account: the subscription notices changes of its rights. */
  viewerId: string;
  /**
   * Reloads the viewer's rights, by which `mayReceive` and `topics` decide. Called before the first event and whenever
   * the rights have changed; nothing is delivered until it has resolved. Resolves with null if the subscription
   * continues, otherwise with the reason why it ends. A rejection is retried for as long as an outage may last.
   */
  recheck(): Promise<string | null>;
  /** Whether the viewer may receive the event, by the rights loaded last. Called right before each delivery. */
  mayReceive(event: DeliverableEvent): boolean;
  /** The topics outside of which no event concerns the viewer. Called after every recheck. Left out: everything. */
  topics?(): Topics;
  /** The subscription's own filter. Left out: everything. */
  matches?(event: DeliverableEvent): boolean;
  /** Deliver everything after this position. Left out: what happens from now on. */
  after?: Position;
};

/**
 * Consumes events one after the other. If it returns a promise, the next event is delivered only when the promise has
 * resolved. `STOP`, returned or resolved, ends the consumption.
 */
export type Consumer<Event> = (event: Event) => 'STOP' | undefined | Promise<'STOP' | undefined>;

/** The events of one subscriber: pulled one by one, or pushed to a consumer. */
export type EventSubscription = AsyncIterableIterator<Delivery, undefined, undefined> & {
  /**
   * Passes every event to the consumer as soon as it may be delivered, within the same turn of the event loop. Resolves
   * with true when the subscription has ended, with false when the consumer has stopped; rejects as `next` does.
   */
  consume(consumer: Consumer<Delivery>): Promise<boolean>;
  /**
   * Undefined while the viewer's rights are up to date; otherwise a promise that resolves as soon as they are. It
   * rejects as `next` does if an error has ended the subscription.
   */
  rightsLoaded(): Promise<void> | undefined;
  readonly hasEnded: boolean;
};

type ActiveConsumer = { consumer: Consumer<Delivery>; done: PromiseWithResolvers<boolean> };

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
  /** From now on calls `receive` for every event within the topics. */
  setTopics(subscription: Subscription, topics: Topics): void;
  /** From now on calls `receive` no more. */
  clearTopics(subscription: Subscription): void;
  /** Called once, when the subscription has ended. */
  onEnd(subscription: Subscription): void;
};

/** Milliseconds between two attempts to read the database. */
export const retryDelay = 250;

/**
 * The subscription of one subscriber.
 *
 * It first catches up, from the relay's memory or from the database, and then goes live: the relay passes events to
 * it. The change from one to the other happens within one turn of the event loop, so that there is no gap and no
 * overlap. When the queue is full, the subscription returns to catching up: events that were not read yet take no
 * memory.
 */
export class Subscription implements EventSubscription {
  readonly #options: SubscribeOptions;
  readonly #host: SubscriptionHost;
  #queue: DeliveryQueue;
  /** Pending calls of `next`, in their order. */
  #requests: PromiseWithResolvers<IteratorResult<Delivery, undefined>>[] | undefined;
  #consumer: ActiveConsumer | undefined;
  #state: 'CATCHING_UP' | 'LIVE' | 'ENDED' = 'CATCHING_UP';
  #error: Error | undefined;
  /** Every event it includes has been queued, or does not concern this subscriber. */
  #position: Position | undefined;
  /** Whether `#position` is known to belong to this database's history. */
  #isPositionVerified: boolean;
  #topics: Topics = 'EVERYTHING';
  #rightsVersion = 0;
  #rightsLoading: Promise<void> | undefined;
  #isFlushing = false;

  constructor(options: SubscribeOptions, host: SubscriptionHost) {
    this.#options = options;
    this.#host = host;
    const now = host.relay.position();
    this.#position = options.after ?? now;
    this.#isPositionVerified = options.after === undefined || host.relay.recent.confirms(options.after);
    this.#queue = new DeliveryQueue(this.#position ?? origin);
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

  next(): Promise<IteratorResult<Delivery, undefined>> {
    if (this.#state === 'ENDED') return this.#endResult();
    const request = Promise.withResolvers<IteratorResult<Delivery, undefined>>();
    this.#requests ??= [];
    this.#requests.push(request);
    this.flush();
    return request.promise;
  }

  consume(consumer: Consumer<Delivery>): Promise<boolean> {
    if (this.#state === 'ENDED') return this.#endResult().then(() => true);
    const done = Promise.withResolvers<boolean>();
    this.#consumer = { consumer, done };
    this.flush();
    return done.promise;
  }

  /** Ends the subscription at once, even while `next` is pending. */
  return(): Promise<IteratorResult<Delivery, undefined>> {
    this.end();
    this.#error = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<Delivery, undefined>> {
    this.end();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  rightsLoaded(): Promise<void> | undefined {
    if (this.#state === 'ENDED') return this.#endResult().then(() => undefined);
    return this.#rightsLoading?.then(() => this.rightsLoaded());
  }

  /** Ends the subscription; queued events are not delivered. */
  end(error?: Error): void {
    if (this.#state === 'ENDED') return;
    this.#state = 'ENDED';
    this.#host.clearTopics(this);
    this.#host.onEnd(this);
    this.#queue.clear();
    this.#error = error;
    for (const request of this.#requests?.splice(0) ?? [])
      void this.#endResult().then(request.resolve, request.reject);
    const active = this.#consumer;
    this.#consumer = undefined;
    if (active !== undefined)
      void this.#endResult().then(() => active.done.resolve(true), active.done.reject);
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
    while (this.#consumer !== undefined || (this.#requests?.length ?? 0) > 0) {
      if (this.#rightsLoading !== undefined) return this.#rightsLoading;
      const delivery = this.#queue.dequeue();
      if (delivery === undefined) return this.#state === 'CATCHING_UP' ? this.#catchUp() : undefined;
      if (!this.#options.mayReceive(delivery.event)) continue;
      const pending = this.#deliver(delivery);
      if (pending !== undefined) return pending;
    }
    return undefined;
  }

  #deliver(delivery: Delivery): Promise<unknown> | undefined {
    const active = this.#consumer;
    if (active === undefined) {
      this.#requests?.shift()?.resolve({ done: false, value: delivery });
      return undefined;
    }
    const stopIfAsked = (result: 'STOP' | undefined): void => {
      if (result === undefined || this.#consumer !== active) return;
      this.#consumer = undefined;
      active.done.resolve(false);
    };
    const result = active.consumer(delivery);
    if (result instanceof Promise) return result.then(stopIfAsked);
    if (result !== undefined) stopIfAsked(result);
    return undefined;
  }

  async #catchUp(): Promise<void> {
    const { relay, limits } = this.#host;
    if (this.#position === undefined) {
      this.#position = await withDeadline(relay.ready(), limits.outage, unavailable);
      this.#queue = new DeliveryQueue(this.#position);
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
    if (this.#position === undefined || includes(this.#position, offset)) return;
    this.#position = union(this.#position, position);
    if (event.kind === 'access') {
      // If the relay's position includes it, it was noticed when the relay passed it on, or is older than the rights.
      const wasNoticed = includes(this.#host.relay.position() ?? origin, offset);
      if (event.accountId === this.viewerId && !wasNoticed) this.rightsChanged();
      return;
    }
    // A live subscription was found by its topics.
    if (this.#state !== 'LIVE' && !concerns(this.#topics, event)) return;
    if (this.#options.matches?.(event) !== false) this.#queue.enqueue(event, this.#position);
  }

  async #loadRights(): Promise<void> {
    const deadline = Date.now() + this.#host.limits.outage;
    for (;;) {
      const version = this.#rightsVersion;
      try {
        const reason = await withDeadline(
          this.#options.recheck(),
          Math.max(deadline - Date.now(), 0),
          unavailable,
        );
        if (this.#state === 'ENDED') return;
        if (reason !== null) {
          this.end(new AccessEndedError(reason));
          return;
        }
        if (version === this.#rightsVersion) break;
      } catch (error) {
        if (this.#state === 'ENDED') return;
        if (Date.now() + retryDelay >= deadline) {
          this.end(new FeedUnavailableError({ cause: error }));
          return;
        }
        await wait(retryDelay);
      }
    }
    this.#topics = this.#options.topics?.() ?? 'EVERYTHING';
    if (this.#state === 'LIVE') this.#host.setTopics(this, this.#topics);
    this.#rightsLoading = undefined;
  }

  /** What a consumer gets after the end: the error once, then the end. */
  #endResult(): Promise<IteratorResult<Delivery, undefined>> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }
}

function unavailable(): Error {
  return new FeedUnavailableError();
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
