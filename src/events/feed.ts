/**
 * The subscriptions of a gateway: each gets what it may hear, in order, once, from the relay they share.
 *
 * What one subscriber does or fails to do costs the others nothing: queues are bounded, and reads from the
 * database are limited.
 */
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { DeliverableEvent } from './envelope.ts';
import { FeedClosedError, FeedError, FeedUnavailableError, HistoryReplacedError } from './errors.ts';
import type { Position } from './position.ts';
import type { Relay, StreamEvent } from './relay.ts';
import {
  type Deliveries,
  type SubscribeOptions,
  Subscription,
  type SubscriptionLimits,
  type Surroundings,
} from './subscription.ts';
import { createDirectory } from './topics.ts';

export type { Deliveries, Delivery, SubscribeOptions, Take } from './subscription.ts';

export type FeedOptions = Partial<SubscriptionLimits> & {
  relay: Relay;
  /** How many subscribers read the database at the same time. */
  readers?: number;
};

export type FeedStats = {
  subscriptions: number;
  /** Accounts that listen. */
  viewers: number;
  /** Of them, those that live on what the relay hands on; the others are catching up. */
  live: number;
  /** Events waiting in all queues. */
  queued: number;
  /** Entries in the directory of topics. */
  topicEntries: number;
};

export type Feed = {
  /**
   * A subscription from now on, or from `after` on. It begins with this call, not with the first `next`.
   *
   * `next` rejects once, with a FeedError, when the subscription ends by itself: AccessEndedError,
   * CursorExpiredError, HistoryReplacedError, FeedUnavailableError, FeedClosedError; or with what `mayReceive`,
   * `matches` or `topics` threw.
   */
  subscribe(options: SubscribeOptions): Deliveries;
  stats(): FeedStats;
  /** Ends every subscription with a FeedClosedError; later ones end at once. */
  dispose(): void;
};

/** Milliseconds between two tries to read the database. */
const retryDelay = 250;

/** Milliseconds for which subscribers are served without a pause. */
const longestTurn = 10;

export function createFeed({ relay, readers = 4, ...options }: FeedOptions): Feed {
  const limits = { queueLength: 1000, outage: 30_000, ...options };
  const subscriptions = new Set<Subscription>();
  const byViewer = new Map<string, Set<Subscription>>();
  const directory = createDirectory<Subscription>();
  const throughGate = createGate(readers);
  let disposed = false;

  const surroundings: Surroundings = {
    relay,
    limits,
    read,
    enter: directory.place,
    leave: directory.remove,
    forget(subscription) {
      subscriptions.delete(subscription);
      const theirs = byViewer.get(subscription.viewerId);
      theirs?.delete(subscription);
      if (theirs?.size === 0) byViewer.delete(subscription.viewerId);
    },
  };

  /** Whether the last read by any of them worked. */
  let isReachable = true;

  /** Reads for a subscription, again and again while the database is out of reach. */
  async function read(subscription: Subscription, after: Position): ReturnType<Relay['read']> {
    const deadline = Date.now() + limits.outage;
    for (;;) {
      try {
        const page = await throughGate(() => {
          if (subscription.hasEnded) throw new FeedClosedError();
          // Who has only waited in line so far has no better prospects.
          if (!isReachable && Date.now() >= deadline) throw new FeedUnavailableError();
          return relay.read(after);
        });
        isReachable = true;
        return page;
      } catch (error) {
        if (error instanceof FeedError) throw error;
        isReachable = false;
        if (Date.now() + retryDelay >= deadline) throw new FeedUnavailableError({ cause: error });
        await wait(retryDelay);
      }
    }
  }

  function remember(subscription: Subscription): void {
    subscriptions.add(subscription);
    const theirs = byViewer.get(subscription.viewerId);
    if (theirs === undefined) byViewer.set(subscription.viewerId, new Set([subscription]));
    else theirs.add(subscription);
  }

  async function onEvents(batch: readonly StreamEvent[]): Promise<void> {
    // Changes of rights first: nothing that became visible with one is judged by the rights of before.
    const heard: [DeliverableEvent, StreamEvent][] = [];
    for (const arrived of batch) {
      const { event } = arrived;
      if (event.kind !== 'access') heard.push([event, arrived]);
      else for (const each of byViewer.get(event.accountId) ?? []) each.rightsChanged();
    }
    const concerned = new Set<Subscription>();
    for (const [event, arrived] of heard) {
      for (const each of directory.membersFor(event)) {
        each.receive(arrived);
        concerned.add(each);
      }
    }
    const urgent = [...concerned].filter((each) => each.isUrgent);
    await serveAll(new Set([...urgent, ...concerned]));
  }

  /** In turns that are short, so that whatever else the gateway does goes on meanwhile. */
  async function serveAll(subscribers: Iterable<Subscription>): Promise<void> {
    let begun = performance.now();
    for (const each of subscribers) {
      each.serve();
      if (performance.now() - begun < longestTurn) continue;
      await nextTurn();
      begun = performance.now();
    }
  }

  function endAll(error: () => Error): void {
    for (const each of [...subscriptions]) each.end(error());
  }

  const stopListening = relay.listen({
    onEvents,
    onHistoryReplaced: () => endAll(() => new HistoryReplacedError()),
  });

  return {
    subscribe(wanted) {
      const subscription = new Subscription(wanted, surroundings);
      remember(subscription);
      if (disposed) subscription.end(new FeedClosedError());
      return subscription;
    },
    stats() {
      let live = 0;
      let queued = 0;
      for (const each of subscriptions) {
        if (each.isLive) live += 1;
        queued += each.queued;
      }
      return {
        subscriptions: subscriptions.size,
        viewers: byViewer.size,
        live,
        queued,
        topicEntries: directory.size.entries,
      };
    },
    dispose() {
      disposed = true;
      stopListening();
      endAll(() => new FeedClosedError());
    },
  };
}

/** Lets so many tasks run at the same time; the others wait their turn. */
function createGate(width: number): <Result>(task: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let free = width;
  return async (task) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
