/** The facts that every command on a ticket, or on one of its grants, is decided on. */
import { type Actor, actorOf } from '../audit/entry.ts';
import type { OpenChangeRequest } from '../changes/change-request.ts';
import { listOpenChangeRequests } from '../changes/store.ts';
import type { Grant } from '../grants/grant.ts';
import { listGrantsOfTickets } from '../grants/store.ts';
import type { Viewer } from '../identity/viewer.ts';
import { listViewers } from '../identity/viewer-store.ts';
import { endOfPlace } from '../organizations/unsettled.ts';
import type { Transaction } from '../platform/database.ts';
import {
  listOpenTicketsOfEngineer,
  listTickets,
  listTicketsOfGrants,
  type TicketOnProduct,
} from '../tickets/store.ts';
import type { TicketRef } from '../tickets/ticket.ts';
import type { EndByPerson } from './change-grant.ts';
import { findTicketWithGrants } from './ticket-with-grants.ts';

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
  /** Who ended the ticket's site or licence, if what was open there is not settled. */
  endedBy?: Actor | undefined;
  /** The ticket's open change requests. Only what ends them, or limits how many there are, needs them. */
  changeRequests?: readonly OpenChangeRequest[];
};

/** The facts of a command that names a grant. */
export type GrantFacts = TicketFacts & { grant: Grant };

/** Names a grant: by its id, or as the one for product data that is open on a ticket. There is at most one. */
export type GrantRef = { grantId: string } | { grantOf: TicketRef };

/** Names the ticket itself, or one of its grants. */
export type TicketInput = TicketRef | GrantRef;

/**
 * The facts for one command, or null when what it names does not exist. One statement, and one
 * more if its site or licence has ended and is not settled.
 */
export async function findTicketFacts(tx: Transaction, input: TicketInput): Promise<TicketFacts | null> {
  const found = await findTicketWithGrants(tx, input);
  if (found === null) return null;
  const { ticket, grants } = found;
  const endedBy = enderIn(await findEnders(tx, [ticket]), ticket);
  const isNamed =
    'grantOf' in input ? isOpenForProduct : ({ id }: Grant) => 'grantId' in input && id === input.grantId;
  return { ticket, grants, grant: grants.find(isNamed) ?? null, endedBy };
}

function isOpenForProduct({ scope, state }: Grant): boolean {
  return (
    scope.kind === 'PRODUCT_DATA' &&
    (state === 'PENDING_APPROVAL' || state === 'PENDING_GUARD_APPROVAL' || state === 'ACTIVE')
  );
}

/** The end of the ticket's site or of its licence, if what was open there is not settled. */
export function endOf({ ticket, endedBy }: Pick<TicketFacts, 'ticket' | 'endedBy'>): EndByPerson | null {
  const end = endOfPlace(ticket);
  if (end === null) return null;
  if (endedBy === undefined) throw new Error(`Who ended the site or licence of ${ticket.key} was not read`);
  return { ...end, by: endedBy };
}

/** Who ended the sites and licences that are not settled, by the ids of the accounts. */
export type Enders = ReadonlyMap<string, Actor>;

/** Those of these tickets. One statement, and none where everything is settled. */
export async function findEnders(
  db: Transaction,
  tickets: readonly (TicketOnProduct | null)[],
): Promise<Enders> {
  const ids = tickets.flatMap((ticket) => (ticket && endOfPlace(ticket)?.byId) ?? []);
  if (ids.length === 0) return new Map();
  const accounts = await db.account.findMany({ where: { id: { in: [...new Set(ids)] } } });
  return new Map(accounts.map((account) => [account.id, actorOf(account)]));
}

export function enderIn(enders: Enders, ticket: TicketOnProduct): Actor | undefined {
  const end = endOfPlace(ticket);
  return end === null ? undefined : enders.get(end.byId);
}

/** As `findTicketFacts`, with the approvers. At most one statement more. */
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
 * use `withGrant` for the facts of a command on a grant. Two statements, however many tickets, and one more each if any of
 * the grants awaits the Guard, and if anything is not settled.
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
  const factsOf = factsWith(grants, await findEnders(db, tickets));
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
  readonly #enders: Enders;

  private constructor(
    tickets: readonly TicketOnProduct[],
    grants: readonly Grant[],
    approvers: ReadonlyMap<string, Viewer>,
    enders: Enders,
  ) {
    this.#tickets = new Map(tickets.map((ticket) => [ticket.id, ticket]));
    this.#grants = new Map(grants.map((grant) => [grant.id, grant]));
    this.#approvers = approvers;
    this.#enders = enders;
  }

  /** Two statements, however many grants, and one more if any grant of their tickets awaits the Guard. */
  static async find(tx: Transaction, grantIds: readonly string[]): Promise<FactsOfGrants> {
    const tickets = await listTicketsOfGrants(tx, grantIds);
    const ticketIds = tickets.map(({ id }) => id);
    const grants = tickets.length === 0 ? [] : await listGrantsOfTickets(tx, ticketIds, grantIds);
    return new FactsOfGrants(tickets, grants, await findApprovers(tx, grants), await findEnders(tx, tickets));
  }

  /** The facts for a command on this grant; null: it did not exist. */
  of(grantId: string): GrantFacts | null {
    const grant = this.#grants.get(grantId);
    const ticket = grant && this.#tickets.get(grant.ticketId);
    if (grant === undefined || ticket === undefined) return null;
    const grants = [...this.#grants.values()].filter(({ ticketId }) => ticketId === ticket.id);
    return { ticket, grants, grant, approvers: this.#approvers, endedBy: enderIn(this.#enders, ticket) };
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
  const factsOf = factsWith(await listGrantsOfTickets(tx, ids), await findEnders(tx, tickets));
  const changeRequests = Map.groupBy(await listOpenChangeRequests(tx, ids), ({ ticketId }) => ticketId);
  return tickets.map((ticket) => ({
    ...factsOf(ticket),
    changeRequests: changeRequests.get(ticket.id) ?? [],
  }));
}

function factsWith(grants: readonly Grant[], enders: Enders): (ticket: TicketOnProduct) => TicketFacts {
  const byTicket = Map.groupBy(grants, ({ ticketId }) => ticketId);
  return (ticket) => ({
    ...{ ticket, grants: byTicket.get(ticket.id) ?? [], grant: null },
    endedBy: enderIn(enders, ticket),
  });
}

/** The facts for a command that names this grant of the ticket, which may be over. */
export function withGrant(facts: TicketFacts, grant: Grant): GrantFacts {
  return { ...facts, grants: [...facts.grants.filter(({ id }) => id !== grant.id), grant], grant };
}
