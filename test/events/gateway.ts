/** Writers and gateways on a real database, for the tests of this room. */
import pg from 'pg';
import type { WakeBus } from '../../src/events/bus.ts';
import type { EventEnvelope } from '../../src/events/envelope.ts';
import {
  createFeed,
  type EventSubscription,
  type Feed,
  type FeedOptions,
  type SubscribeOptions,
} from '../../src/events/feed.ts';
import { createInProcessBus } from '../../src/events/in-process-bus.ts';
import { type GrantEventEnvelope, grantKind } from '../../src/events/kinds/grant.ts';
import { eventKinds } from '../../src/events/kinds.ts';
import { type AppendedEvents, appendEvents, type Reader } from '../../src/events/outbox.ts';
import { origin, type Position } from '../../src/events/position.ts';
import { readerSettings } from '../../src/events/read-events.ts';
import { createRelay, type Relay, type RelayOptions } from '../../src/events/relay.ts';
import type { Subscriber } from '../../src/events/subscriber.ts';
import { iterate } from '../../src/http/engine/operation-stream.ts';
import { type DatabaseDeadlines, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';

export const silent = createLogger('silent');

/** What a subscriber of these tests received, and the position from which it resumes. */
export type Delivery = { event: GrantEventEnvelope; position: Position };

export type Subscribed = Required<AsyncIterableIterator<Delivery, undefined, undefined>>;

/** What a subscription delivers; `after` is where it starts. */
export type Listener = Omit<SubscribeOptions<GrantEventEnvelope, Position>, 'cursorAt' | 'matches'> & {
  after?: Position;
  matches(event: GrantEventEnvelope): boolean;
};

export type Gateway = {
  relay: Relay;
  feed: Omit<Feed, 'subscribe'> & {
    /** Subscribes, by default to everything that the relay has not read yet. Delivers when it is iterated. */
    subscribe(listener: Listener): Subscribed;
    /** Subscribes and delivers at once. Returns the function that ends it. */
    push(listener: Listener, subscriber: Subscriber<Delivery>): () => void;
  };
  /** The feed's own `subscribe`, to events of any kind. */
  subscribe: Feed['subscribe'];
  bus: WakeBus;
  pool: pg.Pool;
  /** Holds back the result of the gateway's next read until `letGo` is called. */
  holdRead(): { held: Promise<void>; letGo(): void };
  dispose(): Promise<void>;
};

/**
 * The event part of a gateway, with its own pool. Unless the options say otherwise, it
 * reads only when woken, and verifies each read.
 */
export async function openGateway(
  url: string,
  options: Partial<Omit<RelayOptions, 'db'>> &
    Partial<Omit<FeedOptions, 'relay'>> & { deadlines?: Partial<DatabaseDeadlines> } = {},
): Promise<Gateway> {
  const pool = openPool(url);
  const reading = openDatabase({
    url,
    logger: silent,
    poolSize: 10,
    settings: readerSettings,
    deadlines: options.deadlines ?? generousDatabaseDeadlines,
  });
  const bus = options.bus ?? createInProcessBus().connect();
  const holds: { held(): void; over: Promise<void> }[] = [];
  const disposal = Promise.withResolvers<void>();
  const db: Reader = {
    async query(statement) {
      const hold = holds.shift();
      const answer = await reading.pool.query(statement);
      hold?.held();
      if (hold !== undefined) await Promise.race([hold.over, disposal.promise]);
      return answer;
    },
  };
  const relay = createRelay({
    pollInterval: 600_000,
    verifyInterval: 0,
    logger: silent,
    kinds: eventKinds,
    ...options,
    bus,
    db,
  });
  const feed = createFeed({ ...options, relay });
  await relay.ready();

  function subscribe({ after, matches, ...wanted }: Listener, subscriber: Subscriber<Delivery>) {
    const start = after ?? relay.position() ?? origin;
    return feed.subscribe(
      start,
      {
        ...wanted,
        matches: (event): event is GrantEventEnvelope =>
          event.kind === grantKind && matches(event as GrantEventEnvelope),
        cursorAt: (position: Position) => position,
      },
      {
        onEvent: ({ event, cursor }) => subscriber.onEvent({ event, position: cursor }),
        onEnd: (error) => subscriber.onEnd(error),
      },
    );
  }

  return {
    relay,
    subscribe: feed.subscribe,
    feed: {
      ...feed,
      subscribe: (wanted) => pulled((subscriber) => subscribe(wanted, subscriber)),
      push(wanted, subscriber) {
        const subscription = subscribe(wanted, subscriber);
        subscription.start();
        return () => subscription.end();
      },
    },
    bus,
    pool,
    holdRead() {
      const [held, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      holds.push({ held: held.resolve, over: over.promise });
      return { held: held.promise, letGo: over.resolve };
    },
    async dispose() {
      disposal.resolve();
      feed.dispose();
      await relay.dispose();
      await bus.dispose();
      await Promise.all([reading.dispose(), pool.end()]);
    },
  };
}

export function openPool(url: string, max = 10): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: generousMs });
  pool.on('error', () => undefined);
  return pool;
}

/** A transaction that the test commits or rolls back. */
export type Writer = {
  append(...events: EventEnvelope[]): Promise<AppendedEvents | null>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
};

export async function begin(pool: pg.Pool): Promise<Writer> {
  const client = await pool.connect();
  await client.query('BEGIN');
  const end = async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
    await client.query(how);
    client.release();
  };
  return {
    append: (...events) => appendEvents(transaction(client), events),
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
  };
}

/** Writes events in one transaction, committed when it resolves. */
export async function write(pool: pg.Pool, ...events: EventEnvelope[]): Promise<AppendedEvents | null> {
  return await appendEvents(transaction(pool), events);
}

function transaction(db: Pick<pg.Pool, 'query'> | pg.PoolClient) {
  return {
    $queryRawUnsafe: async <Rows>(sql: string, ...values: unknown[]): Promise<Rows> =>
      (await db.query(sql, values)).rows as Rows,
  };
}

/** A subscriber that may receive everything, unless the options say otherwise. */
export function listener(options: Partial<Listener> = {}): Listener {
  return {
    viewerId: newId(),
    recheck: async () => null,
    topics: () => 'EVERYTHING',
    matches: () => true,
    mayReceive: () => true,
    ...options,
  };
}

/** Subscribes now, and starts the delivery when the result is first iterated. */
function pulled(subscribe: (subscriber: Subscriber<Delivery>) => EventSubscription): Subscribed {
  let pulling: Subscriber<Delivery> | undefined;
  let end: { error: Error | undefined } | undefined;
  const subscription = subscribe({
    onEvent: (delivery) => pulling?.onEvent(delivery),
    onEnd(error) {
      end = { error };
      pulling?.onEnd(error);
    },
  });
  const source = {
    start(subscriber: Subscriber<Delivery>) {
      pulling = subscriber;
      if (end === undefined) subscription.start();
      else subscriber.onEnd(end.error);
    },
    end: () => subscription.end(),
  };
  const nothing = () => undefined;
  const iterator = iterate(source, { onEnd: nothing }, { finalValue: nothing, onEnd: nothing });
  return {
    next() {
      const result = iterator.next();
      // A test may look at it only later.
      result.catch(() => undefined);
      return result;
    },
    async return() {
      subscription.end();
      return { done: true, value: undefined };
    },
    throw: (error) => Promise.reject(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Returns the next `count` deliveries. */
export async function take(subscribed: Subscribed, count: number): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  while (taken.length < count) {
    const next = await subscribed.next();
    if (next.done) throw new Error(`The subscription ended after ${taken.length} of ${count} events`);
    taken.push(next.value);
  }
  return taken;
}

export const idsOf = (events: readonly (Delivery | GrantEventEnvelope)[]): string[] =>
  events.map((one) => ('event' in one ? one.event.id : one.id));
