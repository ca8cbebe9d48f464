/**
 * The outbox: the table of events. An event is written in the transaction that makes the change it reports, and deleted
 * after its retention. Reading: read-events.ts.
 */
import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import { type EventEnvelope, payloadOf } from './envelope.ts';
import { type EventOffset, type Position, positionOfSnapshot } from './position.ts';

/** Runs SQL in the writing transaction. */
type Writer = { $queryRawUnsafe<Rows>(sql: string, ...values: unknown[]): PromiseLike<Rows> };

/** The events that a transaction has appended, with their place in the stream. */
export type AppendedEvents = {
  events: readonly { event: EventEnvelope; offset: EventOffset }[];
  /** What was visible to the statement that appended them. */
  snapshot: Position;
};

/**
 * Runs SQL on a connection to the primary: a pool or a client. It must time out by itself, as the pools of
 * `openDatabase` do.
 */
export type Reader = { query<Row extends QueryResultRow>(statement: QueryConfig): Promise<QueryResult<Row>> };

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
    organization_id: event.kind.organizationOf(event),
    type: event.type,
    occurred_at: event.occurredAt,
    payload: payloadOf(event),
  }));
  const written = await tx.$queryRawUnsafe<{ id: string; txid: string; seq: string; snapshot: string }[]>(
    `WITH written AS (
       INSERT INTO events (id, organization_id, type, occurred_at, payload)
       SELECT id, organization_id, type, occurred_at, payload FROM jsonb_populate_recordset(NULL::events, $1::jsonb)
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
        INSERT INTO events (id, organization_id, type, occurred_at, payload)
        SELECT $1::uuid, $2::uuid, 'KEPT_FROM', now(),
               jsonb_build_object('kind', 'retention', 'keptFrom', next::text, 'mark', 'RENUMBERED')
          FROM present
         WHERE EXISTS (SELECT FROM gone)
            OR EXISTS (SELECT FROM events WHERE id = $1::uuid AND txid >= present.next)
        ON CONFLICT (id) DO UPDATE
           SET txid = excluded.txid, seq = excluded.seq, occurred_at = excluded.occurred_at, payload = excluded.payload
      )
      SELECT count(*) AS deleted FROM gone`,
    values: [keptFromId, vendorOrganizationId],
  });
  return Number(rows[0]?.deleted ?? 0);
}

/**
 * The id of the row that says from which transaction on events are kept. The row is in the table of events, so that
 * it is read in the same snapshot as the events. No event has this id.
 */
export const keptFromId = '00000000-0000-7000-8000-000000000000';

/**
 * Deletes events that occurred before the moment, oldest first, at most `limit`, and returns how many were deleted.
 * From then on `readEvents` (read-events.ts) rejects positions from which one of them could be missed.
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
        INSERT INTO events (id, organization_id, type, occurred_at, payload)
        SELECT $3::uuid, $4::uuid, 'KEPT_FROM', $1, jsonb_build_object('kind', 'retention', 'keptFrom', (max(txid) + 1)::text)
          FROM old HAVING count(*) > 0
        ON CONFLICT (id) DO UPDATE
           SET txid = excluded.txid, seq = excluded.seq, occurred_at = excluded.occurred_at, payload = excluded.payload
         WHERE (events.payload->>'keptFrom')::bigint < (excluded.payload->>'keptFrom')::bigint
      ), gone AS (
        DELETE FROM events USING old WHERE events.id = old.id RETURNING 1
      )
      SELECT count(*) AS deleted FROM gone`,
    values: [moment, limit, keptFromId, vendorOrganizationId],
  });
  return Number(rows[0]?.deleted ?? 0);
}
