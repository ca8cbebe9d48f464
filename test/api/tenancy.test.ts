/**
 * Nobody sees anything of another customer. Random people of two customers send random queries and mutations,
 * drawn from the schema, which name the other customer's objects by id, key, URL, email and cursor; and they
 * subscribe to the other's events. No answer contains a name or an id of the other customer.
 *
 * A failure prints the seed: TENANCY_SEED=… draws the same people and requests again. TENANCY_RUNS=… draws more.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer, Json, Person, TestGateway } from '../support/gateway.ts';
import { listen } from '../support/listen.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
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
const runs = Number(process.env['TENANCY_RUNS'] ?? bySize(30, 400));
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
  const streams = await Promise.all(
    [...listeners.entries()].flatMap(([index, { own, person, theirs }]) => {
      const { ids: named } = things[own];
      const narrow = draw.pick([
        { siteId: draw.pick(named['Site']?.slice(0, 4) ?? []) },
        { ticketId: draw.pick(named['Ticket']?.slice(0, 4) ?? []) },
      ]);
      // On an ordinary day to one of the subscriptions.
      const fields = bySize([draw.pick(subscriptionFields)], subscriptionFields);
      return fields.map(async (field) => {
        const variables = { filter: theirs ? narrow : {}, state: draw.chance(50) };
        const stream = await listen(gateway, person, documentOf(field), variables);
        return { own, person, theirs, field, stream, ticketId: signals[index] ?? '' };
      });
    }),
  );

  for (const customer of [...customers, ...customers]) {
    const { ticketId } = await fileTicket(gateway, world, { customer });
    await everythingHappensOn([ticketId], customer);
  }
  for (const customer of customers) {
    const own = signals.filter((_, index) => listeners[index]?.own === customer);
    await everythingHappensOn(own, customer);
  }

  const received: Record<CustomerName, Set<string>> = { acme: new Set(), globex: new Set() };
  const check = async (
    { own, person, field, stream }: (typeof streams)[number],
    enough: (text: string) => boolean,
  ) => {
    const text = await stream.until(enough);
    expect(findTraces(text, otherThan(own), ids[otherThan(own)]), `${person.email} ${field}`).toEqual([]);
    if (text.includes(own)) received[own].add(`${person.email} ${field}`);
    return text;
  };
  await Promise.all(
    streams
      .filter(({ theirs }) => !theirs)
      .map((one) => {
        const { about, happens } = subscriptions[one.field];
        const own = `"type":"${happens}","${about}":{"ticket":{"id":"${one.ticketId}"`;
        return check(one, (text) => text.includes(own));
      }),
  );
  for (const customer of customers) expect(received[customer].size).toBeGreaterThan(5);

  // Ends the streams that receive nothing: their accounts are deactivated.
  const silent = streams.filter(({ theirs }) => theirs);
  for (const email of new Set(silent.map(({ person }) => person.email))) {
    const { rows } = await gateway.sql.query<{ id: string; kind: string }>(
      'SELECT id, kind FROM accounts WHERE email = $1',
      [email],
    );
    const type = rows[0]?.kind === 'USER' ? 'User' : 'ServiceAccount';
    await done(world.operator, 'deactivateAccount', { accountId: globalId(type, rows[0]?.id ?? '') });
  }
  await Promise.all(
    silent.map(async (one) => {
      const text = await check(one, (received) => received.includes('ACCESS_ENDED'));
      expect(text).not.toContain(`"${subscriptions[one.field].about}":{`);
    }),
  );
  await gateway.sql.query('UPDATE accounts SET active = true');
});

const ofTicket =
  'ticket { id key summary site { name url organization { name } } reporter { email } grants { edges { node { id } } } }';

/** What each subscription delivers, with the type of the last event that everybody waits for. */
const subscriptions = {
  grantEvents: {
    ...{ about: 'grant', happens: 'ACTIVATED', filter: 'GrantEventFilter' },
    selection: 'id state justification engineer { email } decisions { reason decidedBy { email } }',
  },
  sessionEvents: {
    ...{ about: 'session', happens: 'SESSION_STARTED', filter: 'SessionEventFilter' },
    selection: 'id note grant { id justification } engineer { email } site { name } endedBy { email }',
  },
  changeRequestEvents: {
    ...{ about: 'changeRequest', happens: 'CONSENTED', filter: 'ChangeRequestEventFilter' },
    selection:
      'id description justification resourceId decisionReason requestedBy { email } decidedBy { email }',
  },
} as const;
type SubscriptionField = keyof typeof subscriptions;
const subscriptionFields = Object.keys(subscriptions) as SubscriptionField[];

function documentOf(field: SubscriptionField): string {
  const { about, filter, selection } = subscriptions[field];
  return `subscription ($filter: ${filter}, $state: Boolean!) {
    ${field}(filter: $filter, withCurrentState: $state) { cursor type ${about} { ${ofTicket} ${selection} } } }`;
}

/** On each of the tickets a grant is approved and used, and a change is requested and consented to. */
async function everythingHappensOn(ticketIds: readonly string[], customer: CustomerName): Promise<void> {
  const admin = await gateway.as(world[customer].emails.organizationAdmin);
  const engineer = await gateway.as(world.engineer.email);
  const reason = `${customer}'s reason`;
  for (const ticketId of ticketIds) {
    const { id: grantId } = await done(admin, 'approveDataAccess', { ticketId, reason });
    const use = { grantId, reason: 'GATHER_LOGS', note: `${customer}'s logs`, country: 'DE' };
    await done(engineer, 'startSupportSession', use);
    const { id: changeRequestId } = await done(engineer, 'requestChange', {
      ...{ ticketId, kind: 'PERMISSIONS', resourceType: 'project', resourceId: `${customer}-project` },
      ...{ description: `${customer}'s browsers`, justification: `${customer}'s board cannot be opened` },
      validUntil: new Date(Date.now() + 86_400_000).toISOString(),
    });
    await done(admin, 'consentToChange', { changeRequestId, reason });
    await noteTicket(customer, rawId(ticketId));
  }
}

/** Whatever has a list, asked for the other customer's by its site and its ticket, and for all that the person may see. */
test(`no list shows another customer, ${seedNote}`, async () => {
  const draw = drawSeeded(seed);
  const nodes = (selection: string) => `(first: 100) { edges { node { ${selection} } } }`;
  const query = `query ($siteId: ID!, $url: String!, $ticketId: ID!, $key: String!) {
    site(url: $url) { activeAccess${nodes('id ticket { key summary } engineer { email }')} }
    ticket(key: $key) { timeline${nodes('id occurredAt summary')} }
    nodes(ids: [$siteId, $ticketId]) { id }
    sites${nodes('url activeAccess(first: 10) { edges { node { id ticket { summary } } } }')}
    tickets${nodes('key timeline(first: 10) { edges { node { id summary } } }')}
    supportSessions${nodes('id note ticket { key }')}
    changeRequests${nodes('id description ticket { key } requestedBy { email }')}
    onSite: changeRequests(first: 100, filter: { siteId: $siteId }) { edges { node { id } } }
    onTicket: changeRequests(first: 100, filter: { ticketId: $ticketId }) { edges { node { id } } }
    rovoDataDeletions${nodes('id reason organization { name } requestedBy { email }')}
    inboundTicketEvents${nodes('id externalId webhookId integration { email }')} }`;
  const shown = new Set<string>();
  for (const own of customers) {
    const other = otherThan(own);
    for (const person of people[own]) {
      const site = world[other].sites.main;
      const ticketId = draw.pick(possessions[other]['Ticket'] ?? []);
      const { rows } = await gateway.sql.query('SELECT key FROM tickets WHERE id = $1', [ticketId]);
      const named = {
        siteId: site.id,
        url: site.url,
        ticketId: globalId('Ticket', ticketId),
        key: rows[0].key,
      };
      const { data, errors } = await person.send(query, named);
      expect(findTraces(JSON.stringify([data, errors]), other, ids[other]), person.email).toEqual([]);
      expect(unexpected(errors), person.email).toEqual([]);
      for (const [list, { edges = [] }] of Object.entries<Json>(data ?? {}).filter(
        ([, value]) => value?.edges,
      ))
        if (edges.length > 0) shown.add(list);
    }
  }
  // Each list showed somebody their own.
  expect([...shown].toSorted()).toEqual([
    ...['changeRequests', 'inboundTicketEvents', 'rovoDataDeletions', 'sites', 'supportSessions', 'tickets'],
  ]);
});

test.each([...subscriptionFields, 'auditEvents'])(
  'the cursor of another viewer is refused: %s',
  async (field) => {
    const [admin, thief] = await Promise.all(
      customers.map((customer) => gateway.as(world[customer].emails.organizationAdmin)),
    );
    if (admin === undefined || thief === undefined) throw new Error('Two customers');
    const open = `subscription ($after: String) { ${field}(after: $after) { cursor } }`;
    const own = await (await listen(gateway, admin, open)).until((text) => text.includes('"cursor"'));
    const cursor = /"cursor":"([^"]+)"/.exec(own)?.[1];
    expect(cursor).toBeDefined();
    const stolen = await listen(gateway, thief, open, { after: cursor });
    expect(await stolen.until((text) => text.includes('"data"'))).toContain('CURSOR_OF_ANOTHER_VIEWER');
  },
);

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
      const addresses = (things[own].texts['email'] ?? []).filter((email) => mutation.includes(email));
      const answer = without(addresses, JSON.stringify([data, errors]));
      const traces = findTraces(answer, other, ids[other]).filter((trace) => !named.has(trace));
      expect(traces, mutation).toEqual([]);
      expect(unexpected(errors), mutation).toEqual([]);
      expect(
        (await written()).filter((one) => touches(one, other, { named, addresses })),
        mutation,
      ).toEqual([]);
      if (/_NOT_FOUND|"NOT_FOUND|NotFoundError/.test(answer))
        refused.add(/_0: (\w+)/.exec(mutation)?.[1] ?? '');
    }),
    { seed, numRuns: runs, endOnFailure: true },
  );
  expect(refused.size).toBeGreaterThan(bySize(2, 15));
});

/** Whoever names an address, as an admin who invites somebody, learns nothing from reading it again. */
function without(addresses: readonly string[], text: string): string {
  return addresses.reduce((rest, address) => rest.replaceAll(address, ''), text);
}

/** Whether the written row belongs to the other customer; an audit entry, by its organization. */
function touches(
  { relation, row }: Written,
  other: CustomerName,
  { named, addresses }: { named: ReadonlySet<string>; addresses: readonly string[] },
): boolean {
  if (relation === 'audit_entries') {
    if (row.organization_id === null) return false;
    if (row.organization_id === rawId(world[other].organizationId)) return true;
  }
  const text = without(addresses, JSON.stringify(row));
  return findTraces(text, other, ids[other]).some((trace) => !named.has(trace));
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
      assigneeId: rawId(world.engineer.id),
      grant: 'PENDING_APPROVAL' as const,
    })),
  );
  for (const [index, { ticketId }] of made.entries()) {
    const own = listeners[index]?.own;
    if (own !== undefined) await noteTicket(own, rawId(ticketId));
  }
  return made.map(({ ticketId }) => ticketId);
}

/** Notes that the ticket and what is on it belong to the customer. */
async function noteTicket(customer: CustomerName, ticketId: string): Promise<void> {
  const { rows } = await gateway.sql.query<{ id: string }>(
    ['grants', 'support_sessions', 'change_requests']
      .map((table) => `SELECT id FROM ${table} WHERE ticket_id = $1`)
      .join(' UNION ALL '),
    [ticketId],
  );
  for (const id of [ticketId, ...rows.map((row) => row.id)]) ids[customer].add(id);
}

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
