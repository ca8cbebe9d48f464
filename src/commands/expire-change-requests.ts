/** Writes down that change requests have expired, with their audit entries. */
import { appendAuditEntries } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { decide } from '../changes/lifecycle.ts';
import {
  listOpenChangeRequests,
  listTicketsWithExpiredChangeRequests,
  saveChangeRequests,
} from '../changes/store.ts';
import type { Transaction } from '../platform/database.ts';
import { lockTicket } from '../tickets/locks.ts';
import type { Dependencies } from './execute.ts';

/** At most so many tickets in one run; the next run continues. */
const ticketsPerSweep = 100;

/**
 * Ends every expired change request, and returns how many it ended. None can be consented to or begun until then. Several
 * gateways may run this at once: each ticket is locked, and what another gateway has ended is no longer found.
 */
export async function expireChangeRequests({ database, clock }: Dependencies): Promise<number> {
  const ids = await listTicketsWithExpiredChangeRequests(database.prisma, clock(), ticketsPerSweep);
  let count = 0;
  for (const ticketId of ids)
    count += await database.transaction((tx) => expireOnTicket(tx, ticketId, clock));
  return count;
}

async function expireOnTicket(
  tx: Transaction,
  ticketId: string,
  clock: Dependencies['clock'],
): Promise<number> {
  await lockTicket(tx, { ticketId });
  const open = await listOpenChangeRequests(tx, [ticketId]);
  const now = clock();
  const expired = open.flatMap((before) => {
    const decision = decide(before, { type: 'ElapseTime' }, now);
    return 'changed' in decision ? [{ before, request: decision.changed }] : [];
  });
  await saveChangeRequests(
    tx,
    expired.map(({ request }) => request),
  );
  const bySystem = {
    command: 'ElapseTime',
    actor: { kind: 'SYSTEM' },
    occurredAt: now,
    reason: null,
  } as const;
  await appendAuditEntries(
    tx,
    expired.map((change) => changeRequestAuditEntry({ ...change, ...bySystem })),
  );
  return expired.length;
}
