/** Support sessions in the database. Those that end with the use of their grant: `saveGrantChanges` of grants/store.ts. */
import type { Transaction } from '../platform/database.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import type { Session, SessionChange } from './session.ts';

export async function findSession(tx: Transaction, id: string): Promise<Session | null> {
  return await tx.supportSession.findUnique({ where: { id } });
}

/** The open session of a grant, or the last one that ended; null: there has been none. One statement. */
export async function findLatestSession(tx: Transaction, grantId: string): Promise<Session | null> {
  return await tx.supportSession.findFirst({
    where: { grantId },
    orderBy: { endedAt: { sort: 'desc', nulls: 'first' } },
  });
}

/**
 * Writes sessions that have started or ended. At most two statements, however many.
 *
 * @throws WriteConflictError when one of them has ended since it was read.
 */
export async function saveSessionChanges(tx: Transaction, changes: readonly SessionChange[]): Promise<void> {
  const ended = changes.flatMap(({ event, session }) => (event === 'ENDED' ? [session] : []));
  if (ended.length > 0) await saveEnds(tx, ended);
  const started = changes.flatMap(({ event, session }) => (event === 'STARTED' ? [session] : []));
  if (started.length > 0) await tx.supportSession.createMany({ data: started });
}

async function saveEnds(tx: Transaction, sessions: readonly Session[]): Promise<void> {
  const rows = sessions.map(({ id, endedAt, endReason, endedById, version }) => ({
    ...{ id, version },
    ...{ ended_at: endedAt, end_reason: endReason, ended_by_id: endedById },
  }));
  const written = await tx.$executeRawUnsafe(
    `UPDATE support_sessions AS known
        SET ended_at = ended.ended_at, end_reason = ended.end_reason, ended_by_id = ended.ended_by_id, version = ended.version
       FROM jsonb_populate_recordset(NULL::support_sessions, $1::jsonb) AS ended
      WHERE known.id = ended.id AND known.ended_at IS NULL`,
    JSON.stringify(rows),
  );
  if (written !== rows.length) throw new WriteConflictError();
}

/**
 * The sessions of these tickets that are due by `now`, each with its grant and its ticket. The caller holds the tickets'
 * locks. One statement.
 */
export async function listDueSessions(tx: Transaction, ticketIds: readonly string[], now: Date) {
  return await tx.supportSession.findMany({
    where: { ticketId: { in: [...ticketIds] }, endedAt: null, dueAt: { lte: now } },
    include: { grant: true, ticket: { include: { site: true } } },
    relationLoadStrategy: 'join',
    orderBy: { id: 'asc' },
  });
}
