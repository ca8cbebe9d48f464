/**
 * The table of events: written in the transaction that makes what they tell of, read in an order that no
 * late commit can slip past.
 */
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { type EventEnvelope, type EventRow, payloadOf } from './envelope.ts';
import { CursorExpiredError, HistoryReplacedError } from './errors.ts';
import {
  covers,
  origin,
  type Place,
  type Position,
  positionAfter,
  positionAt,
  positionOfSnapshot,
  settled,
  union,
} from './position.ts';

/** Whatever runs SQL in the writing transaction. */
type Writer = { $executeRawUnsafe(sql: string, ...values: unknown[]): Promise<number> };

/**
 * Settings for connections that read events. A plan is made once for a connection: making it costs as much as
 * the read itself. That may be while the table is all but empty, and the plan must not scan it from end to end
 * when it has grown: what is read is found by its index.
 */
export const readerSettings = { plan_cache_mode: 'force_generic_plan', enable_seqscan: 'off' };

/**
 * Whatever runs SQL on a connection to the primary, a pool or a client, and gives up by itself what is not
 * answered in time: `openDatabase` does.
 */
export type Reader = { query<Row extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<Row>> };

/** A row of the table with its place. */
export type PlacedRow = EventRow & { place: Place };

/** Some of what lies after a position. */
export type EventPage = {
  rows: { row: PlacedRow /** Behind this row. */; position: Position }[];
  /** Behind the last row; the position asked from, when there was none. */
  position: Position;
  /** Whether more lay ahead at the moment of reading. */
  hasMore: boolean;
};

/**
 * Appends events, in order, to the running transaction. One statement however many.
 *
 * Of any two transactions that tell of the same grant, the second must begin to write after the first has
 * committed (commands hold the locks of locks.ts before their first write): the order of the stream, by
 * transaction and number, is then the order in which things happened to the grant.
 */
export async function appendEvents(tx: Writer, events: readonly EventEnvelope[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({
    id: event.id,
    type: event.type,
    occurred_at: event.occurredAt,
    payload: payloadOf(event),
  }));
  await tx.$executeRawUnsafe(
    `INSERT INTO events (id, type, occurred_at, payload)
     SELECT id, type, occurred_at, payload FROM jsonb_populate_recordset(NULL::events, $1::jsonb)`,
    JSON.stringify(rows),
  );
}

/**
 * The position behind every event that is visible now. Inside a REPEATABLE READ transaction: behind every
 * event whose effect that transaction sees, so that a state read in it continues as a stream without a gap.
 */
export async function currentPosition(db: Reader): Promise<Position> {
  const { rows } = await db.query<{ snapshot: string; last: string | null }>({
    text: 'SELECT pg_current_snapshot()::text AS snapshot, (SELECT max(txid) FROM events) AS last',
  });
  const [row] = rows;
  if (row === undefined) throw new TypeError('The database gave no snapshot');
  return row.last === null ? origin : positionAfter(positionOfSnapshot(row.snapshot), BigInt(row.last));
}

/**
 * Deletes events of another history; tells how many there were. A database restored from a dump counts its
 * transactions anew: events that came with the dump would lie ahead of all that happens from now on.
 */
export async function deleteForeignEvents(db: Reader): Promise<number> {
  const { rowCount } = await db.query({
    text: 'DELETE FROM events WHERE txid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint',
  });
  return rowCount ?? 0;
}

/**
 * The next events after a position, oldest transaction first, at most `limit`.
 *
 * Everything visible is read at once, however long some other transaction stays open; the positions given
 * back remember which transactions were open, so that nothing is missed and nothing comes twice.
 *
 * Positions never go beyond the last event read. After a crash PostgreSQL may give out again the numbers of
 * transactions that left no durable trace, and a committed event is the trace that rules this out below it.
 *
 * Throws a CursorExpiredError where events after the position may have been deleted, and a
 * HistoryReplacedError where the position is ahead of the database.
 */
export async function readEvents(db: Reader, after: Position, limit: number): Promise<EventPage> {
  const { rows } = await db.query<{
    snapshot: string;
    kept: string | null;
    id: string | null;
    txid: string;
    seq: string;
    type: string;
    occurred_at: Date;
    payload: unknown;
  }>({
    name: `events after a position, ${limit}`,
    text: readAfter(limit),
    values: [
      String(after.next),
      after.open.map(({ txid }) => String(txid)),
      after.open.map(({ through }) => String(through)),
      keptFromId,
    ],
  });
  const [first] = rows;
  if (first === undefined) throw new TypeError('The database gave no snapshot');
  const snapshot = positionOfSnapshot(first.snapshot);
  if (snapshot.next < after.next) throw new HistoryReplacedError();
  if (first.kept !== null && !covers(after, { next: BigInt(first.kept), open: [] })) {
    throw new CursorExpiredError();
  }
  const read = rows.flatMap((row) => (row.id === null ? [] : [toPlacedRow({ ...row, id: row.id })]));
  const hasMore = read.length === limit;
  let position = after;
  const placed = read.map((row, index) => {
    const { txid } = row.place;
    const following = read[index + 1];
    const wholeTransaction = following === undefined ? !hasMore : following.place.txid !== txid;
    position = union(
      position,
      wholeTransaction ? positionAfter(snapshot, txid) : positionAt(snapshot, row.place),
    );
    return { row, position };
  });
  return { rows: placed, position: hasMore ? position : settled(position, snapshot), hasMore };
}

function toPlacedRow(row: {
  id: string;
  txid: string;
  seq: string;
  type: string;
  occurred_at: Date;
  payload: unknown;
}): PlacedRow {
  const place = { txid: BigInt(row.txid), seq: BigInt(row.seq) };
  return { id: row.id, type: row.type, occurredAt: row.occurred_at, payload: row.payload, place };
}

/**
 * Both halves are walks along the index on (txid, seq): a look-up for each of the few transactions that were
 * open, and the tail.
 * The snapshot comes from the same statement, hence sees exactly what the statement sees.
 */
function readAfter(limit: number): string {
  const columns = 'e.id, e.txid, e.seq, e.type, e.occurred_at, e.payload';
  return `
    SELECT pg_current_snapshot()::text AS snapshot,
           (SELECT payload->>'keptFrom' FROM events WHERE id = $4::uuid) AS kept,
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
        ) AS ahead ORDER BY txid, seq LIMIT ${limit}
      ) AS page ON true
     ORDER BY page.txid, page.seq`;
}

/**
 * The row that says from which transaction on events are kept, in the table itself so that it is read in
 * the same snapshot as the events. Its id is its own; no event has it.
 */
const keptFromId = '00000000-0000-7000-8000-000000000000';

/**
 * Deletes events that occurred before the moment, oldest first, at most `limit`; tells how many went.
 * Positions from which one of them could have been missed are refused from then on.
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
