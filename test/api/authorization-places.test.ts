/** Every role × every place, as the tables have it: who may grant, revoke and decide for Guard where, and why not. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OperationName } from '../../src/authorization/operations.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import type { ProductKey, SiteName } from '../support/world.ts';
import { type Attempt, attempt, forEach, readTable } from './authorization-asking.ts';
import {
  type Everybody,
  fileTickets,
  gatherEverybody,
  type Name,
  type TicketSpec,
} from './authorization-people.ts';
import { obstacles, whoMayDecideForGuard, whoMayGrant, whoMayRevoke } from './authorization-table.ts';

let gateway: TestGateway;
let everybody: Everybody;

beforeAll(async () => {
  gateway = await startGateway({ maintenance: false });
  everybody = await gatherEverybody(gateway);
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
];

test.each(waysToGrant)('%s, its grant %s, named by its %s', async (name, grant, by) => {
  const answered = await inEveryPlace(whoMayGrant, grant, async (person, target) =>
    inWords(await attempt(person, name, naming(by, target))),
  );
  expect(answered).toEqual(readTable(whoMayGrant));
});

test('the ticket itself tells everybody who sees it what the refusals say', async () => {
  const query = `query ($id: ID!) { node(id: $id) { ... on Ticket { accessEligibility { allowed obstacles { code } } } } }`;
  const answered = await inEveryPlace(whoMayGrant, undefined, async (person, { ticketId }) => {
    const { node }: Json = await person.ask(query, { id: ticketId });
    if (node === null) return '-';
    const { allowed, obstacles: found } = node.accessEligibility;
    return allowed ? 'yes' : joined(found.map((obstacle: Json) => obstacle.code));
  });
  expect(answered).toEqual(readTable(whoMayGrant));
});

test.each<Way>([
  ['revokeDataAccess', 'ACTIVE', 'grant'],
  ['revokeDataAccess', 'PENDING_GUARD_APPROVAL', 'grant'],
  ['revokeDataAccessInBulk', 'ACTIVE', 'bulk'],
])('%s, its grant %s', async (name, grant, by) => {
  const due = readTable(whoMayGrant);
  const answered = await inEveryPlace(whoMayRevoke, grant, async (person, target, who, where) => {
    const { cell, obstacles: told } = await attempt(person, name, naming(by, target));
    if (cell === 'why') expect(joined(told)).toBe(due.get(who)?.get(where));
    return cell;
  });
  expect(answered).toEqual(readTable(whoMayRevoke));
});

test.each(['approveGuardRequest', 'denyGuardRequest'] as const)('%s', async (name) => {
  const answered = await inEveryPlace(
    whoMayDecideForGuard,
    'PENDING_GUARD_APPROVAL',
    async (person, target) => inWords(await attempt(person, name, { grantId: target.grantId })),
  );
  expect(answered).toEqual(readTable(whoMayDecideForGuard));
});

type Target = { ticketId: string; grantId: string };

/** Asks everybody of the table, each in every place of the table, and each about a grant of their own. */
async function inEveryPlace(
  table: string,
  grant: TicketSpec['grant'],
  ask: (person: Person, target: Target, who: Name, where: string) => Promise<string>,
): Promise<Map<string, Map<string, string>>> {
  const names = [...readTable(table).keys()] as Name[];
  const places = [
    ...(readTable(table)
      .get(names[0] ?? '')
      ?.keys() ?? []),
  ];
  const cells = names.flatMap((who) => places.map((where) => ({ who, where })));
  const targets = await fileTickets(
    gateway,
    cells.map(({ where }) => specOf(where, grant)),
  );
  const answered = await forEach([...cells.entries()], async ([index, { who, where }]) => {
    const [person] = everybody.people[who];
    const target = targets[index];
    if (person === undefined || target === undefined) throw new Error(`Nobody is ${who}`);
    return await ask(person, target, who, where);
  });
  return new Map(
    names.map((name, row) => [
      name,
      new Map(places.map((place, column) => [place, answered[row * places.length + column] ?? ''])),
    ]),
  );
}

function specOf(where: string, grant: TicketSpec['grant']): TicketSpec {
  const [first, product] = where.split(':') as [SiteName | 'globex', ProductKey];
  const customer = first === 'globex' ? 'globex' : 'acme';
  const { emails, sites } = everybody.world[customer];
  const site = sites[first === 'globex' ? 'main' : first];
  const idOf = (email: string) => everybody.accountIds.get(email) ?? '';
  return {
    ...{ siteId: site.id, productId: site.products[product] },
    ...{ reporterId: idOf(emails.reporter), assigneeId: idOf(everybody.world.engineer.email) },
    // Nobody of Acme's has approved on Globex's ticket.
    approverId: customer === 'acme' ? idOf('approver@acme.example') : idOf(emails.jiraAdmin),
    // On the deactivated site too, as if one had been left open there by mistake.
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

function inWords({ cell, obstacles: told }: Attempt): string {
  return cell === 'why' ? joined(told) : cell;
}

function joined(codes: readonly string[]): string {
  const word = (code: string) => Object.entries(obstacles).find((entry) => entry[1] === code)?.[0] ?? code;
  return codes.map(word).join('+');
}
