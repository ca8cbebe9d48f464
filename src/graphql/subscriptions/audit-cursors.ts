/** The cursors of a subscription to the audit log: the entry after which it goes on, by its place in the order of all logs. */
import type pg from 'pg';
import { findEntryAt } from '../../audit/follow.ts';
import type { EntryPlace, Place } from '../../audit/positions.ts';
import { isRemovedAt } from '../../audit/removals.ts';
import { HistoryReplacedError, MalformedCursorError } from '../../events/errors.ts';
import type { Cursors } from '../../events/event-cursor.ts';
import { origin, type Position, tagOf } from '../../events/position.ts';
import { type Context, viewerOf } from '../context.ts';
import type { AskedOfLog } from '../lists/audit-filter.ts';

type ReadCursor = {
  readonly text: string;
  /**
   * The entry after which it leads on; null: before all entries.
   * @throws HistoryReplacedError if the log does not have it
   */
  verified(pool: pg.Pool): Promise<EntryPlace | null>;
};

export class AuditCursors {
  readonly #cursors: Cursors;

  constructor(context: Context, filter: AskedOfLog) {
    const { services } = context;
    this.#cursors = services.cursors({ viewerId: viewerOf(context).id, stream: 'auditEvents', filter });
  }

  /** @param entry null: before all entries */
  after(entry: EntryPlace | null): string {
    if (entry === null) return this.#cursors.encode(origin);
    return this.#cursors.encode(positionOf(entry, entry.id === null ? 0n : tagOf(entry.id)));
  }

  /** @throws MalformedCursorError, ForeignCursorError, OtherFilterCursorError */
  read(text: string): ReadCursor {
    const { next: txid, open } = this.#cursors.decode(text);
    const [entry, named] = open;
    if (entry === undefined && txid === 0n) return { text, verified: async () => null };
    if (entry === undefined || named === undefined) throw new MalformedCursorError();
    const place = { txid, seq: entry.through };
    return {
      text,
      verified: async (pool) => {
        const id = await findEntryAt(pool, place);
        // It goes on with the first entry that is kept.
        if (id === null && (await isRemovedAt(pool, place))) return { ...place, id };
        if (id === null || tagOf(id) !== named.through) throw new HistoryReplacedError();
        return { ...place, id };
      },
    };
  }
}

/** Cursors have the form of those of events: the transaction, the entry's number in it, and a part of its id. */
function positionOf({ txid, seq }: Place, tag: bigint): Position {
  return {
    next: txid,
    open: [
      { txid, through: seq },
      { txid, through: tag },
    ],
  };
}
