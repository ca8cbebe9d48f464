/**
 * Settles sites and licences that have ended with more open than one transaction ends: writes down, in batches, what is
 * over since then, with its audit entries and events, and takes the mark away once nothing is open there any more.
 */
import { appendAuditEntries } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { changeRequestEvent } from '../changes/event.ts';
import { listOpenChangeRequests, saveChanges } from '../changes/store.ts';
import { appendEvents } from '../events/outbox.ts';
import { listGrantsOfTickets } from '../grants/store.ts';
import { lockSite } from '../organizations/locks.ts';
import { hasOpen, listUnsettledPlaces, takeMarkAway, type UnsettledPlace } from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import { lockTicketsWithOpenOn } from '../tickets/locks.ts';
import { listTickets, type TicketOnProduct } from '../tickets/store.ts';
import { applyTimeLimits, type EndByPerson } from './change-grant.ts';
import { endedAtOnce } from './command.ts';
import { settleChangeRequests } from './end-change-requests.ts';
import type { Dependencies } from './execute.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { type SweepOptions, type Swept, sweep } from './sweep.ts';
import { grantSubjectOf } from './ticket-command.ts';
import { enderIn, endOf, findEnders } from './ticket-facts.ts';
import { writeGrantChanges } from './write-grant-changes.ts';

/** At most so many sites and products in one run; the next run continues. */
const placesPerRun = 100;

/**
 * Settles what has ended, and returns how many grants and change requests it wrote down as over. Nothing of it is usable
 * meanwhile. Several gateways may run this at once: each batch locks its tickets, and leaves out those that are locked. A
 * command on such a ticket waits for one batch at most, and settles the ticket itself if it comes first. A place or
 * a ticket that cannot be settled holds up no other.
 *
 * @throws AggregateError after the others, if some could not be settled
 */
export async function settlePlaces(dependencies: Dependencies, options: SweepOptions = {}): Promise<number> {
  const { database, unsettledSites } = dependencies;
  const places = await listUnsettledPlaces(database.prisma, placesPerRun);
  unsettledSites?.note(places.map(({ siteId }) => siteId));
  let count = 0;
  const failures: unknown[] = [];
  for (const place of places) {
    try {
      count += await settlePlace(dependencies, place, options);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'Not every site and licence could be settled');
  return count;
}

/** What is locked by others meanwhile is left to the next run. */
async function settlePlace(
  { database, clock, announce, rules }: Dependencies,
  place: UnsettledPlace,
  options: SweepOptions,
): Promise<number> {
  const limit = rules?.endedAtOnce ?? endedAtOnce;
  const count = await sweep(
    { database, announce },
    {
      lockDue: (tx, atMost, except) => lockTicketsWithOpenOn(tx, place, atMost, except),
      end: (tx, ids) => settleSome(tx, ids, limit, clock),
    },
    { ...options, ticketsAtOnce: limit },
  );
  // Nobody waits for the site's lock for nothing.
  if (options.signal?.aborted === true || (await hasOpen(database.prisma, place))) return count;
  await database.transaction(async (tx) => {
    await lockSite(tx, place.siteId);
    await takeMarkAway(tx, place);
  });
  return count;
}

async function settleSome(
  tx: Transaction,
  ids: readonly string[],
  limit: number,
  clock: Dependencies['clock'],
): Promise<Swept> {
  const ended = await findEnded(tx, ids);
  const grants = await listGrantsOfTickets(tx, [...ended.keys()], [], limit);
  const requests = await listOpenChangeRequests(tx, [...ended.keys()]);
  const now = clock();

  const changes = grants.flatMap((grant): DecidedGrantChange[] => {
    const { ticket, end } = of(ended, grant);
    return applyTimeLimits([grant], grantSubjectOf(ticket), now, end).changes;
  });
  const withdrawn = requests
    .flatMap((request) => {
      const { ticket, end } = of(ended, request);
      return settleChangeRequests([request], end, () => ticket, now);
    })
    .slice(0, limit);
  await saveChanges(tx, withdrawn);
  const ends = await writeGrantChanges(tx, changes);
  await appendAuditEntries(tx, [
    ...withdrawn.map(changeRequestAuditEntry),
    ...ends.flatMap(({ entries }) => entries),
  ]);
  const events = [...withdrawn.map(changeRequestEvent), ...ends.flatMap((one) => one.events)];
  return { count: changes.length + withdrawn.length, appended: await appendEvents(tx, events) };
}

type Ended = { ticket: TicketOnProduct; end: EndByPerson };

/** Those of these tickets whose site or licence has ended, by id, with that end. */
async function findEnded(tx: Transaction, ticketIds: readonly string[]): Promise<Map<string, Ended>> {
  const tickets = (await listTickets(tx, ticketIds)).filter((ticket) => ticket !== null);
  const enders = await findEnders(tx, tickets);
  return new Map(
    tickets.flatMap((ticket): [string, Ended][] => {
      const end = endOf({ ticket, endedBy: enderIn(enders, ticket) });
      return end === null ? [] : [[ticket.id, { ticket, end }]];
    }),
  );
}

function of(ended: ReadonlyMap<string, Ended>, { ticketId }: { ticketId: string }): Ended {
  const found = ended.get(ticketId);
  if (found === undefined) throw new Error(`Ticket ${ticketId} was not asked for`);
  return found;
}
