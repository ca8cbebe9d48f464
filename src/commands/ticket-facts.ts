/** The facts that every command on a ticket, or on one of its grants, is decided on. */
import type { OpenChangeRequest } from '../changes/change-request.ts';
import { listOpenChangeRequests } from '../changes/store.ts';
import type { Grant } from '../grants/grant.ts';
import { listGrantsOfTicket, listGrantsOfTickets } from '../grants/store.ts';
import type { Viewer } from '../identity/viewer.ts';
import { listViewers } from '../identity/viewer-store.ts';
import type { Transaction } from '../platform/database.ts';
import {
  findTicket,
  listOpenTicketsOfEngineer,
  listTickets,
  listTicketsOfGrants,
  type TicketOnProduct,
} from '../tickets/store.ts';
import type { TicketRef } from '../tickets/ticket.ts';

export type TicketFacts = {
  ticket: TicketOnProduct;
  /** The ticket's open grants, and the named one even if it is over. */
  grants: readonly Grant[];
  /** The grant that the command names, if it names one. */
  grant: Grant | null;
  /**
   * Who approved those of the grants that await the Guard, with their present rights, by id; without those who are not
   * active. Only the approval of the Guard needs them.
   */
  approvers?: ReadonlyMap<string, Viewer>;
  /** The ticket's open change requests. Only what ends them, or limits how many there are, needs them. */
  changeRequests?: readonly OpenChangeRequest[];
};

/** The facts of a command that names a grant. */
export type GrantFacts = TicketFacts & { grant: Grant };

/** Names the ticket itself, or one of its grants. */
export type TicketInput = TicketRef | { grantId: string };

/** The facts for one command, or null when what it names does not exist. Two statements. */
export async function findTicketFacts(tx: Transaction, input: TicketInput): Promise<TicketFacts | null> {
  const named = 'grantId' in input ? input.grantId : null;
  const ticket = await findTicket(tx, input);
  if (ticket === null) return null;
  const grants = await listGrantsOfTicket(tx, ticket.id, named);
  return { ticket, grants, grant: grants.find(({ id }) => id === named) ?? null };
}

/** As `findTicketFacts`, with the approvers. At most three statements. */
export async function findTicketFactsWithApprovers(
  tx: Transaction,
  input: TicketInput,
): Promise<TicketFacts | null> {
  const facts = await findTicketFacts(tx, input);
  return facts && { ...facts, approvers: await findApprovers(tx, facts.grants) };
}

async function findApprovers(
  db: Transaction,
  grants: readonly Grant[],
): Promise<ReadonlyMap<string, Viewer>> {
  const ids = grants.flatMap((grant) =>
    grant.state === 'PENDING_GUARD_APPROVAL' ? [grant.customerApprovedById] : [],
  );
  const found = ids.length === 0 ? [] : await listViewers(db, [...new Set(ids)]);
  return new Map(found.map((viewer) => [viewer.id, viewer]));
}

/**
 * The facts of these tickets, in the order of the ids; null where there is no such ticket. No grant is named:
 * use `withGrant` for the facts of a command on a grant. Two statements, however many tickets, and one more if any of
 * the grants awaits the Guard.
 */
export async function listTicketFacts(
  db: Transaction,
  ticketIds: readonly string[],
): Promise<(TicketFacts | null)[]> {
  const [tickets, grants] = await Promise.all([
    listTickets(db, ticketIds),
    listGrantsOfTickets(db, ticketIds),
  ]);
  const approvers = await findApprovers(db, grants);
  const factsOf = factsWith(grants);
  return tickets.map((ticket) => ticket && { ...factsOf(ticket), approvers });
}

/**
 * The facts of commands on grants that are decided one after the other in one transaction: each on what those before it
 * have left.
 */
export class FactsOfGrants {
  readonly #tickets: ReadonlyMap<string, TicketOnProduct>;
  readonly #grants: Map<string, Grant>;
  readonly #approvers: ReadonlyMap<string, Viewer>;

  private constructor(
    tickets: readonly TicketOnProduct[],
    grants: readonly Grant[],
    approvers: ReadonlyMap<string, Viewer>,
  ) {
    this.#tickets = new Map(tickets.map((ticket) => [ticket.id, ticket]));
    this.#grants = new Map(grants.map((grant) => [grant.id, grant]));
    this.#approvers = approvers;
  }

  /** Two statements, however many grants, and one more if any grant of their tickets awaits the Guard. */
  static async find(tx: Transaction, grantIds: readonly string[]): Promise<FactsOfGrants> {
    const tickets = await listTicketsOfGrants(tx, grantIds);
    const ticketIds = tickets.map(({ id }) => id);
    const grants = tickets.length === 0 ? [] : await listGrantsOfTickets(tx, ticketIds, grantIds);
    return new FactsOfGrants(tickets, grants, await findApprovers(tx, grants));
  }

  /** The facts for a command on this grant; null: it did not exist. */
  of(grantId: string): GrantFacts | null {
    const grant = this.#grants.get(grantId);
    const ticket = grant && this.#tickets.get(grant.ticketId);
    if (grant === undefined || ticket === undefined) return null;
    const grants = [...this.#grants.values()].filter(({ ticketId }) => ticketId === ticket.id);
    return { ticket, grants, grant, approvers: this.#approvers };
  }

  /** Takes over what a command has changed. */
  change(grants: readonly { grant: Grant }[]): void {
    for (const { grant } of grants) this.#grants.set(grant.id, grant);
  }
}

/** The facts of the engineer's open tickets, with their change requests. At most three statements, however many tickets. */
export async function listTicketFactsOfEngineer(tx: Transaction, engineerId: string): Promise<TicketFacts[]> {
  const tickets = await listOpenTicketsOfEngineer(tx, engineerId);
  if (tickets.length === 0) return [];
  const ids = tickets.map(({ id }) => id);
  const factsOf = factsWith(await listGrantsOfTickets(tx, ids));
  const changeRequests = Map.groupBy(await listOpenChangeRequests(tx, ids), ({ ticketId }) => ticketId);
  return tickets.map((ticket) => ({
    ...factsOf(ticket),
    changeRequests: changeRequests.get(ticket.id) ?? [],
  }));
}

function factsWith(grants: readonly Grant[]): (ticket: TicketOnProduct) => TicketFacts {
  const byTicket = Map.groupBy(grants, ({ ticketId }) => ticketId);
  return (ticket) => ({ ticket, grants: byTicket.get(ticket.id) ?? [], grant: null });
}

/** The facts for a command that names this grant of the ticket, which may be over. */
export function withGrant(facts: TicketFacts, grant: Grant): GrantFacts {
  return { ...facts, grants: [...facts.grants.filter(({ id }) => id !== grant.id), grant], grant };
}
