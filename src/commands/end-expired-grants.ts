/** Time's own command: what has run out is recorded as over, and told, without anybody asking. */
import { appendAuditEntries } from '../audit/store.ts';
import { appendEvents } from '../events/outbox.ts';
import { listGrantsOfTicket, listTicketsWithExpiredGrants, saveGrantChanges } from '../grants/store.ts';
import { lockTicket } from '../tickets/locks.ts';
import { findTicket } from '../tickets/store.ts';
import { applyTimeLimits } from './change-grant.ts';
import type { Dependencies } from './execute.ts';
import { grantChangeAuditEntry, grantChangeEvent } from './grant-change-effects.ts';
import { grantSubjectOf } from './ticket-command.ts';

/** How many tickets one sweep settles at most; the next one goes on. */
const ticketsPerSweep = 100;

/**
 * Records every lapsed grant as over; answers how many were. Nobody's access waits for this: a lapsed
 * grant counts for nothing wherever it is used. Two gateways may sweep at once: each ticket is settled
 * under its lock, and what is settled is lapsed no more.
 */
export async function endExpiredGrants({ database, clock, wake }: Dependencies): Promise<number> {
  const tickets = await listTicketsWithExpiredGrants(database.prisma, clock(), ticketsPerSweep);
  let ended = 0;
  for (const ticketId of tickets) {
    ended += await database.transaction(async (tx) => {
      await lockTicket(tx, { ticketId });
      const ticket = await findTicket(tx, { ticketId });
      if (ticket === null) return 0;
      const { changes } = applyTimeLimits(
        await listGrantsOfTicket(tx, ticketId, null),
        grantSubjectOf(ticket),
        clock(),
      );
      await saveGrantChanges(tx, changes);
      await appendAuditEntries(tx, changes.map(grantChangeAuditEntry));
      await appendEvents(tx, changes.map(grantChangeEvent));
      return changes.length;
    });
    wake();
  }
  return ended;
}
