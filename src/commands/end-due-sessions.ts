/** Writes down that support sessions whose time has run out are over, with their audit entries and events. */
import { appendAuditEntries } from '../audit/store.ts';
import { appendEvents } from '../events/outbox.ts';
import { toGrant } from '../grants/row.ts';
import type { Transaction } from '../platform/database.ts';
import { listDueSessions, saveSessionChanges } from '../sessions/store.ts';
import { lockTicketsWithDueSessions } from '../tickets/locks.ts';
import { endElapsedSession } from './change-session.ts';
import type { Dependencies } from './execute.ts';
import { sessionAuditEntry, sessionEvent } from './session-effects.ts';
import { type SweepOptions, type Swept, sweep } from './sweep.ts';

/**
 * Ends the sessions whose time has run out, and returns how many it ended. Nobody acts in one meanwhile: a session counts
 * for nothing from the moment it is due.
 */
export async function endDueSessions(dependencies: Dependencies, options?: SweepOptions): Promise<number> {
  const { clock } = dependencies;
  return await sweep(
    dependencies,
    {
      lockDue: (tx, limit, except) => lockTicketsWithDueSessions(tx, clock(), limit, except),
      end: (tx, ticketIds) => endOnTickets(tx, ticketIds, clock()),
    },
    options,
  );
}

async function endOnTickets(tx: Transaction, ticketIds: readonly string[], now: Date): Promise<Swept> {
  const due = await listDueSessions(tx, ticketIds, now);
  const changes = due.flatMap(({ grant, ticket, ...session }) =>
    endElapsedSession(session, { grant: toGrant(grant), ticket, now }),
  );
  await saveSessionChanges(tx, changes);
  await appendAuditEntries(tx, changes.map(sessionAuditEntry));
  return { count: changes.length, appended: await appendEvents(tx, changes.map(sessionEvent)) };
}
