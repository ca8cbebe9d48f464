/** Writes down that expired grants are over, with their audit entries and events. */
import { appendAuditEntries } from '../audit/store.ts';
import { appendEvents } from '../events/outbox.ts';
import { listGrantsOfTicket, listTicketsWithExpiredGrants } from '../grants/store.ts';
import { lockTicket } from '../tickets/locks.ts';
import { findTicket } from '../tickets/store.ts';
import { applyTimeLimits } from './change-grant.ts';
import type { Dependencies } from './execute.ts';
import { grantSubjectOf } from './ticket-command.ts';
import { enderIn, endOf, findEnders } from './ticket-facts.ts';
import { writeGrantChanges } from './write-grant-changes.ts';

/** At most so many tickets in one run; the next run continues. */
const ticketsPerSweep = 100;

/**
 * Ends every expired grant, and returns how many it ended. Nobody keeps access until then: an expired grant
 * counts for nothing wherever it is used. Two gateways may run this at once: each ticket is locked, and a grant
 * that the other has ended is no longer found expired.
 */
export async function endExpiredGrants({ database, clock, announce }: Dependencies): Promise<number> {
  const { ticketIds, readAt } = await listTicketsWithExpiredGrants(database.prisma, clock(), ticketsPerSweep);
  clock(readAt);
  let ended = 0;
  for (const ticketId of ticketIds) {
    const { count, appended } = await database.transaction(async (tx) => {
      await lockTicket(tx, { ticketId });
      const ticket = await findTicket(tx, { ticketId });
      if (ticket === null) return { count: 0, appended: null };
      const { changes } = applyTimeLimits(
        await listGrantsOfTicket(tx, ticketId, null),
        grantSubjectOf(ticket),
        clock(),
        endOf({ ticket, endedBy: enderIn(await findEnders(tx, [ticket]), ticket) }),
      );
      const written = await writeGrantChanges(tx, changes);
      await appendAuditEntries(
        tx,
        written.flatMap(({ entries }) => entries),
      );
      const events = written.flatMap((one) => one.events);
      return { count: changes.length, appended: await appendEvents(tx, events) };
    });
    announce(appended);
    ended += count;
  }
  return ended;
}
