/**
 * The outbox: the table of events. An event is written in the transaction that makes the change it reports, and events
 * are read in an order in which no late commit is missed.
 */
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { type EventEnvelope, type EventRow, payloadOf } from './envelope.ts';
import { CursorExpiredError, HistoryReplacedError } from './errors.ts';
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
  withoutFinished,
} from './position.ts';

/** Runs SQL in the writing transaction. */
type Writer = { $queryRawUnsafe<Rows>(sql: string, ...values: unknown[]): PromiseLike<Rows> };

/** The events that a transaction has appended, with their place in the stream. */
export type AppendedEvents = {
  events: readonly { event: EventEnvelope; offset: EventOffset }[];
  /** What was visible to the statement that appended them. */
  snapshot: Position;
};

/**
 * PostgreSQL settings for connections that read events. Planning costs as much as the read itself, so each
 * connection plans once. It may do so while the table is almost empty: without sequential scans, the plan uses the
 * index and stays good when the table has grown.
 */
export const readerSettings = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off' };

/**
 * Runs SQL on a connection to the primary: a pool or a client. It must time out by itself, as the pools of
 * `openDatabase` do.
 */
export type Reader = { query<Row extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<Row>> };

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
 * Appends events, in order, to the running transaction, in one statement. Returns null if there are none. Called once
 * in a transaction: the relay takes what it returns for all events of the transaction.
 *
 * Of any two transactions that write events of the same grant, the second must begin to write after the first has
 * committed; commands ensure this by taking their locks before their first write. The order of the stream, by
 * transaction and sequence number, is then the order in which the grant changed.
 */
export async function appendEvents(
  tx: Writer,
  events: readonly EventEnvelope[],
): Promise<AppendedEvents | null> {
  if (events.length === 0) return null;
  const rows = events.map((event) => ({
    id: event.id,
    type: event.type,
    occurred_at: event.occurredAt,
    payload: payloadOf(event),
  }));
  const written = await tx.$queryRawUnsafe<{ id: string; txid: string; seq: string; snapshot: string }[]>(
    `WITH written AS (
       INSERT INTO events (id, type, occurred_at, payload)
       SELECT id, type, occurred_at, payload FROM jsonb_populate_recordset(NULL::events, $1::jsonb)
       RETURNING id, txid, seq
     )
     SELECT id, txid::text, seq::text, pg_current_snapshot()::text AS snapshot FROM written`,
    JSON.stringify(rows),
  );
  const offsets = new Map(written.map(({ id, txid, seq }) => [id, { txid: BigInt(txid), seq: BigInt(seq) }]));
  return {
    events: events.map((event) => ({ event, offset: offsets.get(event.id) ?? missing(event.id) })),
    snapshot: positionOfSnapshot(written[0]?.snapshot ?? missing('the snapshot')),
  };
}

function missing(what: string): never {
  throw new TypeError(`The database did not return ${what}`);
}

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

/**
 * Marks the beginning of another numbering of transactions, if the table has events with numbers that this database
 * has not reached, deletes these events, and returns how many there were. A database restored from a dump numbers its
 * transactions anew: such events would come after every event that is written from now on. Earlier positions become
 * invalid, since the deleted events come after them.
 */
export async function deleteForeignEvents(db: Reader): Promise<number> {
  const { rows } = await db.query<{ deleted: string }>({
    text: `
      WITH present AS (
        SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next
      ), gone AS (
        DELETE FROM events USING present WHERE txid >= present.next AND id <> $1::uuid RETURNING 1
      ), marked AS (
        INSERT INTO events (id, type, occurred_at, payload)
        SELECT $1::uuid, 'KEPT_FROM', now(),
               jsonb_build_object('kind', 'retention', 'keptFrom', next::text, 'mark', 'RENUMBERED')
          FROM present
         WHERE EXISTS (SELECT FROM gone)
            OR EXISTS (SELECT FROM events WHERE id = $1::uuid AND txid >= present.next)
        ON CONFLICT (id) DO UPDATE
           SET txid = excluded.txid, seq = excluded.seq, occurred_at = excluded.occurred_at, payload = excluded.payload
      )
      SELECT count(*) AS deleted FROM gone`,
    values: [keptFromId],
  });
  return Number(rows[0]?.deleted ?? 0);
}

/** What every row of a page says about the table as a whole. */
type TableFacts = {
  snapshot: string;
  /** From which transaction on events are kept; followed by RENUMBERED if transactions were numbered anew there. */
  kept: string | null;
  /** The value of the checksum, empty if it covers no event, and how many events it covers. */
  checksum: string;
};

/**
 * Reads the next events after a position, oldest transaction first, at most `limit`.
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
  const { rows } = await db.query<
    TableFacts & {
      id: string | null;
      txid: string;
      seq: string;
      type: string;
      occurred_at: Date;
      payload: unknown;
    }
  >({
    name: `events after a position, ${limit}`,
    text: readAfter(limit),
    values: [
      String(after.next),
      after.open.map(({ txid }) => String(txid)),
      after.open.map(({ through }) => String(through)),
      keptFromId,
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
  const read = rows.flatMap((row) => (row.id === null ? [] : [storedEvent({ ...row, id: row.id })]));
  const hasMore = read.length === limit;
  let position = extended ?? (isExtended(after, first) ? after : withChecksumComplete(after));
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
  const end = read.length === 0 ? (extended ?? after) : position;
  return { rows: positioned, position: hasMore ? end : withoutFinished(end, snapshot), hasMore };
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
 * from `next` on. So does the checksum. The snapshot is taken in the same statement, so it sees exactly what the
 * statement sees.
 */
function readAfter(limit: number): string {
  const columns = 'e.id, e.txid, e.seq, e.type, e.occurred_at, e.payload';
  return `
    SELECT pg_current_snapshot()::text AS snapshot,
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
           ) AS checksum,
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

/**
 * The id of the row that says from which transaction on events are kept. The row is in the table of events, so that
 * it is read in the same snapshot as the events. No event has this id.
 */
const keptFromId = '00000000-0000-7000-8000-000000000000';

/**
 * Deletes events that occurred before the moment, oldest first, at most `limit`, and returns how many were deleted.
 * From then on `readEvents` rejects positions from which one of them could be missed.
 */
export async function deleteEventsBefore(db: Reader, moment: Date, limit: number): Promise<number> {
  const { rows } = await db.query<{ deleted: string }>({
    text: `
      WITH old AS (
        SELECT id, txid FROM events
         WHERE occurred_at < $1 AND id <> $3::uuid
           AND txid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
         ORDER BY occurred_at LIMIT $2
      ), marked AS (
        INSERT INTO events (id, type, occurred_at, payload)
        SELECT $3::uuid, 'KEPT_FROM', $1, jsonb_build_object('kind', 'retention', 'keptFrom', (max(txid) + 1)::text)
          FROM old HAVING count(*) > 0
        ON CONFLICT (id) DO UPDATE
           SET txid = excluded.txid, seq = excluded.seq, occurred_at = excluded.occurred_at, payload = excluded.payload
         WHERE (events.payload->>'keptFrom')::bigint < (excluded.payload->>'keptFrom')::bigint
      ), gone AS (
        DELETE FROM events USING old WHERE events.id = old.id RETURNING 1
      )
      SELECT count(*) AS deleted FROM gone`,
    values: [moment, limit, keptFromId],
  });
  return Number(rows[0]?.deleted ?? 0);
}
