/** Change requests in the database: the reads that commands need, and the writes, which check versions. */
import type { Transaction } from '../platform/database.ts';
import { snakeCase } from '../platform/snake-case.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import type { DecidedChange } from './audit-entry.ts';
import {
  type ChangeRequest,
  isOpen,
  type OpenChangeRequest,
  openChangeStates,
  waitingChangeStates,
} from './change-request.ts';
import type { TicketOfChange } from './event.ts';
import { toChangeRequest, toRow } from './row.ts';

const isOpenInDatabase = { state: { in: [...openChangeStates] } };

/** The open change requests of these tickets. One statement; the caller holds the tickets' locks. */
export async function listOpenChangeRequests(
  tx: Transaction,
  ticketIds: readonly string[],
): Promise<OpenChangeRequest[]> {
  const rows = await tx.changeRequest.findMany({
    where: { ticketId: { in: [...ticketIds] }, ...isOpenInDatabase },
    orderBy: { id: 'asc' },
  });
  return rows.map(toChangeRequest).filter(isOpen);
}

/** Change requests that wait, and by id the ticket of each with its product. */
export type WaitingChangeRequests = {
  requests: OpenChangeRequest[];
  tickets: ReadonlyMap<string, Omit<TicketOfChange, 'site'>>;
};

/**
 * Every change request on a site, or on one product of it, that waits; of more than `limit`, so many. One statement; the
 * caller holds the site's lock.
 */
export async function listWaitingChangeRequestsOfSite(
  tx: Transaction,
  siteId: string,
  productId: string | null,
  limit: number,
): Promise<WaitingChangeRequests> {
  const found = await tx.changeRequest.findMany({
    where: {
      siteId,
      state: { in: [...waitingChangeStates] },
      ...(productId === null ? {} : { ticket: { productId } }),
    },
    include: { ticket: { include: { product: true } } },
    relationLoadStrategy: 'join',
    orderBy: { id: 'asc' },
    take: limit,
  });
  return {
    requests: found.map(({ ticket: _, ...row }) => toChangeRequest(row)).filter(isOpen),
    tickets: new Map(found.map(({ ticket }) => [ticket.id, ticket])),
  };
}

/**
 * Writes new change requests, and changed ones over the versions that they were decided on. One statement for all that
 * were changed, and one for each new one.
 *
 * @throws WriteConflictError when one of them has changed since.
 */
export async function saveChanges(
  tx: Transaction,
  changes: readonly Pick<DecidedChange, 'before' | 'request'>[],
): Promise<void> {
  const isNew = ({ before }: Pick<DecidedChange, 'before'>) => before === null;
  for (const { request } of changes.filter(isNew)) await tx.changeRequest.create({ data: toRow(request) });
  await update(
    tx,
    changes.filter((change) => !isNew(change)).map(({ request }) => request),
  );
}

async function update(tx: Transaction, requests: readonly ChangeRequest[]): Promise<void> {
  if (requests.length === 0) return;
  const written = await tx.$executeRawUnsafe(
    `UPDATE change_requests AS known
        SET state = changed.state, decided_by_id = changed.decided_by_id, decided_at = changed.decided_at,
            decision_reason = changed.decision_reason, result = changed.result, result_note = changed.result_note,
            ended_at = changed.ended_at, ended_by_id = changed.ended_by_id, end_reason = changed.end_reason,
            version = changed.version
       FROM jsonb_populate_recordset(NULL::change_requests, $1::jsonb) AS changed
      WHERE known.id = changed.id AND known.version = changed.version - 1`,
    JSON.stringify(requests.map((request) => snakeCase(toRow(request)))),
  );
  if (written !== requests.length) throw new WriteConflictError();
}
