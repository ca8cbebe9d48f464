/** Writes down that change requests have expired, with their audit entries and events. */
import { appendAuditEntries } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { type ChangeOnTicket, changeRequestEvent } from '../changes/event.ts';
import { decide } from '../changes/lifecycle.ts';
import {
  listOpenChangeRequests,
  listTicketsWithExpiredChangeRequests,
  saveChanges,
} from '../changes/store.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import type { Transaction } from '../platform/database.ts';
import { lockTicket } from '../tickets/locks.ts';
import { findTicket } from '../tickets/store.ts';
import type { Dependencies } from './execute.ts';

/** At most so many tickets in one run; the next run continues. */
const ticketsPerSweep = 100;

/**
 * Ends every expired change request, and returns how many it ended. None can be consented to or begun until then. Several
 * gateways may run this at once: each ticket is locked, and what another gateway has ended is no longer found.
 */
export async function expireChangeRequests({ database, clock, announce }: Dependencies): Promise<number> {
  const ids = await listTicketsWithExpiredChangeRequests(database.prisma, clock(), ticketsPerSweep);
  let count = 0;
  for (const ticketId of ids) {
    const expired = await database.transaction((tx) => expireOnTicket(tx, ticketId, clock));
    announce(expired);
    count += expired?.events.length ?? 0;
  }
  return count;
}

async function expireOnTicket(
  tx: Transaction,
  ticketId: string,
  clock: Dependencies['clock'],
): Promise<AppendedEvents | null> {
  await lockTicket(tx, { ticketId });
  const ticket = await findTicket(tx, { ticketId });
  if (ticket === null) return null;
  const open = await listOpenChangeRequests(tx, [ticketId]);
  const now = clock();
  const bySystem = { actor: { kind: 'SYSTEM' }, occurredAt: now, reason: null } as const;
  const expired = open.flatMap((before): ChangeOnTicket[] => {
    const decision = decide(before, { type: 'ElapseTime' }, now);
    if (!('changed' in decision)) return [];
    return [{ before, request: decision.changed, command: 'ElapseTime', ticket, ...bySystem }];
  });
  await saveChanges(tx, expired);
  await appendAuditEntries(tx, expired.map(changeRequestAuditEntry));
  return await appendEvents(tx, expired.map(changeRequestEvent));
}
