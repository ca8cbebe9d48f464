/**
 * The one reader of a gateway: it follows the table of events and passes every new event to its listeners, in order
 * and once.
 */
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { backoffDelay } from '../platform/backoff.ts';
import type { Logger } from '../platform/logger.ts';
import { createAdaptiveThrottle } from './adaptive-throttle.ts';
import type { WakeBus } from './bus.ts';
import { type EventEnvelope, type EventKind, parseEvent } from './envelope.ts';
import { CursorExpiredError, HistoryReplacedError } from './errors.ts';
import { type AppendedEvents, deleteForeignEvents, type Reader } from './outbox.ts';
import type { Position } from './position.ts';
import { currentPosition, type EventPage, readEvents, type StoredEvent } from './read-events.ts';
import { createRecentEvents, type PositionedEvent, type RecentEvents } from './recent-events.ts';
import { createTail } from './tail.ts';

export type { PositionedEvent };

export type RelayListener = {
  /** Called with events that were read together, in order; again only when the promise has settled. */
  onEvents(batch: readonly PositionedEvent[]): Promise<void>;
  /** The database was restored to an earlier moment, or events after the last one read are gone. */
  onHistoryReplaced(): void;
};

export type RelayStats = {
  /** Successful reads of the table since the start. */
  reads: number;
  /** Events passed to listeners since the start. */
  events: number;
  /** Rows skipped since the start: of a kind unknown to this version, or invalid. Worth an alarm. */
  unreadable: number;
  /** Reads that have failed in a row. */
  failures: number;
  /** When the table was last read. */
  readAt: Date | null;
  listeners: number;
};

export type Relay = {
  /**
   * Call it after this gateway has committed events, never inside the transaction: with what `appendEvents` returned,
   * null if that was nothing. The relay passes them to its listeners, without a read of the table if no other event
   * can come before them, and wakes the other gateways. Never throws, never waits.
   */
  announce(appended: AppendedEvents | null): void;
  /** Reads the table at once, and wakes the other gateways. Never throws, never waits. */
  wake(): void;
  /** Passes every event after the present position to the listener, until the returned function is called. */
  listen(listener: RelayListener): () => void;
  /** Includes everything passed to listeners so far. Undefined until the relay has read its start position. */
  position(): Position | undefined;
  /** Resolves with the position once it is known; rejects if the relay is disposed before. */
  ready(): Promise<Position>;
  /**
   * Reads the position that includes every event visible now. It may be ahead of what the relay has read. Waits until
   * the relay has a position.
   */
  now(): Promise<Position>;
  /** The events passed on last. */
  readonly recent: RecentEvents;
  /** Reads and parses events after a position, independently of what the relay itself is reading. */
  read(after: Position): Promise<{ events: PositionedEvent[]; position: Position; hasMore: boolean }>;
  stats(): RelayStats;
  /** Resolves when the last read has finished. */
  dispose(): Promise<void>;
};

export type RelayOptions = {
  /** Connections to the primary: a small pool of its own, so that reads never wait for commands. */
  db: Reader;
  bus: WakeBus;
  logger: Logger;
  /** The kinds of events that it reads. It skips all others. */
  kinds: readonly EventKind[];
  /** Milliseconds between reads without a wake: while the bus is up, and while it is down. */
  pollInterval?: number;
  pollIntervalWithoutBus?: number;
  /**
   * Milliseconds from one read to the next under full load, so that many commits cost one read. At a low event rate,
   * and after a commit of this gateway, the relay reads at once.
   */
  longestReadGap?: number;
  /** Milliseconds in which it is verified once, if it reads at all, that the database still has the events read before. */
  verifyInterval?: number;
  /** Events read by one statement, and passed on together. */
  pageSize?: number;
  /**
   * How many events are kept in memory for subscribers that have just missed them. Objects that survive a garbage
   * collection cost time: docs/decisions/0014.
   */
  recentEvents?: number;
};

export function createRelay(options: RelayOptions): Relay {
  const { db, bus, logger, kinds, pageSize = 100 } = options;
  const { pollInterval = 1000, pollIntervalWithoutBus = 250 } = options;
  const throttle = createAdaptiveThrottle({ longest: options.longestReadGap ?? 33 });
  const listeners = new Set<RelayListener>();
  const recent = createRecentEvents(options.recentEvents ?? 1000);
  const tail = createTail({ db, pageSize, verifyInterval: options.verifyInterval ?? 1000 });
  let ready = pendingPosition();
  const stats: Omit<RelayStats, 'listeners'> = {
    reads: 0,
    events: 0,
    unreadable: 0,
    failures: 0,
    readAt: null,
  };
  /** Whose commits have been signalled since the last read began: of other gateways only, or of this one too. */
  let signal: 'NONE' | 'REMOTE' | 'LOCAL' = 'NONE';
  let onSignal: (() => void) | undefined;
  /** Whether the relay waits for a reason to read. */
  let isWaiting = false;
  /** Settles when the listeners have received events that were passed on without a read. */
  let passing: Promise<void> | undefined;
  const disposal = new AbortController();

  function readSoon(): void {
    if (signal === 'NONE') signal = 'REMOTE';
    onSignal?.();
  }

  function readAtOnce(): void {
    signal = 'LOCAL';
    onSignal?.();
  }

  async function follow(): Promise<void> {
    while (!disposal.signal.aborted) {
      signal = 'NONE';
      let gap = 0;
      const startedAt = performance.now();
      try {
        const { events, hasMore } = await readNext();
        gap = throttle.delayAfter(events);
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
      isWaiting = true;
      const interval = bus.health().state === 'UP' ? pollInterval : pollIntervalWithoutBus;
      await waitUntil(() => signal !== 'NONE', startedAt + interval);
      await waitUntil(() => signal === 'LOCAL', startedAt + gap);
      isWaiting = false;
      await passing;
    }
  }

  /**
   * Passes on events that this gateway has committed. Returns false if the table has to be read instead: the relay is
   * busy, or there may be other events to pass on before these.
   */
  function passOnAppended(appended: AppendedEvents): boolean {
    if (!isWaiting || passing !== undefined) return false;
    const batch = tail.add(appended);
    const position = tail.position();
    if (batch === undefined || position === undefined) return false;
    recent.add(batch, position);
    passing = passOn(batch).then(() => {
      passing = undefined;
    });
    return true;
  }

  async function readNext(): Promise<{ events: number; hasMore: boolean }> {
    if (tail.position() === undefined) {
      const foreign = await deleteForeignEvents(db);
      if (foreign > 0) logger.warn({ foreign }, 'deleted events that came from another database');
      const start = await currentPosition(db);
      tail.startAt(start);
      recent.startAt(start);
      ready.resolve(start);
      return { events: 0, hasMore: false };
    }
    const page = await tail.read();
    if (disposal.signal.aborted) return { events: 0, hasMore: false };
    stats.reads += 1;
    stats.readAt = new Date();
    const batch = parsePage(page);
    recent.add(batch, page.position);
    await passOn(batch);
    return { events: batch.length, hasMore: page.hasMore };
  }

  async function recoverFrom(error: unknown): Promise<void> {
    if (error instanceof HistoryReplacedError || error instanceof CursorExpiredError) {
      logger.error(
        { err: error },
        'the events after the last one read are gone: every subscription ends and must start again',
      );
      tail.clear();
      ready = pendingPosition();
      recent.clear();
      for (const listener of listeners) listener.onHistoryReplaced();
      await pause(backoffDelay(1));
      return;
    }
    if (stats.failures === 0)
      logger.warn({ err: error }, 'events cannot be read: trying again until they can');
    stats.failures += 1;
    await pause(backoffDelay(stats.failures));
  }

  /** Waits so many milliseconds, or until the relay is disposed. */
  async function pause(milliseconds: number): Promise<void> {
    await wait(milliseconds, undefined, { signal: disposal.signal }).catch(() => undefined);
  }

  /** Waits for such a signal, until the moment at the latest, or until the relay is disposed. */
  async function waitUntil(isSignalled: () => boolean, moment: number): Promise<void> {
    const milliseconds = moment - performance.now();
    if (milliseconds <= 0 || isSignalled() || disposal.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      onSignal = () => {
        if (!isSignalled() && !disposal.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    onSignal = undefined;
  }

  async function passOn(batch: readonly PositionedEvent[]): Promise<void> {
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

  function parsePage({ rows }: EventPage): PositionedEvent[] {
    return rows.flatMap(({ row, position: afterRow }) => {
      const event = parse(row);
      return event === undefined ? [] : [{ event, offset: row.offset, position: afterRow }];
    });
  }

  function parse(row: StoredEvent): EventEnvelope | undefined {
    const parsing = parseEvent(row, kinds);
    if (parsing.outcome === 'EVENT') return parsing.event;
    stats.unreadable += 1;
    logger.error({ eventId: row.id, type: row.type, ...parsing }, 'skipped an event that cannot be read');
    return undefined;
  }

  const unsubscribe = bus.subscribe(readSoon);
  const following = follow();

  return {
    announce(appended) {
      if (appended === null) return;
      if (!passOnAppended(appended)) readAtOnce();
      bus.publish();
    },
    wake() {
      readAtOnce();
      bus.publish();
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    position: tail.position,
    ready: () => ready.promise,
    async now() {
      // After a restore, the table may have events that the relay has yet to delete.
      await ready.promise;
      return await currentPosition(db);
    },
    recent,
    async read(after) {
      const page = await readEvents(db, after, pageSize);
      return { events: parsePage(page), position: page.position, hasMore: page.hasMore };
    },
    stats: () => ({ ...stats, listeners: listeners.size }),
    async dispose() {
      disposal.abort();
      unsubscribe();
      onSignal?.();
      listeners.clear();
      recent.clear();
      ready.reject(new Error('The relay was disposed before it could read the database'));
      await following;
    },
  };
}

/** A position that is not yet known. Its rejection may remain unhandled: nobody has to wait for it. */
function pendingPosition(): PromiseWithResolvers<Position> {
  const pending = Promise.withResolvers<Position>();
  pending.promise.catch(() => undefined);
  return pending;
}
