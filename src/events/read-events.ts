/** Reads the table of events in an order in which no late commit is missed, and verifies which history it has. */
import type { EventRow } from './envelope.ts';
import { CursorExpiredError, HistoryReplacedError } from './errors.ts';
import { keptFromId, type Reader } from './outbox.ts';
import {
  covers,
  type EventOffset,
  exceptionsOf,
  firstCovered,
  origin,
  type Position,
  positionAfterEvent,
  positionAfterTransaction,
  positionOfSnapshot,
  tagOf,
  union,
  withChecksumComplete,
  withEventRead,
  withOpen,
  withoutFinished,
} from './position.ts';

/**
 * PostgreSQL settings for connections that read events. Planning costs as much as the read itself, so each
 * connection plans once. It may do so while the table is almost empty: without sequential scans, the plan uses the
 * index and stays good when the table has grown.
 */
export const readerSettings = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off' };

/** A row of the table with its offset. */
export type StoredEvent = EventRow & { offset: EventOffset };

/** Events after a position, up to a limit. */
export type EventPage = {
  rows: { row: StoredEvent /** Includes this row. */; position: Position }[];
  /** Includes every row of the page. */
  position: Position;
  /** Whether there may be more events to read right now. */
  hasMore: boolean;
};

/**
 * The position that includes every event visible now. In a REPEATABLE READ transaction it includes exactly the
 * events whose effects the transaction sees, so that a stream from it continues a state read there without a gap.
 */
export async function currentPosition(db: Reader): Promise<Position> {
  const { rows } = await db.query<{
    snapshot: string;
    last: string | null;
    edge: string | null;
    value: string | null;
  }>({
    text: `
      SELECT pg_current_snapshot()::text AS snapshot, (SELECT max(txid) FROM events) AS last, edge,
             (SELECT bit_xor(${tag('events')}) FROM events WHERE txid >= edge AND id <> $1::uuid) AS value
        FROM (SELECT min(txid) AS edge
                FROM (SELECT txid FROM events WHERE id <> $1::uuid
                       ORDER BY txid DESC, seq DESC LIMIT ${longChecksum}) AS newest) AS newest`,
    values: [keptFromId],
  });
  const [row] = rows;
  if (row === undefined) throw new TypeError('The database gave no snapshot');
  if (row.last === null) return origin;
  const { next, open } = positionAfterTransaction(positionOfSnapshot(row.snapshot), BigInt(row.last));
  if (row.edge === null || row.value === null) return { next, open };
  const [from, value] = [BigInt(row.edge), BigInt(row.value)];
  return { next, open, checksum: { late: [], from, to: next, except: open, value } };
}

/** What every row of a page says about the table as a whole. */
type TableFacts = {
  snapshot: string;
  /** From which transaction on events are kept; followed by RENUMBERED if transactions were numbered anew there. */
  kept: string | null;
  /** The value of the checksum, empty if it covers no event, and how many events it covers. */
  checksum: string;
};

type PageRow = {
  id: string | null;
  txid: string;
  seq: string;
  type: string;
  occurred_at: Date;
  payload: unknown;
};

/**
 * Reads the next events after a position, oldest transaction first, at most `limit`, and verifies that the position
 * is of this database's history.
 *
 * All visible events can be read at once, however long another transaction stays open: the returned positions name
 * the open transactions, so that no event is missed or read twice.
 *
 * A position never goes beyond the last event read. After a crash PostgreSQL may reuse the numbers of transactions
 * that left no durable trace; a committed event is such a trace, so no lower number is reused.
 *
 * @param extended the same position with a checksum that the returned positions extend, if that is not the one to verify
 * @throws CursorExpiredError if events after the position may have been deleted
 * @throws HistoryReplacedError if the position is not of this database's history: it is ahead of the database, or
 *   an event that its checksum covers is missing
 */
export async function readEvents(
  db: Reader,
  after: Position,
  limit: number,
  extended?: Position,
): Promise<EventPage> {
  const { late, from, to } = after.checksum ?? nothingCovered;
  const except = after.checksum === undefined ? [] : exceptionsOf(after.checksum);
  const { rows } = await db.query<TableFacts & PageRow>({
    name: `events after a position, ${limit}, verified`,
    text: readAfter(limit, tableFacts),
    values: [
      ...pageValues(after),
      late.map(String),
      String(from),
      String(to),
      except.map(({ txid }) => String(txid)),
      except.map(({ through }) => String(through)),
    ],
  });
  const [first] = rows;
  if (first === undefined) throw new TypeError('The database gave no snapshot');
  const snapshot = positionOfSnapshot(first.snapshot);
  verify(after, snapshot, first);
  const start = extended ?? (isExtended(after, first) ? after : withChecksumComplete(after));
  return pageOf(rows, snapshot, start, limit);
}

/**
 * As `readEvents`, and cheaper: it verifies only that the database is not behind the position. The returned positions
 * extend the position's checksum, so that a later `readEvents` verifies all of it. Until then the events may be of
 * another history.
 *
 * @throws HistoryReplacedError if the position is ahead of the database
 */
export async function readEventsUnverified(db: Reader, after: Position, limit: number): Promise<EventPage> {
  const { rows } = await db.query<Pick<TableFacts, 'snapshot'> & PageRow>({
    name: `events after a position, ${limit}`,
    text: readAfter(limit),
    values: pageValues(after),
  });
  const [first] = rows;
  if (first === undefined) throw new TypeError('The database gave no snapshot');
  const snapshot = positionOfSnapshot(first.snapshot);
  if (snapshot.next < after.next) throw new HistoryReplacedError();
  return pageOf(rows, snapshot, after, limit);
}

function pageValues(after: Position): unknown[] {
  return [
    String(after.next),
    after.open.map(({ txid }) => String(txid)),
    after.open.map(({ through }) => String(through)),
    keptFromId,
  ];
}

/** @param start the position that was read from, with the checksum that the page's positions extend */
function pageOf(rows: readonly PageRow[], snapshot: Position, start: Position, limit: number): EventPage {
  const read = rows.flatMap((row) => (row.id === null ? [] : [storedEvent({ ...row, id: row.id })]));
  const hasMore = read.length === limit;
  let position = start;
  const positioned = read.map((row, index) => {
    const { txid } = row.offset;
    const following = read[index + 1];
    const wholeTransaction = following === undefined ? !hasMore : following.offset.txid !== txid;
    const reached = union(
      position,
      wholeTransaction ? positionAfterTransaction(snapshot, txid) : positionAfterEvent(snapshot, row.offset),
    );
    position = withEventRead(reached, position, row.offset, tagOf(row.id));
    return { row, position };
  });
  return {
    rows: positioned,
    position: hasMore ? position : withoutFinished(position, snapshot),
    hasMore,
  };
}

/**
 * The position at the end of a page for a reader that came to it from `from`: it includes the same events as the page's
 * own, and its checksum extends that of `from`.
 */
export function positionAfterPage(from: Position, { rows, position: end }: EventPage): Position {
  let position = from;
  for (const { row, position: reached } of rows)
    position = withEventRead(reached, position, row.offset, tagOf(row.id));
  return withOpen(position, end.open);
}

/**
 * Whether the checksum of the next page also covers what that of the position covers.
 *
 * One that covers only the last page is enough as a rule: after a restore, every commit after the first lost one is
 * missing, and of the events that a position includes, the one committed last is in the page read last. Not so if pages
 * follow each other at once, since they are in the order of transactions, not of commits.
 */
function isExtended(position: Position, { checksum }: TableFacts): boolean {
  const covered = Number(checksum.split(' ')[1]);
  return covered < shortChecksum || (covered < longChecksum && isInBacklog(position));
}

/** Events. */
const shortChecksum = 10;
const longChecksum = 200;

/** Whether it ends a full page: it does not say that the page's last transaction had no further events. */
function isInBacklog({ next, open }: Position): boolean {
  const last = open.at(-1);
  return last !== undefined && last.txid === next - 1n && last.through > 0n;
}

const nothingCovered = { late: [], from: 0n, to: 0n };

function verify(after: Position, snapshot: Position, { kept, checksum }: TableFacts): void {
  if (snapshot.next < after.next) throw new HistoryReplacedError();
  const [keptText, mark] = kept?.split(' ') ?? [];
  const keptFrom = keptText === undefined ? 0n : BigInt(keptText);
  const [value] = checksum.split(' ');
  if (after.checksum !== undefined && after.checksum.value !== BigInt(value ?? 0)) {
    // After 30 days the covered events are deleted, and nothing can be said about them.
    const mayBeDeleted = mark === undefined && firstCovered(after.checksum) < keptFrom;
    if (!mayBeDeleted) throw new HistoryReplacedError();
  }
  if (covers(after, { next: keptFrom, open: [] })) return;
  throw mark === undefined ? new CursorExpiredError() : new HistoryReplacedError();
}

/** SQL for `tagOf` the events of a table or alias. */
function tag(table: string): string {
  return `('x' || right(${table}.id::text, 12))::bit(48)::bigint`;
}

function storedEvent(row: {
  id: string;
  txid: string;
  seq: string;
  type: string;
  occurred_at: Date;
  payload: unknown;
}): StoredEvent {
  const offset = { txid: BigInt(row.txid), seq: BigInt(row.seq) };
  return { id: row.id, type: row.type, occurredAt: row.occurred_at, payload: row.payload, offset };
}

/**
 * Both halves use the index on (txid, seq): one look-up for each of the few open transactions, and one range scan
 * from `next` on. The snapshot is taken in the same statement, so it sees exactly what the statement sees.
 * @param facts further columns, the same in each row
 */
function readAfter(limit: number, facts = ''): string {
  const columns = 'e.id, e.txid, e.seq, e.type, e.occurred_at, e.payload';
  return `
    SELECT pg_current_snapshot()::text AS snapshot, ${facts}
           page.*
      FROM (VALUES (1)) AS always
      LEFT JOIN LATERAL (
        SELECT * FROM (
          (SELECT later.* FROM unnest($2::bigint[], $3::bigint[]) AS was_open(txid, through)
            CROSS JOIN LATERAL (
              SELECT ${columns} FROM events e
               WHERE e.txid = was_open.txid AND e.seq > was_open.through AND e.id <> $4::uuid
               ORDER BY e.txid, e.seq LIMIT ${limit}
            ) AS later
            ORDER BY later.txid, later.seq LIMIT ${limit})
          UNION ALL
          (SELECT ${columns} FROM events e WHERE e.txid >= $1::bigint AND e.id <> $4::uuid
            ORDER BY e.txid, e.seq LIMIT ${limit})
        ) AS unread ORDER BY txid, seq LIMIT ${limit}
      ) AS page ON true
     ORDER BY page.txid, page.seq`;
}

/** Limits the cost of a checksum from another history: where it was computed, it covered fewer events. */
const maxCovered = 20_000;

/** SQL for the facts by which a position is verified. It uses the index on (txid, seq), too. */
const tableFacts = `
           (SELECT concat_ws(' ', payload->>'keptFrom', payload->>'mark') FROM events WHERE id = $4::uuid) AS kept,
           (SELECT concat(bit_xor(${tag('covered')}), ' ', count(*))
              FROM (
                (SELECT id, txid, seq FROM events WHERE txid >= $6::bigint AND txid < $7::bigint
                  ORDER BY txid, seq LIMIT ${maxCovered})
                UNION ALL
                (SELECT id, txid, seq FROM events WHERE txid = ANY($5::bigint[])
                  ORDER BY txid, seq LIMIT ${maxCovered})
              ) AS covered
             WHERE id <> $4::uuid AND (txid <> ALL($8::bigint[]) OR seq <= (
               SELECT through FROM unnest($8::bigint[], $9::bigint[]) AS part(txid, through)
                WHERE part.txid = covered.txid))
           ) AS checksum,`;
