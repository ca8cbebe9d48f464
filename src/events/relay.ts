/**
 * The one reader of a gateway: follows the table of events and hands what is new to everything in the
 * gateway that listens, in order and once.
 */
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../platform/logger.ts';
import { createAdaptiveThrottle } from './adaptive-throttle.ts';
import type { WakeBus } from './bus.ts';
import { type EventEnvelope, parseEvent } from './envelope.ts';
import { CursorExpiredError, HistoryReplacedError } from './errors.ts';
import {
  currentPosition,
  deleteForeignEvents,
  type EventPage,
  type PlacedRow,
  type Reader,
  readEvents,
} from './outbox.ts';
import type { Position } from './position.ts';
import { createRecentEvents, type RecentEvents, type StreamEvent } from './recent-events.ts';

export type { StreamEvent };

export type RelayListener = {
  /** Events that became visible together, in order. The next come when the promise is settled. */
  onEvents(batch: readonly StreamEvent[]): Promise<void>;
  /** The database is not the one it was: what was read before means nothing for what comes. */
  onHistoryReplaced(): void;
};

export type RelayStats = {
  /** Reads of the table, events handed on, and rows passed over since the start. */
  reads: number;
  events: number;
  /** Of a kind unknown to this version, or not legal: worth an alarm. */
  unreadable: number;
  /** Reads that have failed since the last one that worked. */
  failures: number;
  /** When the table was last read. */
  readAt: Date | null;
  listeners: number;
};

export type Relay = {
  /**
   * Says that this gateway has committed something: read it now, and let the other gateways know. Call it
   * after the commit, never inside the transaction. Never throws, never waits.
   */
  wake(): void;
  /** Hears everything that is behind no position the relay has given out before. */
  listen(listener: RelayListener): () => void;
  /** Behind everything handed to listeners so far; undefined while the relay has nothing to go on from. */
  position(): Position | undefined;
  /** The position, once it is known; rejects when the relay is disposed before. */
  ready(): Promise<Position>;
  /** The events handed on last. */
  readonly recent: RecentEvents;
  /** Reads and parses what lies after a position, apart from what the relay itself is doing. */
  read(after: Position): Promise<{ events: StreamEvent[]; position: Position; hasMore: boolean }>;
  stats(): RelayStats;
  /** Resolves when the last read is over. */
  dispose(): Promise<void>;
};

export type RelayOptions = {
  /** Connections to the primary. Best a small pool of its own, so that reading never waits for commands. */
  db: Reader;
  bus: WakeBus;
  logger: Logger;
  /** Milliseconds between reads that nobody asked for: while the bus works, and while it does not. */
  pollInterval?: number;
  pollIntervalWithoutBus?: number;
  /**
   * Milliseconds from one read to the next at least, under load, so that many commits a moment apart cost one
   * read. At ease, and what this gateway itself has committed, is read at once.
   */
  longestReadGap?: number;
  /** Events read at once, and handed on without a pause. */
  pageSize?: number;
  /**
   * How many events are kept in memory for those who have just missed them. What outlives a collection of
   * garbage costs: docs/decisions/0014.
   */
  recentEvents?: number;
};

/** Milliseconds to wait after a read that failed: the first time, and at most. */
const firstRetry = 50;
const longestRetry = 1000;

export function createRelay(options: RelayOptions): Relay {
  const { db, bus, logger, pageSize = 100 } = options;
  const { pollInterval = 1000, pollIntervalWithoutBus = 250 } = options;
  const pace = createAdaptiveThrottle({ longest: options.longestReadGap ?? 33 });
  const listeners = new Set<RelayListener>();
  const recent = createRecentEvents(options.recentEvents ?? 1000);
  let ready = expected();
  const stats: Omit<RelayStats, 'listeners'> = {
    reads: 0,
    events: 0,
    unreadable: 0,
    failures: 0,
    readAt: null,
  };
  let position: Position | undefined;
  /** What has been committed since the last read began: something by another gateway, or by this one. */
  let news: 'NONE' | 'OTHERS' | 'OWN' = 'NONE';
  let onNews: (() => void) | undefined;
  const disposal = new AbortController();

  function readSoon(): void {
    if (news === 'NONE') news = 'OTHERS';
    onNews?.();
  }

  function readAtOnce(): void {
    news = 'OWN';
    onNews?.();
  }

  async function follow(): Promise<void> {
    while (!disposal.signal.aborted) {
      news = 'NONE';
      let gap = 0;
      const begun = performance.now();
      try {
        const { events, hasMore } = await readOn();
        gap = pace.after(events);
        stats.failures = 0;
        if (hasMore) {
          await nextTurn();
          continue;
        }
      } catch (error) {
        if (disposal.signal.aborted) return;
        await recoverFrom(error);
        continue;
      }
      const interval = bus.health().state === 'UP' ? pollInterval : pollIntervalWithoutBus;
      await waitUntil(() => news !== 'NONE', begun + interval);
      await waitUntil(() => news === 'OWN', begun + gap);
    }
  }

  async function readOn(): Promise<{ events: number; hasMore: boolean }> {
    if (position === undefined) {
      const foreign = await deleteForeignEvents(db);
      if (foreign > 0) logger.warn({ foreign }, 'deleted events that came from another database');
      position = await currentPosition(db);
      recent.startAt(position);
      ready.resolve(position);
      return { events: 0, hasMore: false };
    }
    const page = await readEvents(db, position, pageSize);
    if (disposal.signal.aborted) return { events: 0, hasMore: false };
    stats.reads += 1;
    stats.readAt = new Date();
    const batch = parsed(page);
    position = page.position;
    recent.add(batch, position);
    await handOn(batch);
    return { events: batch.length, hasMore: page.hasMore };
  }

  async function recoverFrom(error: unknown): Promise<void> {
    if (error instanceof HistoryReplacedError || error instanceof CursorExpiredError) {
      logger.error(
        { err: error },
        'the events after the last one read are gone: every subscription starts anew',
      );
      position = undefined;
      ready = expected();
      recent.forget();
      for (const listener of listeners) listener.onHistoryReplaced();
      await pause(firstRetry);
      return;
    }
    if (stats.failures === 0)
      logger.warn({ err: error }, 'events can not be read; trying again until they can');
    const delay = Math.min(firstRetry * 2 ** stats.failures, longestRetry);
    stats.failures += 1;
    await pause(delay);
  }

  /** Waits so many milliseconds, or until disposed. */
  async function pause(milliseconds: number): Promise<void> {
    await wait(milliseconds, undefined, { signal: disposal.signal }).catch(() => undefined);
  }

  /** Waits until the news are such, or the moment has come, or disposed. */
  async function waitUntil(isEnough: () => boolean, moment: number): Promise<void> {
    const milliseconds = moment - performance.now();
    if (milliseconds <= 0 || isEnough() || disposal.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      onNews = () => {
        if (!isEnough() && !disposal.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    onNews = undefined;
  }

  async function handOn(batch: readonly StreamEvent[]): Promise<void> {
    if (batch.length === 0) return;
    stats.events += batch.length;
    await Promise.all(
      [...listeners].map(async ({ onEvents }) => {
        try {
          await onEvents(batch);
        } catch (error) {
          logger.error({ err: error }, 'a listener failed on events');
        }
      }),
    );
  }

  function parsed({ rows }: EventPage): StreamEvent[] {
    return rows.flatMap(({ row, position: behind }) => {
      const event = parse(row);
      return event === undefined ? [] : [{ event, place: row.place, position: behind }];
    });
  }

  function parse(row: PlacedRow): EventEnvelope | undefined {
    const parsing = parseEvent(row);
    if (parsing.outcome === 'EVENT') return parsing.event;
    stats.unreadable += 1;
    logger.error(
      { eventId: row.id, type: row.type, ...parsing },
      'passed over an event that can not be read',
    );
    return undefined;
  }

  const unsubscribe = bus.subscribe(readSoon);
  const following = follow();

  return {
    wake() {
      readAtOnce();
      bus.publish();
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    position: () => position,
    ready: () => ready.promise,
    recent,
    async read(after) {
      const page = await readEvents(db, after, pageSize);
      return { events: parsed(page), position: page.position, hasMore: page.hasMore };
    },
    stats: () => ({ ...stats, listeners: listeners.size }),
    async dispose() {
      disposal.abort();
      unsubscribe();
      onNews?.();
      listeners.clear();
      recent.forget();
      ready.reject(new Error('The relay was disposed before it could read the database'));
      await following;
    },
  };
}

/** A position to come. Nobody needs to wait for it. */
function expected(): PromiseWithResolvers<Position> {
  const coming = Promise.withResolvers<Position>();
  coming.promise.catch(() => undefined);
  return coming;
}
