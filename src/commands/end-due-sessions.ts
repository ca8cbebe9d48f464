/** Writes down that support sessions whose time has run out are over, with their audit entries and events. */
import { appendAuditEntries } from '../audit/store.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import { toGrant } from '../grants/row.ts';
import type { Transaction } from '../platform/database.ts';
import { listDueSessions, lockTicketsWithDueSessions, saveSessionChanges } from '../sessions/store.ts';
import { endElapsedSession } from './change-session.ts';
import type { Dependencies } from './execute.ts';
import { sessionAuditEntry, sessionEvent } from './session-effects.ts';

/** At most so many tickets in one transaction, and so many transactions in one run; the next run continues. */
const ticketsPerTransaction = 100;
const transactionsPerRun = 10;

/**
 * Ends the sessions whose time has run out, and returns how many it ended. Nobody acts in one meanwhile: a session counts
 * for nothing from the moment it is due. Several gateways may run this at once, and a ticket that is locked for long
 * delays only its own sessions.
 */
export async function endDueSessions({ database, clock, announce }: Dependencies): Promise<number> {
  let count = 0;
  for (let run = 0; run < transactionsPerRun; run += 1) {
    const ended = await database.transaction((tx) => endSome(tx, clock));
    announce(ended.appended);
    count += ended.count;
    if (ended.count === 0) break;
  }
  return count;
}

async function endSome(
  tx: Transaction,
  clock: Dependencies['clock'],
): Promise<{ count: number; appended: AppendedEvents | null }> {
  const ticketIds = await lockTicketsWithDueSessions(tx, clock(), ticketsPerTransaction);
  if (ticketIds.length === 0) return { count: 0, appended: null };
  const now = clock();
  const due = await listDueSessions(tx, ticketIds, now);
  const changes = due.flatMap(({ grant, ticket, ...session }) =>
    endElapsedSession(session, { grant: toGrant(grant), ticket, now }),
  );
  await saveSessionChanges(tx, changes);
  await appendAuditEntries(tx, changes.map(sessionAuditEntry));
  return { count: changes.length, appended: await appendEvents(tx, changes.map(sessionEvent)) };
}
