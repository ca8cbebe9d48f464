/**
 * The subscriptions of a gateway. Each receives the events its viewer may receive, in order and once, from the one
 * relay they share.
 *
 * A slow or failing subscriber costs the others nothing: queues are bounded, and few subscribers read the database at
 * the same time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { withDeadline } from '../platform/deadline.ts';
import type { EventEnvelope } from './envelope.ts';
import { FeedClosedError, FeedError, FeedUnavailableError, HistoryReplacedError } from './errors.ts';
import { longestOutage, untilAvailable } from './outage.ts';
import type { Position } from './position.ts';
import type { PositionedEvent, Relay } from './relay.ts';
import type { Delivery, Subscriber } from './subscriber.ts';
import {
  type EventSubscription,
  type SubscribeOptions,
  Subscription,
  type SubscriptionHost,
  type SubscriptionLimits,
} from './subscription.ts';
import { createTopicIndex } from './topics.ts';

export type { EventSubscription, SubscribeOptions } from './subscription.ts';

export type FeedOptions = Partial<SubscriptionLimits> & {
  relay: Relay;
  /** Called when every subscriber here that an event concerns was told of it, or has it in its queue. */
  onTold?: (event: EventEnvelope) => void;
  /** How many subscribers read the database at the same time. */
  readers?: number;
};

export type FeedStats = {
  subscriptions: number;
  /** Accounts with a subscription. */
  viewers: number;
  /** Subscriptions that receive events from the relay; the others are catching up. */
  live: number;
  /** Events waiting in all queues. */
  queued: number;
  /** Entries in the topic index. */
  topicEntries: number;
};

export type Feed = {
  /**
   * Subscribes to everything after a position. Nothing is delivered before the subscription's `start`, but it can end.
   *
   * The subscriber's `onEnd` gets a FeedError when the subscription ends by itself: AccessEndedError,
   * CursorExpiredError, HistoryReplacedError, FeedUnavailableError or FeedClosedError; or the error that one of the
   * options or the subscriber's `onEvent` threw.
   */
  subscribe<Event extends EventEnvelope, Cursor>(
    after: Position,
    options: SubscribeOptions<Event, Cursor>,
    subscriber: Subscriber<Delivery<NoInfer<Event>, Cursor>>,
  ): EventSubscription;
  /**
   * Reads the position that includes every event visible at one moment during the call. Calls at the same time share
   * one read. Rejects with a FeedUnavailableError after an outage that lasts too long.
   */
  now(): Promise<Position>;
  /** Milliseconds for which the database may be unavailable before a subscription ends. */
  readonly outage: number;
  stats(): FeedStats;
  /** Ends every subscription with a FeedClosedError; later ones end at once. */
  dispose(): void;
};

/** Milliseconds for which subscriptions are flushed before other work of the process gets its turn. */
const maxTurn = 10;

export function createFeed({ relay, readers = 4, onTold, ...options }: FeedOptions): Feed {
  const limits = { queueLength: 1000, outage: longestOutage, ...options };
  const subscriptions = new Set<Subscription>();
  const byViewer = new Map<string, Set<Subscription>>();
  const topicIndex = createTopicIndex<Subscription>();
  const withReadSlot = createSemaphore(readers);
  let disposed = false;

  const host: SubscriptionHost = {
    relay,
    limits,
    read,
    isConfirmed: (position) =>
      ownPositions.has(position) || position === relay.position() || relay.recent.confirms(position),
    setTopics: topicIndex.set,
    clearTopics: topicIndex.delete,
    onEnd(subscription) {
      subscriptions.delete(subscription);
      const ofViewer = byViewer.get(subscription.viewerId);
      ofViewer?.delete(subscription);
      if (ofViewer?.size === 0) byViewer.delete(subscription.viewerId);
    },
  };

  /** Whether the last read of any subscription succeeded. */
  let isAvailable = true;

  function read(subscription: Subscription, after: Position): ReturnType<Relay['read']> {
    return untilAvailable(limits.outage, (deadline) =>
      withReadSlot(async () => {
        if (subscription.hasEnded) throw new FeedClosedError();
        // The wait for a slot may have taken all the time: one more read would fail like those before it.
        if (!isAvailable && performance.now() >= deadline) throw new FeedUnavailableError();
        const page = await relay.read(after).catch((error: unknown) => {
          if (!(error instanceof FeedError)) isAvailable = false;
          throw error;
        });
        isAvailable = true;
        return page;
      }),
    );
  }

  /** Positions that were read from this database, so that subscriptions from them need not be confirmed by it. */
  const ownPositions = new WeakSet<Position>();
  const now = sharedByConcurrentCalls(async () => {
    const position = await untilAvailable(limits.outage, (deadline) =>
      withDeadline(relay.now(), deadline - performance.now(), () => new FeedUnavailableError()),
    );
    ownPositions.add(position);
    return position;
  });

  function add(subscription: Subscription): void {
    subscriptions.add(subscription);
    const ofViewer = byViewer.get(subscription.viewerId);
    if (ofViewer === undefined) byViewer.set(subscription.viewerId, new Set([subscription]));
    else ofViewer.add(subscription);
  }

  async function onEvents(batch: readonly PositionedEvent[]): Promise<void> {
    // Changes of rights first: an event that became visible with such a change is judged by the new rights.
    for (const { event } of batch) {
      const accountId = event.kind.changesRightsOf(event);
      if (accountId === null) continue;
      for (const each of byViewer.get(accountId) ?? []) each.rightsChanged();
    }
    const recipients = new Set<Subscription>();
    for (const positioned of batch) {
      const { event } = positioned;
      for (const each of topicIndex.match(event.kind.topicsOf(event))) {
        each.receive(positioned);
        recipients.add(each);
      }
    }
    const urgent = [...recipients].filter((each) => each.isUrgent);
    await flushAll(new Set([...urgent, ...recipients]));
    if (onTold !== undefined) for (const { event } of batch) onTold(event);
  }

  /** In short turns of the event loop, so that the gateway's other work continues meanwhile. */
  async function flushAll(recipients: Iterable<Subscription>): Promise<void> {
    let startedAt = performance.now();
    for (const each of recipients) {
      each.flush();
      if (performance.now() - startedAt < maxTurn) continue;
      await nextTurn();
      startedAt = performance.now();
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
    subscribe(after, wanted, subscriber) {
      const subscription = new Subscription(after, wanted, subscriber, host);
      add(subscription);
      if (disposed) subscription.end(new FeedClosedError());
      return subscription;
    },
    now,
    outage: limits.outage,
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
        topicEntries: topicIndex.size.entries,
      };
    },
    dispose() {
      disposed = true;
      stopListening();
      endAll(() => new FeedClosedError());
    },
  };
}

/** Runs at most `slots` tasks at the same time; the others wait in the order in which they came. */
function createSemaphore(slots: number): <Result>(task: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let free = slots;
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

/** Runs the task once for all calls that wait for its start; never for a call that came after its start. */
function sharedByConcurrentCalls<Result>(task: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<Result> | undefined;
  return () => {
    next ??= running.then(() => {
      const started = task();
      running = started.catch(() => undefined);
      next = undefined;
      return started;
    });
    return next;
  };
}
