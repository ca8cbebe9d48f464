/** Writes down that expired grants are over, with their audit entries and events. */
import { appendAuditEntries } from '../audit/store.ts';
import { appendEvents } from '../events/outbox.ts';
import { listGrantsOfTickets } from '../grants/store.ts';
import type { Transaction } from '../platform/database.ts';
import { lockTicketsWithExpiredGrants } from '../tickets/locks.ts';
import { listTickets } from '../tickets/store.ts';
import { applyTimeLimits } from './change-grant.ts';
import type { Dependencies } from './execute.ts';
import { type SweepOptions, type Swept, sweep } from './sweep.ts';
import { grantSubjectOf } from './ticket-command.ts';
import { enderIn, endOf, findEnders } from './ticket-facts.ts';
import { writeGrantChanges } from './write-grant-changes.ts';

/**
 * Ends every expired grant, and returns how many it ended. Nobody keeps access until then: an expired grant
 * counts for nothing wherever it is used.
 */
export async function endExpiredGrants(dependencies: Dependencies, options?: SweepOptions): Promise<number> {
  const { clock } = dependencies;
  return await sweep(
    dependencies,
    {
      lockDue: async (tx, limit, except) => {
        const { ticketIds, readAt } = await lockTicketsWithExpiredGrants(tx, clock(), limit, except);
        clock(readAt);
        return ticketIds;
      },
      end: (tx, ticketIds) => endOnTickets(tx, ticketIds, clock),
    },
    options,
  );
}

async function endOnTickets(
  tx: Transaction,
  ticketIds: readonly string[],
  clock: Dependencies['clock'],
): Promise<Swept> {
  const tickets = (await listTickets(tx, ticketIds)).filter((ticket) => ticket !== null);
  const enders = await findEnders(tx, tickets);
  const grants = Map.groupBy(await listGrantsOfTickets(tx, ticketIds), ({ ticketId }) => ticketId);
  const now = clock();
  const changes = tickets.flatMap((ticket) => {
    const end = endOf({ ticket, endedBy: enderIn(enders, ticket) });
    return applyTimeLimits(grants.get(ticket.id) ?? [], grantSubjectOf(ticket), now, end).changes;
  });
  const written = await writeGrantChanges(tx, changes);
  await appendAuditEntries(
    tx,
    written.flatMap(({ entries }) => entries),
  );
  const events = written.flatMap((one) => one.events);
  return { count: changes.length, appended: await appendEvents(tx, events) };
}
