/**
 * Nobody sees anything of another customer. Random people of two customers send random queries and mutations,
 * drawn from the schema, which name the other customer's objects by id, key, URL, email and cursor; and they
 * subscribe to the other's events. No answer contains a name or an id of the other customer.
 *
 * A failure prints the seed: TENANCY_SEED=… draws the same people and requests again. TENANCY_RUNS=… draws more.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer, Person, TestGateway } from '../support/gateway.ts';
import { listen } from '../support/listen.ts';
import { insertInboundTicketEvents } from '../support/rows.ts';
import { bySize } from '../support/size.ts';
import { assignRole, done, fileTicket, type World } from '../support/world.ts';
import { journal, type Written } from '../support/written.ts';
import { fileTickets, globalId, rawId } from './authorization-people.ts';
import {
  addRandomPeople,
  type CustomerName,
  customers,
  findTraces,
  listPossessions,
  otherThan,
  startGatewayWithMarkedWorld,
  thingsToName,
} from './tenancy-customers.ts';
import { type Draw, drawFrom, drawSeeded, type Things, writeDocument } from './tenancy-documents.ts';

const seed = Number(process.env['TENANCY_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['TENANCY_RUNS'] ?? bySize(60, 400));
const seedNote = `TENANCY_SEED=${seed}`;

let gateway: TestGateway;
let world: World;
let people: Record<CustomerName, Person[]>;
let ids: Record<CustomerName, Set<string>>;
let possessions: Record<CustomerName, Record<string, string[]>>;
let things: Record<CustomerName, Things>;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithMarkedWorld());
  people = { acme: [], globex: [] };
  for (const customer of customers) {
    const program = `program@${customer}.example`;
    await done(world.operator, 'addServiceAccount', {
      ...{ email: program, name: `${customer} program`, organizationId: world[customer].organizationId },
      capabilities: ['TICKETING', 'GRANT_WATCHING', 'AUDIT_READING'],
    });
    await insertInboundTicketEvents(gateway, program, 5);
    people[customer] = [
      ...(await addRandomPeople(gateway, world, customer, { count: bySize(5, 10), seed })),
      ...(await Promise.all(Object.values(world[customer].emails).map((email) => gateway.as(email)))),
      await gateway.as(program),
    ];
  }
  possessions = {
    acme: await listPossessions(gateway, world.acme.organizationId),
    globex: await listPossessions(gateway, world.globex.organizationId),
  };
  ids = {
    acme: new Set(Object.values(possessions.acme).flat()),
    globex: new Set(Object.values(possessions.globex).flat()),
  };
  things = {
    acme: await thingsToName(gateway, world, possessions, 'acme'),
    globex: await thingsToName(gateway, world, possessions, 'globex'),
  };
});
afterAll(() => gateway.dispose());

function anyone(draw: Draw): { own: CustomerName; other: CustomerName; person: Person } {
  const own = draw.pick(customers);
  return { own, other: otherThan(own), person: draw.pick(people[own]) };
}

/** On an ordinary day everybody asks for one page of the ids, and each page is asked for by several people. */
test(`no object of the other customer is found by its id, ${seedNote}`, async () => {
  for (const own of customers) {
    const theirs = Object.entries(possessions[otherThan(own)]).flatMap(([type, all]) =>
      type === 'Decision' ? [] : all.map((id) => globalId(type, id)),
    );
    expect(theirs.length).toBeGreaterThan(150);
    const pages = Math.ceil(theirs.length / 100);
    for (const [index, person] of people[own].entries()) {
      const asked = bySize([(seed + index) % pages], [...Array(pages).keys()]);
      for (const from of asked.map((page) => page * 100)) {
        const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }';
        const { nodes } = await person.ask(query, { ids: theirs.slice(from, from + 100) });
        expect(nodes.filter((node: unknown) => node !== null)).toEqual([]);
      }
    }
  }
});

test(`no query shows another customer, ${seedNote}`, async () => {
  let answered = 0;
  let tempting = 0;
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (generator) => {
      const draw = drawFrom(generator);
      const { own, other, person } = anyone(draw);
      const query = writeDocument(draw, 'query', things[own]);
      const { data, errors } = await person.send(query);
      expect(findTraces(JSON.stringify([data, errors]), other, ids[other]), query).toEqual([]);
      expect(unexpected(errors), query).toEqual([]);
      if (data !== null) answered += 1;
      const everything = await world.operator.send(query);
      if (findTraces(JSON.stringify(everything.data), other, ids[other]).length > 0) tempting += 1;
    }),
    { seed, numRuns: runs, endOnFailure: true },
  );
  // The queries tested something: most had data, and many would have shown the other customer to an operator.
  expect(answered).toBeGreaterThan(runs * 0.5);
  expect(tempting).toBeGreaterThan(runs * 0.4);
});

function unexpected(errors: Answer['errors']): Answer['errors'] {
  return errors.filter(({ extensions }) => extensions['code'] === 'INTERNAL_SERVER_ERROR');
}

/**
 * Everybody subscribes, some to all events, some to a site or a ticket of the other customer. Then something
 * happens at the other customer, and after that to a grant of the subscriber's own. When a subscriber to all
 * events has received the latter, it would have received the former too.
 */
test(`no subscription shows another customer, ${seedNote}`, async () => {
  const draw = drawSeeded(seed);
  const listeners = customers.flatMap((own) =>
    people[own].map((person) => ({ own, person, theirs: draw.chance(40) })),
  );
  const signals = await fileTicketsOf(listeners);
  const listening = await Promise.all(
    listeners.map(async ({ own, person, theirs }) => {
      const { ids: named } = things[own];
      const narrow = draw.pick([
        { siteId: draw.pick(named['Site']?.slice(0, 4) ?? []) },
        { ticketId: draw.pick(named['Ticket']?.slice(0, 4) ?? []) },
      ]);
      const variables = { filter: theirs ? narrow : {}, state: draw.chance(50) };
      return await listen(gateway, person, subscription, variables);
    }),
  );

  for (const customer of [...customers, ...customers]) {
    const { ticketId } = await fileTicket(gateway, world, { customer });
    await noteTicket(customer, rawId(ticketId));
    const admin = await gateway.as(world[customer].emails.organizationAdmin);
    await done(admin, 'approveDataAccess', { ticketId, reason: `${customer}'s reason` });
  }
  for (const customer of customers) {
    const admin = await gateway.as(world[customer].emails.organizationAdmin);
    const grantIds = signals.filter((_, index) => listeners[index]?.own === customer);
    await done(admin, 'approveDataAccessInBulk', { grantIds });
  }

  const received = { acme: 0, globex: 0 };
  const check = async (index: number, enough: (text: string) => boolean) => {
    const [listener, stream] = [listeners[index], listening[index]];
    if (listener === undefined || stream === undefined) throw new Error('Nobody subscribes');
    const { own, person } = listener;
    const text = await stream.until(enough);
    expect(findTraces(text, otherThan(own), ids[otherThan(own)]), person.email).toEqual([]);
    if (text.includes(own)) received[own] += 1;
    return text;
  };
  const which = (theirs: boolean) =>
    [...listeners.keys()].filter((index) => listeners[index]?.theirs === theirs);
  await Promise.all(
    which(false).map((index) =>
      check(index, (text) => text.includes(`"type":"ACTIVATED","grant":{"id":"${signals[index]}"`)),
    ),
  );
  for (const customer of customers) expect(received[customer]).toBeGreaterThan(5);

  // Ends the streams that receive nothing: their accounts are deactivated.
  for (const index of which(true)) {
    const { rows } = await gateway.sql.query<{ id: string; kind: string }>(
      'SELECT id, kind FROM accounts WHERE email = $1',
      [listeners[index]?.person.email],
    );
    const type = rows[0]?.kind === 'USER' ? 'User' : 'ServiceAccount';
    await done(world.operator, 'deactivateAccount', { accountId: globalId(type, rows[0]?.id ?? '') });
  }
  await Promise.all(
    which(true).map(async (index) => {
      const text = await check(index, (received) => received.includes('ACCESS_ENDED'));
      expect(text).not.toContain('"grant":{');
    }),
  );
  await gateway.sql.query('UPDATE accounts SET active = true');
});

const subscription = `subscription ($filter: GrantEventFilter, $state: Boolean!) {
  grantEvents(filter: $filter, withCurrentState: $state) { cursor type grant { id state justification
    ticket { id key summary site { name url organization { name } } reporter { email } grants { edges { node { id } } } }
    engineer { email } decisions { reason decidedBy { email } } } }
}`;

test.each(['grantEvents', 'sessionEvents'])('the cursor of another viewer is refused: %s', async (field) => {
  const [admin, thief] = await Promise.all(
    customers.map((customer) => gateway.as(world[customer].emails.organizationAdmin)),
  );
  if (admin === undefined || thief === undefined) throw new Error('Two customers');
  const open = `subscription ($after: String) { ${field}(after: $after, withCurrentState: true) { cursor } }`;
  const own = await (await listen(gateway, admin, open)).until((text) => text.includes('"cursor"'));
  const cursor = /"cursor":"([^"]+)"/.exec(own)?.[1];
  expect(cursor).toBeDefined();
  const stolen = await listen(gateway, thief, open, { after: cursor });
  expect(await stolen.until((text) => text.includes('"data"'))).toContain('CURSOR_OF_ANOTHER_VIEWER');
});

test('a former member does not get an earlier answer again by its idempotency key', async () => {
  const { ticketId } = await fileTicket(gateway, world, { customer: 'acme' });
  const { organizationId } = world.acme;
  const email = 'leaver@acme.example';
  const { id: userId } = await done(world.operator, 'addUser', {
    organizationId,
    email,
    name: 'acme leaver',
  });
  await assignRole(world, { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
  const leaver = await gateway.as(email);
  const again = () =>
    leaver.ask(
      `mutation ($input: ApproveDataAccessInput!) { approveDataAccess(input: $input) {
         ... on Grant { ticket { summary site { url } reporter { email } } } ... on Error { code } } }`,
      { input: { ticketId, idempotencyKey: 'the-same' } },
    );
  expect((await again()).approveDataAccess.ticket.site.url).toBe(world.acme.sites.main.url);
  await done(world.operator, 'removeUser', { organizationId, userId });
  expect(await again()).toEqual({ approveDataAccess: { code: 'NOT_FOUND' } });
});

/** Comes last, because the mutations may change what the other tests use. */
test(`no mutation shows or changes another customer, ${seedNote}`, async () => {
  const written = await journal(gateway.sql);
  const refused = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.gen(), async (generator) => {
      const draw = drawFrom(generator);
      const { own, other, person } = anyone(draw);
      const mutation = writeDocument(draw, 'mutation', things[own]);
      const named = new Set(findTraces(mutation, other, ids[other]));
      const { data, errors } = await person.send(mutation);
      const answer = JSON.stringify([data, errors]);
      const traces = findTraces(answer, other, ids[other]).filter((trace) => !named.has(trace));
      expect(traces, mutation).toEqual([]);
      expect(unexpected(errors), mutation).toEqual([]);
      expect(
        (await written()).filter((one) => touches(one, other, named)),
        mutation,
      ).toEqual([]);
      if (/_NOT_FOUND|"NOT_FOUND|NotFoundError/.test(answer))
        refused.add(/_0: (\w+)/.exec(mutation)?.[1] ?? '');
    }),
    { seed, numRuns: runs, endOnFailure: true },
  );
  expect(refused.size).toBeGreaterThan(bySize(10, 15));
});

/** Whether the written row belongs to the other customer; an audit entry, by its organization. */
function touches({ relation, row }: Written, other: CustomerName, named: ReadonlySet<string>): boolean {
  if (relation === 'audit_entries') {
    if (row.organization_id === null) return false;
    if (row.organization_id === rawId(world[other].organizationId)) return true;
  }
  return findTraces(JSON.stringify(row), other, ids[other]).some((trace) => !named.has(trace));
}

/** For each subscriber a ticket with an open request, reported by them where they are a member. */
async function fileTicketsOf(listeners: readonly { own: CustomerName; person: Person }[]): Promise<string[]> {
  const { rows } = await gateway.sql.query<{ email: string; id: string }>(
    `SELECT email, id FROM accounts WHERE kind = 'USER'`,
  );
  const idOf = new Map(rows.map(({ email, id }) => [email, id]));
  const made = await fileTickets(
    gateway,
    listeners.map(({ own, person }) => ({
      siteId: world[own].sites.main.id,
      productId: world[own].sites.main.products.jira,
      reporterId: idOf.get(person.email) ?? idOf.get(world[own].emails.reporter) ?? '',
      assigneeId: null,
      grant: 'PENDING_APPROVAL' as const,
    })),
  );
  for (const [index, { ticketId }] of made.entries()) {
    const own = listeners[index]?.own;
    if (own !== undefined) await noteTicket(own, rawId(ticketId));
  }
  return made.map(({ grantId }) => grantId);
}

/** Notes that the ticket and its grants belong to the customer. */
async function noteTicket(customer: CustomerName, ticketId: string): Promise<void> {
  const { rows } = await gateway.sql.query<{ id: string }>('SELECT id FROM grants WHERE ticket_id = $1', [
    ticketId,
  ]);
  for (const id of [ticketId, ...rows.map((row) => row.id)]) ids[customer].add(id);
}
