/** Follows the end of the table of events: by reading it, and by the events that this gateway has appended itself. */
import type { AppendedEvents, Reader } from './outbox.ts';
import { includes, type Position, positionAfterAppended, tagOf, withEventRead } from './position.ts';
import { type EventPage, positionAfterPage, readEvents, readEventsUnverified } from './read-events.ts';
import type { PositionedEvent } from './recent-events.ts';

export type Tail = {
  /** Includes every event that was read or added. Undefined before the start. */
  position(): Position | undefined;
  startAt(position: Position): void;
  /** There is no position until it starts again. */
  clear(): void;
  /**
   * Adds events that this gateway has committed, not while a read runs. Undefined if they cannot be added without a
   * read: there may be other events before them.
   */
  add(appended: AppendedEvents): PositionedEvent[] | undefined;
  /**
   * Reads the next events. Verifies only now and then that the database still has those before: that takes longer than
   * the read itself.
   *
   * @throws HistoryReplacedError, CursorExpiredError as `readEvents`
   */
  read(): Promise<EventPage>;
};

/** Events read or added after the last verified read: with more, the next read is verified. */
const maxUnverified = 500;

export type TailOptions = {
  db: Reader;
  /** Events read at once, at most. */
  pageSize: number;
  /** Milliseconds after a verified read in which reads need not be verified, unless one has failed. */
  verifyInterval: number;
  /** Milliseconds, monotonic. */
  now?: () => number;
};

export function createTail({
  db,
  pageSize,
  verifyInterval,
  now = () => performance.now(),
}: TailOptions): Tail {
  let position: Position | undefined;
  /**
   * The same position, with a checksum of only the events since the last verified read. The checksum of `position` also
   * covers what was read then: until the next such read nobody knows whether both are of one history.
   */
  let unverified: Position | undefined;
  let unverifiedEvents = 0;
  /** When the last verified read began. Undefined: the next read has to be one. */
  let verifiedAt: number | undefined;

  function moveTo(reached: Position, unverifiedSince?: Position, events = 0): void {
    position = reached;
    unverified = unverifiedSince;
    unverifiedEvents = events;
  }

  function mayReadUnverified(): boolean {
    return (
      verifiedAt !== undefined && now() - verifiedAt < verifyInterval && unverifiedEvents < maxUnverified
    );
  }

  async function readUnverified(after: Position): Promise<EventPage> {
    const page = await readEventsUnverified(db, after, pageSize);
    const since = positionAfterPage(unverified ?? withoutChecksum(after), page);
    moveTo(page.position, since, unverifiedEvents + page.rows.length);
    return page;
  }

  async function readVerified(after: Position): Promise<EventPage> {
    const startedAt = now();
    const page = await readEvents(db, after, pageSize, unverified);
    moveTo(page.position);
    verifiedAt = startedAt;
    return page;
  }

  return {
    position: () => position,
    startAt: (start) => moveTo(start),
    clear() {
      position = undefined;
      unverified = undefined;
    },
    add({ events, snapshot }) {
      if (position === undefined) return undefined;
      const added: PositionedEvent[] = [];
      let after = position;
      let since = unverified ?? withoutChecksum(position);
      for (const [index, { event, offset }] of events.entries()) {
        if (includes(after, offset)) return undefined;
        const next = positionAfterAppended(after, snapshot, offset, index === events.length - 1);
        if (next === undefined) return undefined;
        after = withEventRead(next, after, offset, tagOf(event.id));
        since = withEventRead(next, since, offset, tagOf(event.id));
        added.push({ event, offset, position: after });
      }
      moveTo(after, since, unverifiedEvents + added.length);
      return added;
    },
    async read() {
      if (position === undefined) throw new Error('The tail has no start position yet');
      const isUnverified = mayReadUnverified();
      try {
        return await (isUnverified ? readUnverified(position) : readVerified(position));
      } catch (error) {
        verifiedAt = undefined;
        throw error;
      }
    },
  };
}

function withoutChecksum({ next, open }: Position): Position {
  return { next, open };
}
