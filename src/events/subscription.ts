import { setTimeout as wait } from 'node:timers/promises';
import { DeliveryQueue, type QueuedEvent } from './delivery-queue.ts';
import type { DeliverableEvent } from './envelope.ts';
import { AccessEndedError, FeedUnavailableError } from './errors.ts';
import { covers, isBehind, origin, type Position, union } from './position.ts';
import type { Relay, StreamEvent } from './relay.ts';
import { concerns, type Topics } from './topics.ts';

/** An event, and the position to resume from once it was received: behind it nothing is missed. */
export type Delivery = QueuedEvent;

export type SubscribeOptions = {
  /** The account that listens: changes of its rights are noticed. */
  viewerId: string;
  /**
   * Loads the viewer's rights anew, for `mayReceive` and `topics` to go by. Called before the first event and
   * whenever the rights have changed; nothing is delivered until it has answered. Null: the subscription
   * goes on; otherwise it ends with this reason. A throw is tried again for a few seconds.
   */
  recheck(): Promise<string | null>;
  /** Whether the viewer may hear the event, by the rights loaded last. Asked right before each is delivered. */
  mayReceive(event: DeliverableEvent): boolean;
  /** Outside of which there is nothing to hear. Asked after every recheck. Left out: everything. */
  topics?(): Topics;
  /** The subscription's own filter. Left out: everything. */
  matches?(event: DeliverableEvent): boolean;
  /** Everything after this position comes first. Left out: what happens from now on. */
  after?: Position;
};

/**
 * Takes events, one after the other. A promise is waited for before the next; `ENOUGH`, right away or by the
 * promise, is for no more of them.
 */
export type Take<Event> = (event: Event) => 'ENOUGH' | undefined | Promise<'ENOUGH' | undefined>;

/** What a subscription tells: to whoever asks for the next, or to whoever takes all that comes. */
export type Deliveries = AsyncIterableIterator<Delivery, undefined, undefined> & {
  /**
   * Hands on every event as soon as it may be told, within the same turn of the event loop. Resolves with
   * whether the subscription is over, or else `take` has had enough; rejects as `next` does.
   */
  handTo(take: Take<Delivery>): Promise<boolean>;
  /**
   * Undefined while the viewer's rights are known as they are now; or resolves as soon as they are. Rejects as
   * `next` does when an error has ended the subscription.
   */
  rights(): Promise<void> | undefined;
  readonly hasEnded: boolean;
};

type Taker = { take: Take<Delivery>; done: PromiseWithResolvers<boolean> };

export type SubscriptionLimits = {
  /** Events that wait in memory for one subscriber; beyond, it reads the database at its own pace. */
  queueLength: number;
  /** Milliseconds for which the database may be out of reach. */
  outage: number;
};

/** What a subscription needs of the feed it belongs to. */
export type Surroundings = {
  relay: Relay;
  limits: SubscriptionLimits;
  /** Reads from the database what comes after the position, in its turn; rejects with a FeedError. */
  read(subscription: Subscription, after: Position): ReturnType<Relay['read']>;
  /** From now on, `receive` is called for every event within the topics. */
  enter(subscription: Subscription, topics: Topics): void;
  leave(subscription: Subscription): void;
  /** It is over. */
  forget(subscription: Subscription): void;
};

/**
 * One subscriber's way through the stream.
 *
 * It catches up first, from the relay's memory or from the database, and then lives on what the relay hands
 * on. The change from one to the other happens within one turn of the event loop, so there is no gap and no
 * overlap. A subscriber whose queue is full goes back to catching up: what it has not read costs nothing.
 */
export class Subscription implements Deliveries {
  readonly #options: SubscribeOptions;
  readonly #surroundings: Surroundings;
  #queue: DeliveryQueue;
  /** Who waits: those that have asked for the next, in their order, or the one that takes all. */
  #requests: PromiseWithResolvers<IteratorResult<Delivery, undefined>>[] | undefined;
  #taker: Taker | undefined;
  #state: 'CATCHING_UP' | 'LIVE' | 'ENDED' = 'CATCHING_UP';
  #error: Error | undefined;
  /** Everything behind it has been put into the queue or does not concern this subscriber. */
  #read: Position | undefined;
  /** Whether `#read` is known to be of this database's history. */
  #readIsGenuine: boolean;
  #topics: Topics = 'EVERYTHING';
  #rightsVersion = 0;
  #rightsLoading: Promise<void> | undefined;
  #serving = false;

  constructor(options: SubscribeOptions, surroundings: Surroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
    const now = surroundings.relay.position();
    this.#read = options.after ?? now;
    this.#readIsGenuine = options.after === undefined || (now !== undefined && covers(now, options.after));
    this.#queue = new DeliveryQueue(this.#read ?? origin);
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

  /** Whether an end of a grant's use waits. */
  get isUrgent(): boolean {
    return this.#queue.isUrgent;
  }

  next(): Promise<IteratorResult<Delivery, undefined>> {
    if (this.#state === 'ENDED') return this.#farewell();
    const request = Promise.withResolvers<IteratorResult<Delivery, undefined>>();
    this.#requests ??= [];
    this.#requests.push(request);
    this.serve();
    return request.promise;
  }

  handTo(take: Take<Delivery>): Promise<boolean> {
    if (this.#state === 'ENDED') return this.#farewell().then(() => true);
    const done = Promise.withResolvers<boolean>();
    this.#taker = { take, done };
    this.serve();
    return done.promise;
  }

  /** Ends the subscription at once, also while `next` is pending. */
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

  rights(): Promise<void> | undefined {
    if (this.#state === 'ENDED') return this.#farewell().then(() => undefined);
    return this.#rightsLoading?.then(() => this.rights());
  }

  /** Ends the subscription; what waits is not delivered. */
  end(error?: Error): void {
    if (this.#state === 'ENDED') return;
    this.#state = 'ENDED';
    this.#surroundings.leave(this);
    this.#surroundings.forget(this);
    this.#queue.clear();
    this.#error = error;
    for (const request of this.#requests?.splice(0) ?? [])
      void this.#farewell().then(request.resolve, request.reject);
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker !== undefined) void this.#farewell().then(() => taker.done.resolve(true), taker.done.reject);
  }

  /** The viewer's rights have changed: nothing more is delivered until they are known again. */
  rightsChanged(): void {
    if (this.#state === 'ENDED') return;
    this.#rightsVersion += 1;
    // What comes until the new topics are known could be within them.
    this.#topics = 'EVERYTHING';
    if (this.#state === 'LIVE') this.#surroundings.enter(this, this.#topics);
    this.#rightsLoading ??= this.#loadRights().catch((error) => this.end(asError(error)));
  }

  /** An event from the relay, within the topics and while live: it waits until this is served. */
  receive(arrived: StreamEvent): void {
    if (this.#state !== 'LIVE') return;
    if (this.#queue.held >= this.#surroundings.limits.queueLength) {
      this.#state = 'CATCHING_UP';
      this.#surroundings.leave(this);
      return;
    }
    try {
      this.#accept(arrived);
    } catch (error) {
      this.end(asError(error));
    }
  }

  /** Hands on what there is to whoever waits for it, and goes on by itself after what it has to wait for. */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      const pause = this.#handOn();
      if (pause !== undefined) {
        void this.#serveAfter(pause);
        return;
      }
    } catch (error) {
      this.end(asError(error));
    }
    this.#serving = false;
  }

  async #serveAfter(pause: Promise<unknown>): Promise<void> {
    try {
      await pause;
    } catch (error) {
      this.end(asError(error));
    }
    this.#serving = false;
    this.serve();
  }

  /** Answers when there is nothing more to do for now: undefined; or before, with what is to be waited for. */
  #handOn(): Promise<unknown> | undefined {
    while (this.#taker !== undefined || (this.#requests?.length ?? 0) > 0) {
      if (this.#rightsLoading !== undefined) return this.#rightsLoading;
      const queued = this.#queue.take();
      if (queued === undefined) return this.#state === 'CATCHING_UP' ? this.#catchUp() : undefined;
      if (!this.#options.mayReceive(queued.event)) continue;
      const pause = this.#deliver(queued);
      if (pause !== undefined) return pause;
    }
    return undefined;
  }

  #deliver(delivery: Delivery): Promise<unknown> | undefined {
    const taker = this.#taker;
    if (taker === undefined) {
      this.#requests?.shift()?.resolve({ done: false, value: delivery });
      return undefined;
    }
    const settle = (answer: 'ENOUGH' | undefined): void => {
      if (answer === undefined || this.#taker !== taker) return;
      this.#taker = undefined;
      taker.done.resolve(false);
    };
    const answer = taker.take(delivery);
    if (answer instanceof Promise) return answer.then(settle);
    if (answer !== undefined) settle(answer);
    return undefined;
  }

  async #catchUp(): Promise<void> {
    const { relay, limits } = this.#surroundings;
    if (this.#read === undefined) {
      this.#read = await within(relay.ready(), limits.outage);
      this.#queue = new DeliveryQueue(this.#read);
      return;
    }
    const recent = this.#readIsGenuine ? relay.recent.after(this.#read) : undefined;
    if (recent === undefined) {
      const page = await this.#surroundings.read(this, this.#read);
      if (this.#state === 'ENDED') return;
      this.#readIsGenuine = true;
      for (const event of page.events) this.#accept(event);
      this.#read = union(this.#read, page.position);
      return;
    }
    for (const event of recent) {
      if (this.#queue.held >= limits.queueLength) return;
      this.#accept(event);
    }
    this.#state = 'LIVE';
    this.#surroundings.enter(this, this.#topics);
  }

  #accept({ event, place, position }: StreamEvent): void {
    if (this.#read === undefined || isBehind(this.#read, place)) return;
    this.#read = union(this.#read, position);
    if (event.kind === 'access') {
      // What the relay has handed on already was noticed then, or came before the rights were first loaded.
      const noticed = isBehind(this.#surroundings.relay.position() ?? origin, place);
      if (event.accountId === this.viewerId && !noticed) this.rightsChanged();
      return;
    }
    // While live, it was found by its topics.
    if (this.#state !== 'LIVE' && !concerns(this.#topics, event)) return;
    if (this.#options.matches?.(event) !== false) this.#queue.push(event, this.#read);
  }

  async #loadRights(): Promise<void> {
    const deadline = Date.now() + this.#surroundings.limits.outage;
    for (;;) {
      const version = this.#rightsVersion;
      try {
        const reason = await within(this.#options.recheck(), deadline - Date.now());
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
    if (this.#state === 'LIVE') this.#surroundings.enter(this, this.#topics);
    this.#rightsLoading = undefined;
  }

  /** What a consumer gets after the end: the error once, then nothing. */
  #farewell(): Promise<IteratorResult<Delivery, undefined>> {
    const error = this.#error;
    this.#error = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }
}

/** Milliseconds between two tries to load a viewer's rights. */
const retryDelay = 250;

async function within<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value> {
  const late = new AbortController();
  const deadline = wait(Math.max(milliseconds, 0), undefined, { signal: late.signal }).then((): never => {
    throw new FeedUnavailableError();
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    late.abort();
    deadline.catch(() => undefined);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
