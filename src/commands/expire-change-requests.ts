/** Writes down that change requests have expired, with their audit entries and events. */
import { appendAuditEntries } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { type ChangeOnTicket, changeRequestEvent } from '../changes/event.ts';
import { decide } from '../changes/lifecycle.ts';
import { listOpenChangeRequests, saveChanges } from '../changes/store.ts';
import { appendEvents } from '../events/outbox.ts';
import type { Transaction } from '../platform/database.ts';
import { lockTicketsWithExpiredChangeRequests } from '../tickets/locks.ts';
import { listTickets } from '../tickets/store.ts';
import type { Dependencies } from './execute.ts';
import { type SweepOptions, type Swept, sweep } from './sweep.ts';

/** Ends every expired change request, and returns how many it ended. None can be consented to or begun until then. */
export async function expireChangeRequests(
  dependencies: Dependencies,
  options?: SweepOptions,
): Promise<number> {
  const { clock } = dependencies;
  return await sweep(
    dependencies,
    {
      lockDue: (tx, limit, except) => lockTicketsWithExpiredChangeRequests(tx, clock(), limit, except),
      end: (tx, ticketIds) => expireOnTickets(tx, ticketIds, clock()),
    },
    options,
  );
}

async function expireOnTickets(tx: Transaction, ticketIds: readonly string[], now: Date): Promise<Swept> {
  const tickets = await listTickets(tx, ticketIds);
  const byId = new Map(tickets.flatMap((ticket) => (ticket === null ? [] : [[ticket.id, ticket]])));
  const bySystem = { actor: { kind: 'SYSTEM' }, occurredAt: now, reason: null } as const;
  const open = await listOpenChangeRequests(tx, ticketIds);
  const expired = open.flatMap((before): ChangeOnTicket[] => {
    const ticket = byId.get(before.ticketId);
    const decision = decide(before, { type: 'ElapseTime' }, now);
    if (ticket === undefined || !('changed' in decision)) return [];
    return [{ before, request: decision.changed, command: 'ElapseTime', ticket, ...bySystem }];
  });
  await saveChanges(tx, expired);
  await appendAuditEntries(tx, expired.map(changeRequestAuditEntry));
  return { count: expired.length, appended: await appendEvents(tx, expired.map(changeRequestEvent)) };
}
