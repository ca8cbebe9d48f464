import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/**
 * Takes an exclusive lock on a ticket, or on the ticket of a grant, and a shared lock on its site. Does nothing if
 * there is no such ticket. One statement.
 */
export async function lockTicket(
  tx: Transaction,
  by: { ticketId: string } | { grantId: string },
): Promise<void> {
  const locks = `SELECT ${sharedLock('site', 't.site_id::text')}, ${exclusiveLock('ticket', 't.id::text')}`;
  if ('ticketId' in by) {
    await tx.$executeRawUnsafe(`${locks} FROM tickets t WHERE t.id = $1::uuid`, by.ticketId);
  } else {
    await tx.$executeRawUnsafe(
      `${locks} FROM grants g JOIN tickets t ON t.id = g.ticket_id WHERE g.id = $1::uuid`,
      by.grantId,
    );
  }
}
