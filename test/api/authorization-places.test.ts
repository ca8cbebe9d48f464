/**
 * Every role × every product on every site: who may grant, revoke and decide as the Guard, and the obstacles of the
 * rest.
 *
 * Approving by ticket and revoking are tried in every cell of their tables. The other ways are decided by the same
 * functions: every day they are tried in a random quarter of the cells. PLACES_SEED=… draws the same cells again.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OperationName } from '../../src/authorization/operations.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { bySize } from '../support/size.ts';
import type { ProductKey, SiteName } from '../support/world.ts';
import { type Attempt, attempt, forEach, readTable } from './authorization-asking.ts';
import {
  type Everybody,
  fileTickets,
  type Name,
  startGatewayWithEverybody,
  type TicketSpec,
} from './authorization-people.ts';
import { obstacles, whoMayDecideForGuard, whoMayGrant, whoMayRevoke } from './authorization-table.ts';

const seed = Number(process.env['PLACES_SEED'] ?? Date.now() % 2 ** 31);
const sampled = bySize(0.1, 1);

let gateway: TestGateway;
let everybody: Everybody;

beforeAll(async () => {
  ({ gateway, everybody } = await startGatewayWithEverybody());
});
afterAll(() => gateway.dispose());

/** How the ticket or the grant is named, and the state in which the grant is. */
type Way = [name: OperationName, grant: TicketSpec['grant'], by: 'ticket' | 'grant' | 'bulk'];

const waysToGrant: Way[] = [
  ['approveDataAccess', 'PENDING_APPROVAL', 'ticket'],
  ['approveDataAccess', 'PENDING_APPROVAL', 'grant'],
  ['approveDataAccess', undefined, 'ticket'],
  ['approveDataAccessInBulk', 'PENDING_APPROVAL', 'bulk'],
  ['denyDataAccess', 'PENDING_APPROVAL', 'grant'],
  ['denyDataAccessInBulk', 'PENDING_APPROVAL', 'bulk'],
];

test.each(waysToGrant)(`%s, its grant %s, named by its %s, PLACES_SEED=${seed}`, async (name, grant, by) => {
  const share = name === 'approveDataAccess' && by === 'ticket' && grant !== undefined ? 1 : sampled;
  await expectInPlaces(whoMayGrant, grant, share, async (person, target) =>
    inWords(await attempt(person, name, naming(by, target))),
  );
});

test('accessEligibility of a ticket agrees with the refusals, for everybody who sees the ticket', async () => {
  const query = `query ($id: ID!) { node(id: $id) { ... on Ticket { accessEligibility { allowed obstacles { code } } } } }`;
  await expectInPlaces(whoMayGrant, undefined, sampled, async (person, { ticketId }) => {
    const { node }: Json = await person.ask(query, { id: ticketId });
    if (node === null) return '-';
    const { allowed, obstacles: found } = node.accessEligibility;
    return allowed ? 'yes' : joined(found.map((obstacle: Json) => obstacle.code));
  });
});

test.each<Way>([
  ['revokeDataAccess', 'ACTIVE', 'grant'],
  ['revokeDataAccess', 'PENDING_GUARD_APPROVAL', 'grant'],
  ['revokeDataAccessInBulk', 'ACTIVE', 'bulk'],
])('%s, its grant %s', async (name, grant, by) => {
  const due = readTable(whoMayGrant);
  const share = name === 'revokeDataAccess' && grant === 'ACTIVE' ? 1 : sampled;
  await expectInPlaces(whoMayRevoke, grant, share, async (person, target, who, where) => {
    const { cell, obstacles: reported } = await attempt(person, name, naming(by, target));
    if (cell === 'why') expect(joined(reported)).toBe(due.get(who)?.get(where));
    return cell;
  });
});

test.each([
  ['approveGuardRequest', 'grant'],
  ['denyGuardRequest', 'grant'],
  ['approveGuardRequestInBulk', 'bulk'],
  ['denyGuardRequestInBulk', 'bulk'],
] as const)('%s', async (name, by) => {
  const ask = async (person: Person, target: Target) =>
    inWords(await attempt(person, name, naming(by, target)));
  // The approval holds: who gave it may still grant.
  const { organizationAdmin } = everybody.world.acme.emails;
  await expectInPlaces(whoMayDecideForGuard, 'PENDING_GUARD_APPROVAL', sampled, ask, organizationAdmin);
});

type Target = { ticketId: string; grantId: string };

/** Runs the mutation for this share of the cells of the table, each on a grant of its own. */
async function expectInPlaces(
  table: string,
  grant: TicketSpec['grant'],
  share: number,
  ask: (person: Person, target: Target, who: Name, where: string) => Promise<string>,
  approver = 'approver@acme.example',
): Promise<void> {
  // The database refuses an open grant on a deactivated site.
  const isPossible = (where: string) => grant === undefined || !where.startsWith('deactivated');
  const all = [...readTable(table)].flatMap(([who, row]) =>
    [...row]
      .filter(([where]) => isPossible(where))
      .map(([where, expected]) => ({ who: who as Name, where, expected })),
  );
  const length = Math.ceil(all.length * share);
  const subset = fc.shuffledSubarray(all, { minLength: length, maxLength: length });
  const [chosen = []] = fc.sample(subset, { seed, numRuns: 1 });
  const targets = await fileTickets(
    gateway,
    chosen.map(({ where }) => specOf(where, grant, approver)),
  );
  const answered = await forEach([...chosen.entries()], async ([index, { who, where }]) => {
    const [person] = everybody.people[who];
    const target = targets[index];
    if (person === undefined || target === undefined) throw new Error(`Nobody is ${who}`);
    return { who, where, expected: await ask(person, target, who, where) };
  });
  expect(answered).toEqual(chosen);
}

function specOf(where: string, grant: TicketSpec['grant'], approver: string): TicketSpec {
  const [first, product] = where.split(':') as [SiteName | 'globex', ProductKey];
  const customer = first === 'globex' ? 'globex' : 'acme';
  const { emails, sites } = everybody.world[customer];
  const site = sites[first === 'globex' ? 'main' : first];
  const idOf = (email: string) => everybody.accountIds.get(email) ?? '';
  return {
    ...{ siteId: site.id, productId: site.products[product] },
    ...{ reporterId: idOf(emails.reporter), assigneeId: idOf(everybody.world.engineer.email) },
    // No member of Acme has approved a grant on Globex's ticket.
    approverId: customer === 'acme' ? idOf(approver) : idOf(emails.jiraAdmin),
    ...(grant === undefined ? {} : { grant }),
  };
}

function naming(by: Way[2], { ticketId, grantId }: Target): Record<string, unknown> {
  switch (by) {
    case 'ticket':
      return { ticketId };
    case 'grant':
      return { grantId };
    case 'bulk':
      return { grantIds: [grantId] };
  }
}

function inWords({ cell, obstacles: reported }: Attempt): string {
  return cell === 'why' ? joined(reported) : cell;
}

function joined(codes: readonly string[]): string {
  const word = (code: string) => Object.entries(obstacles).find((entry) => entry[1] === code)?.[0] ?? code;
  return codes.map(word).join('+');
}
