/** The events that ticketing systems have sent, in the database: each once, with what came of it. */
import type { InboundTicketEvent } from '../../prisma/generated/client/client.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { momentOfEvent } from '../tickets/moment.ts';
import type { Content, TicketEvent } from './ticket-event.ts';

export type { InboundTicketEvent };

/** What came of an event. Waiting: it is applied by itself when its ticket is filed, or reopened. Kept: a person decides. */
export type Settlement = Pick<InboundTicketEvent, 'reason' | 'refusalCode' | 'ticketId'> & {
  state: 'APPLIED' | 'WAITING' | 'KEPT';
};

/** How long an event is kept at most, whatever came of it, in milliseconds: 30 days. */
export const eventsKeptFor = 30 * 24 * 60 * 60 * 1000;

/** At most about so many events of one integration wait or are kept. */
export const maxNotApplied = 1_000;

/**
 * Adds the event, or finds the one with the same webhook id, which the integration has sent before.
 *
 * @throws WriteConflictError if that one was dropped meanwhile
 */
export async function addEvent(
  db: Transaction,
  integrationId: string,
  webhookId: string,
  { type, externalId, occurredAt, sequence, content }: TicketEvent,
  now: Date,
): Promise<InboundTicketEvent> {
  await db.inboundTicketEvent.createMany({
    data: {
      ...{ id: newId(now), integrationId, webhookId, type, externalId, occurredAt, content },
      ...{ moment: momentOfEvent(occurredAt, sequence, webhookId), state: 'RECEIVED', receivedAt: now },
      attempt: 1,
    },
    skipDuplicates: true,
  });
  const row = await db.inboundTicketEvent.findUnique({
    where: { integrationId_webhookId: { integrationId, webhookId } },
  });
  if (row === null) throw new WriteConflictError();
  return row;
}

export async function findEvent(db: Transaction, id: string): Promise<InboundTicketEvent | null> {
  return await db.inboundTicketEvent.findUnique({ where: { id } });
}

export function contentOf({ content }: InboundTicketEvent): Content {
  return content as Content;
}

/** Writes what came of this attempt, unless there has been another one since. One statement. */
export async function saveSettlement(
  db: Transaction,
  { id, attempt }: InboundTicketEvent,
  { state, reason, refusalCode, ticketId }: Settlement,
  now: Date,
): Promise<void> {
  await db.$executeRawUnsafe(
    `UPDATE inbound_ticket_events
        SET state = $3::inbound_ticket_event_state, reason = $4::inbound_ticket_event_reason, refusal_code = $5,
            ticket_id = $6::uuid, organization_id = (SELECT organization_id FROM tickets WHERE id = $6::uuid),
            kept_at = CASE WHEN $3 = 'APPLIED' THEN kept_at ELSE coalesce(kept_at, $7::timestamptz) END
      WHERE id = $1::uuid AND attempt = $2::int AND state <> 'APPLIED'`,
    ...[id, attempt, state, reason, refusalCode, ticketId, now],
  );
}

/** Begins another attempt: its commands get idempotency keys of their own. Null: somebody else has begun it. */
export async function beginAttempt(
  db: Transaction,
  row: InboundTicketEvent,
): Promise<InboundTicketEvent | null> {
  const attempt = row.attempt + 1;
  const { count } = await db.inboundTicketEvent.updateMany({
    where: { id: row.id, attempt: row.attempt, state: { not: 'APPLIED' } },
    data: { attempt },
  });
  return count === 0 ? null : { ...row, attempt };
}

/** At most so many events of one ticket are taken up again at once. */
const waitingAtOnce = 100;

/** The events of a ticket that wait for nothing any more, the oldest moment first. One statement. */
export async function listReady(
  db: Transaction,
  { integrationId, externalId }: Pick<InboundTicketEvent, 'integrationId' | 'externalId'>,
): Promise<InboundTicketEvent[]> {
  const rows = await db.$queryRawUnsafe<{ id: string }[]>(
    `SELECT e.id
       FROM inbound_ticket_events e
       JOIN tickets t ON t.integration_id = e.integration_id AND t.external_id = e.external_id
      WHERE e.state = 'WAITING' AND e.integration_id = $1::uuid AND e.external_id = $2
        AND (e.reason = 'NO_TICKET_YET' OR t.status <> 'CLOSED')
      ORDER BY e.moment COLLATE "C" LIMIT $3::int`,
    ...[integrationId, externalId, waitingAtOnce],
  );
  if (rows.length === 0) return [];
  const found = await db.inboundTicketEvent.findMany({ where: { id: { in: rows.map(({ id }) => id) } } });
  return found.toSorted((one, other) => (one.moment < other.moment ? -1 : 1));
}

/** Whether the integration has as many events as may wait or be kept. One statement. */
export async function hasTooManyNotApplied(db: Transaction, integrationId: string): Promise<boolean> {
  const rows = await db.$queryRawUnsafe<object[]>(
    `SELECT 1 FROM inbound_ticket_events WHERE integration_id = $1::uuid AND state IN ('WAITING', 'KEPT')
     OFFSET $2::int LIMIT 1`,
    ...[integrationId, maxNotApplied - 1],
  );
  return rows.length > 0;
}

/** Forgets an event as if it had not been received, so that it is applied when it is sent again. */
export async function dropEvent(db: Transaction, { id }: InboundTicketEvent): Promise<void> {
  await db.inboundTicketEvent.deleteMany({ where: { id, state: 'RECEIVED' } });
}

/** Deletes at most `limit` events that are old enough, whatever came of them. Returns how many. */
export async function deleteOldEvents({ prisma }: Database, now: Date, limit: number): Promise<number> {
  return await prisma.$executeRawUnsafe(
    `DELETE FROM inbound_ticket_events WHERE id IN (
       SELECT id FROM inbound_ticket_events WHERE received_at < $1::timestamptz LIMIT $2::int)`,
    new Date(now.getTime() - eventsKeptFor),
    limit,
  );
}
