/** The facts that every command on a ticket, or on one of its grants, is decided on. */
import type { Grant } from '../grants/grant.ts';
import {
  type ApprovedGrants,
  type Approver,
  listApprovedGrantsOfTicket,
  listGrantsOfTicket,
  listOpenGrantsOfTickets,
} from '../grants/store.ts';
import type { Transaction } from '../platform/database.ts';
import {
  findTicket,
  listOpenTicketsOfEngineer,
  listTickets,
  type TicketOnProduct,
} from '../tickets/store.ts';

export type TicketFacts = {
  ticket: TicketOnProduct;
  /** The ticket's open grants, and the named one even if it is over. */
  grants: readonly Grant[];
  /** The grant that the command names, if it names one. */
  grant: Grant | null;
  /** Who approved these grants for the customer, with their present rights, by id. Only a Guard's command needs them. */
  approvers?: ReadonlyMap<string, Approver>;
};

/** The facts of a command that names a grant. */
export type GrantFacts = TicketFacts & { grant: Grant };

/** Names the ticket itself, or one of its grants. */
export type TicketInput = { ticketId: string } | { grantId: string };

/** The facts for one command, or null when what it names does not exist. Two statements. */
export async function findTicketFacts(tx: Transaction, input: TicketInput): Promise<TicketFacts | null> {
  const named = 'grantId' in input ? input.grantId : null;
  const ticket = await findTicket(tx, input);
  if (ticket === null) return null;
  const grants = await listGrantsOfTicket(tx, ticket.id, named);
  return { ticket, grants, grant: grants.find(({ id }) => id === named) ?? null };
}

/** As `findTicketFacts`, with the approvers of the grants. Two statements. */
export async function findTicketFactsWithApprovers(
  tx: Transaction,
  { grantId }: { grantId: string },
): Promise<TicketFacts | null> {
  const ticket = await findTicket(tx, { grantId });
  if (ticket === null) return null;
  const { grants, approvers } = await listApprovedGrantsOfTicket(tx, ticket.id, grantId);
  return { ticket, grants, grant: grants.find(({ id }) => id === grantId) ?? null, approvers };
}

/**
 * The facts of these tickets, in the order of the ids; null where there is no such ticket. No grant is named:
 * use `withGrant` for the facts of a command on a grant. Two statements, however many tickets.
 */
export async function listTicketFacts(
  db: Transaction,
  ticketIds: readonly string[],
): Promise<(TicketFacts | null)[]> {
  const [tickets, grants] = await Promise.all([
    listTickets(db, ticketIds),
    listOpenGrantsOfTickets(db, ticketIds),
  ]);
  const factsOf = factsWith(grants);
  return tickets.map((ticket) => ticket && factsOf(ticket));
}

/** The facts of the engineer's open tickets. At most two statements, however many tickets. */
export async function listTicketFactsOfEngineer(tx: Transaction, engineerId: string): Promise<TicketFacts[]> {
  const tickets = await listOpenTicketsOfEngineer(tx, engineerId);
  if (tickets.length === 0) return [];
  const grants = await listOpenGrantsOfTickets(
    tx,
    tickets.map(({ id }) => id),
  );
  return tickets.map(factsWith(grants));
}

function factsWith({ grants, approvers }: ApprovedGrants): (ticket: TicketOnProduct) => TicketFacts {
  const byTicket = Map.groupBy(grants, ({ ticketId }) => ticketId);
  return (ticket) => ({ ticket, grants: byTicket.get(ticket.id) ?? [], grant: null, approvers });
}

/** The facts for a command that names this grant of the ticket, which may be over. */
export function withGrant(facts: TicketFacts, grant: Grant): GrantFacts {
  return { ...facts, grants: [...facts.grants.filter(({ id }) => id !== grant.id), grant], grant };
}
