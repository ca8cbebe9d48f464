/** Every list of the API: its pages, its bounds, its order and its filters. */
import { isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import { expectToCombine } from '../support/filters.ts';
import type { Answer, Json, Person, TestGateway } from '../support/gateway.ts';
import {
  activateGrants,
  globalId,
  insertActions,
  insertAdmins,
  insertAuditEntries,
  insertAuditStreams,
  insertDeletions,
  insertInboundTicketEvents,
  insertInvitations,
  insertOpenRequests,
  insertOrganizations,
  insertProducts,
  insertProposedChanges,
  insertSessions,
  insertSites,
  insertStatusChanges,
  insertWithdrawnChangeRequests,
  insertWithdrawnGrants,
  rawId,
} from '../support/rows.ts';
import { bySize, everyNth, seedOf } from '../support/size.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let admin: Person;
let operator: Person;
let ticketId: string;
let grantId: string;
let sessionId: string;
/** More than one page of the largest size. */
const filler = 120;
/** Which invalid cursors are given to a list, and as which of `after` and `before`, on an ordinary day. */
const seed = seedOf('LISTS_SEED');

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const { organizationId, sites, emails } = world.acme;
  const filed = await fileTicket(gateway, world);
  ticketId = filed.ticketId;
  grantId = filed.grantId ?? '';
  operator = await gateway.as('operator@vendor.example');
  admin = await gateway.as(emails.organizationAdmin);
  await done(admin, 'approveDataAccess', { grantId });
  const sessions = await insertSessions(gateway, rawId(grantId), filler);
  await done(admin, 'revokeDataAccess', { grantId });
  const session = sessions.at(-1) ?? '';
  sessionId = globalId('SupportSession', session);
  await insertActions(gateway, session, filler);
  await insertOrganizations(gateway, filler);
  await insertSites(gateway, rawId(organizationId), filler);
  await insertProducts(gateway, rawId(sites.main.id), filler);
  await insertAdmins(gateway, rawId(organizationId), filler);
  await insertAuditEntries(gateway, rawId(organizationId), filler);
  await insertInboundTicketEvents(gateway, world.services.ticketing, filler);
  await insertProposedChanges(gateway, rawId(organizationId), operator.email, filler);
  const { node } = await admin.ask(`{ node(id: "${ticketId}") { ... on Ticket { reporter { id } } } }`);
  const of = {
    ticketId: rawId(ticketId),
    siteId: rawId(sites.main.id),
    requestedById: rawId(node.reporter.id),
  };
  await insertInvitations(
    gateway,
    rawId(organizationId),
    world.acme.emails.organizationAdmin,
    Array.from({ length: filler }, (_, at) => `invited-${at}@newcomers.example`),
  );
  await insertAuditStreams(
    ...([gateway, rawId(organizationId), world.acme.emails.organizationAdmin, filler] as const),
  );
  await insertDeletions(gateway, rawId(organizationId), of.requestedById, filler);
  await insertWithdrawnGrants(gateway, of, filler);
  await insertWithdrawnChangeRequests(gateway, { ...of, organizationId: rawId(organizationId) }, filler);
  const about = { siteId: of.siteId, productId: rawId(sites.main.products.jira) };
  const people = { reporterId: of.requestedById, engineerId: null };
  await insertOpenRequests(gateway, { project: 'FILL', ...about, ...people }, filler, 'Slow');
  const approved = { project: 'OPEN', ...about, ...people };
  await activateGrants(
    gateway,
    await insertOpenRequests(gateway, approved, filler, 'Slow'),
    of.requestedById,
  );
  await insertStatusChanges(
    gateway,
    { organizationId: rawId(organizationId), ticketId: of.ticketId },
    filler,
  );
});
afterAll(() => gateway.dispose());

async function fileTicketAgain(): Promise<void> {
  const reporter = await gateway.as(world.acme.emails.reporter);
  const input = { productId: world.acme.sites.main.products.jira, summary: 'Slow', grantDataAccess: false };
  await done(reporter, 'createTicket', input);
}

type List = {
  by: () => Person;
  /** The operation around the list's field, and the path to the list in the answer. */
  within: (field: string) => string;
  path: string[];
};

const onOrganization = (field: string) =>
  `node(id: "${world.acme.organizationId}") { ... on Organization { ${field} } }`;
const onSite = (field: string) => `site(url: "${world.acme.sites.main.url}") { ${field} }`;
const onTicket = (field: string) => `node(id: "${ticketId}") { ... on Ticket { ${field} } }`;
const onGrant = (field: string) => `node(id: "${grantId}") { ... on Grant { ${field} } }`;
const onSession = (field: string) => `node(id: "${sessionId}") { ... on SupportSession { ${field} } }`;
const itself = (field: string) => field;
const lists: Record<string, List> = {
  'Query.accounts': { by: () => operator, within: itself, path: [] },
  'Query.auditLog': { by: () => admin, within: itself, path: [] },
  'Query.changeRequests': { by: () => admin, within: itself, path: [] },
  'Query.grants': { by: () => admin, within: itself, path: [] },
  'Query.inboundTicketEvents': { by: () => operator, within: itself, path: [] },
  'Query.organizations': { by: () => operator, within: itself, path: [] },
  'Query.roleAssignments': { by: () => admin, within: itself, path: [] },
  'Query.rovoDataDeletions': { by: () => admin, within: itself, path: [] },
  'Query.sites': { by: () => admin, within: itself, path: [] },
  'Query.supportSessions': { by: () => admin, within: itself, path: [] },
  'Query.tickets': { by: () => admin, within: itself, path: [] },
  'Organization.grants': { by: () => admin, within: onOrganization, path: ['node'] },
  'Organization.tickets': { by: () => admin, within: onOrganization, path: ['node'] },
  'Organization.proposedChanges': { by: () => admin, within: onOrganization, path: ['node'] },
  'Organization.rovoDataDeletions': { by: () => admin, within: onOrganization, path: ['node'] },
  'Organization.auditStreams': { by: () => admin, within: onOrganization, path: ['node'] },
  'Organization.invitations': { by: () => admin, within: onOrganization, path: ['node'] },
  'Organization.sites': { by: () => admin, within: onOrganization, path: ['node'] },
  'Site.activeAccess': { by: () => admin, within: onSite, path: ['site'] },
  'Site.grants': { by: () => admin, within: onSite, path: ['site'] },
  'Site.products': { by: () => admin, within: onSite, path: ['site'] },
  'Site.tickets': { by: () => admin, within: onSite, path: ['site'] },
  'Ticket.changeRequests': { by: () => admin, within: onTicket, path: ['node'] },
  'Ticket.grants': { by: () => admin, within: onTicket, path: ['node'] },
  'Ticket.timeline': { by: () => admin, within: onTicket, path: ['node'] },
  'Ticket.supportSessions': { by: () => admin, within: onTicket, path: ['node'] },
  'Grant.sessions': { by: () => admin, within: onGrant, path: ['node'] },
  'SupportSession.actions': { by: () => admin, within: onSession, path: ['node'] },
  'AccessEligibility.eligibleGrantors': {
    by: () => admin,
    within: (field) => onTicket(`accessEligibility { ${field} }`),
    path: ['node', 'accessEligibility'],
  },
};
const names = Object.keys(lists);

type Page = { edges: { cursor: string; node: { id: string } }[]; pageInfo: Json };

async function send(name: string, args: Record<string, unknown>): Promise<Answer> {
  const { by, within } = listOf(name);
  const node = name === 'Query.accounts' ? '__typename ... on Node { id }' : 'id';
  return await by().send(
    `query ($first: Int, $after: String, $last: Int, $before: String) {
      ${within(`${fieldOf(name)}(first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { ${node} } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`)} }`,
    args,
  );
}

async function pageOf(name: string, args: Record<string, unknown>): Promise<Page> {
  return pageIn(name, await send(name, args));
}

function pageIn(name: string, { data, errors }: Answer): Page {
  expect(errors, name).toEqual([]);
  return [...listOf(name).path, fieldOf(name)].reduce((at, step) => at[step], data);
}

function listOf(name: string): List {
  const list = lists[name];
  if (list === undefined) throw new Error(name);
  return list;
}

const fieldOf = (name: string) => name.split('.')[1] ?? '';
const idsOf = ({ edges }: Page) => edges.map(({ node }) => node.id);

test('every list of the schema is tested', () => {
  const found = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.endsWith('Connection')
      ? Object.values(type.getFields())
          .filter((field) => String(field.type).replace('!', '').endsWith('Connection'))
          .map((field) => `${type.name}.${field.name}`)
      : [],
  );
  expect(found.sort()).toEqual([...names].sort());
});

/** A cursor of each list. */
const firstCursors = new Map<string, string | undefined>();
beforeAll(async () => {
  for (const name of names) firstCursors.set(name, (await pageOf(name, { first: 1 })).edges[0]?.cursor);
});

/** Half of the lists on an ordinary day. */
describe.each(everyNth(names, seed, 3))(`%s, LISTS_SEED=${seed}`, (name) => {
  test('has 20 items by default, and 100 at most', async () => {
    expect((await pageOf(name, {})).edges).toHaveLength(20);
    expect((await pageOf(name, { first: 100 })).edges).toHaveLength(100);
    for (const size of [101, 2_147_483_647]) {
      for (const args of [{ first: size }, { last: size }]) {
        const answer = await send(name, args);
        // An operation whose cost is too high is refused before; no page has more than 100 items.
        if (answer.data === null)
          expect(answer.errors[0]?.extensions).toMatchObject({ code: 'OPERATION_LIMIT_EXCEEDED' });
        else expect(pageIn(name, answer).edges).toHaveLength(100);
      }
    }
  });

  test('has an empty page for a size of 0', async () => {
    expect(await pageOf(name, { first: 0 })).toEqual({
      edges: [],
      pageInfo: { hasNextPage: true, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  test('pages forward and backward through the same rows', async () => {
    const [forward, backward] = [[] as string[], [] as string[]];
    for (let after: string | null = null; ; ) {
      const page: Page = await pageOf(name, { first: 67, after });
      forward.push(...idsOf(page));
      expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
      expect(page.pageInfo.startCursor).toBe(page.edges[0]?.cursor);
      if (!page.pageInfo.hasNextPage) break;
      expect(page.edges).toHaveLength(67);
      after = page.pageInfo.endCursor;
    }
    for (let before: string | null = null; ; ) {
      const page: Page = await pageOf(name, { last: 67, before });
      backward.unshift(...idsOf(page));
      expect(page.pageInfo.hasNextPage).toBe(before !== null);
      expect(page.pageInfo.endCursor).toBe(page.edges.at(-1)?.cursor);
      if (!page.pageInfo.hasPreviousPage) break;
      expect(page.edges).toHaveLength(67);
      before = page.pageInfo.startCursor;
    }
    expect(forward.length).toBeGreaterThan(100);
    expect(new Set(forward).size).toBe(forward.length);
    expect(backward).toEqual(forward);
  });

  test('returns the items between two cursors', async () => {
    const { edges } = await pageOf(name, { first: 10 });
    const between = { after: edges[2]?.cursor, before: edges[7]?.cursor };
    const expected = edges.slice(3, 7).map(({ node }) => node.id);
    expect(idsOf(await pageOf(name, { ...between, first: 100 }))).toEqual(expected);
    expect(idsOf(await pageOf(name, { ...between, last: 100 }))).toEqual(expected);
    expect(idsOf(await pageOf(name, { ...between, first: 2 }))).toEqual(expected.slice(0, 2));
    expect(idsOf(await pageOf(name, { ...between, last: 2 }))).toEqual(expected.slice(-2));
  });

  test('refuses invalid sizes and combinations of directions', async () => {
    for (const args of [{ first: -1 }, { last: -1 }, { first: 1, last: 1 }]) {
      expect((await send(name, args)).errors[0]?.extensions, JSON.stringify(args)).toMatchObject({
        code: 'BAD_USER_INPUT',
      });
    }
  });

  test('refuses cursors of other lists', async () => {
    const others = names.filter((other) => other !== name).map((other) => firstCursors.get(other));
    expect(others).not.toContain(undefined);
    const made = [
      ...['', 'garbage', '\u0000', `${name}:`, `${name}:${newId().toUpperCase()}`],
      ...[`${name}:1.2.3`, `${name}:1.2`, ...(name === 'Query.auditLog' ? [`auditLog:1.2`] : [])],
    ];
    const encoded = made.map((text) => Buffer.from(text).toString('base64url'));
    // Another part of them to each list.
    const from = seed + names.indexOf(name);
    const given = [...everyNth(others, from, 3), ...everyNth([...made, ...encoded], from, 3)];
    for (const [index, cursor] of given.entries()) {
      const one = (seed + index) % 2 === 0 ? 'after' : 'before';
      for (const argument of bySize([one], ['after', 'before'])) {
        const { errors } = await send(name, { [argument]: cursor });
        expect(errors[0]?.extensions, `${argument}: ${cursor}`).toMatchObject({ code: 'BAD_USER_INPUT' });
        expect(errors[0]?.message).toContain(`${argument} is not a cursor of this list`);
      }
    }
  });
});

test.each(names)(
  'a cursor of %s holds the id of its item, and no number that counts what others do',
  async (name) => {
    const { edges } = await pageOf(name, { first: 3 });
    for (const { cursor, node } of edges) {
      const [, key] = Buffer.from(cursor, 'base64url').toString().split(':');
      expect(key).toBe(rawId(node.id));
    }
  },
);

// The audit log, and with it a timeline and the actions of a session, is ordered by the time of writing, not by id.
test.each(
  names.filter((name) => !['Query.auditLog', 'Ticket.timeline', 'SupportSession.actions'].includes(name)),
)('%s returns the newest items first', async (name) => {
  const ids = idsOf(await pageOf(name, { first: 100 })).map(rawId);
  // Ids are made in the order of time.
  expect(ids).toEqual([...ids].sort().reverse());
});

test('a timeline is what succeeded on its ticket, in the order of the audit log', async () => {
  const { rows } = await gateway.sql.query<{ id: string }>(
    `SELECT id FROM audit_entries WHERE ticket_id = $1 AND outcome = 'SUCCEEDED' ORDER BY txid DESC, seq DESC LIMIT 100`,
    [rawId(ticketId)],
  );
  const ids = idsOf(await pageOf('Ticket.timeline', { first: 100 }));
  expect(ids).toEqual(rows.map(({ id }) => globalId('TimelineItem', id)));
});

describe('while tickets are being filed', () => {
  test.each([
    ['Query.tickets', 'forward'],
    ['Query.tickets', 'backward'],
    ['Query.grants', 'forward'],
    ['Query.grants', 'backward'],
    ['Site.tickets', 'forward'],
    ['Site.tickets', 'backward'],
    ['Query.auditLog', 'forward'],
  ])('%s going %s gives each that was there once', async (name, direction) => {
    const there = new Set<string>();
    for (let after: string | null = null; ; ) {
      const page: Page = await pageOf(name, { first: 100, after });
      for (const id of idsOf(page)) there.add(id);
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    expect(there.size).toBeGreaterThanOrEqual(filler);

    const seen: string[] = [];
    const size = bySize(20, 9);
    let filing = true;
    const filed = (async () => {
      while (filing) await fileTicketAgain();
    })();
    for (let cursor: string | null = null; ; ) {
      const forward = direction === 'forward';
      const page: Page = await pageOf(
        name,
        forward ? { first: size, after: cursor } : { last: size, before: cursor },
      );
      seen.push(...idsOf(page));
      const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo;
      // Towards the newest, stop at the row that was the newest at the start: tickets may be filed faster than pages
      // are read.
      if (
        !(forward ? hasNextPage : hasPreviousPage) ||
        (!forward && [...there].every((id) => seen.includes(id)))
      )
        break;
      cursor = forward ? endCursor : startCursor;
    }
    filing = false;
    await filed;
    expect(new Set(seen).size).toBe(seen.length);
    expect([...there].filter((id) => !seen.includes(id))).toEqual([]);
  });
});

// The other filters: asking-lists.test.ts.
describe('filters', () => {
  test('of change requests combine', async () => {
    const engineer = await gateway.as(world.engineer.email);
    const other = await fileTicket(gateway, world, { site: 'original' });
    const asked = {
      kind: 'SETTINGS',
      resourceType: 'project',
      resourceId: 'ACME',
      description: 'Switch it on',
    };
    const validUntil = new Date(Date.now() + 86_400_000).toISOString();
    for (const on of [other.ticketId, ticketId])
      await done(engineer, 'requestChange', {
        ...asked,
        ticketId: on,
        justification: 'It is off',
        validUntil,
      });
    const { original } = world.acme.sites;
    await expectToCombine(
      admin,
      {
        field: 'changeRequests',
        filter: 'ChangeRequestFilter',
        selected: 'id state ticket { id site { id } }',
      },
      {
        states: { value: ['PENDING_CONSENT'], fits: ({ state }) => state === 'PENDING_CONSENT' },
        siteId: { value: original.id, fits: (row) => row.ticket.site.id === original.id },
        ticketId: { value: other.ticketId, fits: (row) => row.ticket.id === other.ticketId },
      },
    );
  });

  test('of support sessions combine', async () => {
    const other = await fileTicket(gateway, world, { site: 'original' });
    await done(operator, 'assignTicket', { ticketId: other.ticketId, engineerId: world.otherEngineer.id });
    await done(admin, 'approveDataAccess', { ticketId: other.ticketId });
    await done(await gateway.as(world.otherEngineer.email), 'startSupportSession', {
      ...{ grantId: other.grantId, reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' },
    });
    const { original } = world.acme.sites;
    await expectToCombine(
      admin,
      {
        field: 'supportSessions',
        filter: 'SupportSessionFilter',
        selected: 'id state site { id } ticket { id } engineer { id }',
      },
      {
        open: { value: true, fits: (row) => row.state === 'OPEN' },
        siteId: { value: original.id, fits: (row) => row.site.id === original.id },
        ticketId: { value: ticketId, fits: (row) => row.ticket.id === ticketId },
        engineerId: { value: world.engineer.id, fits: (row) => row.engineer.id === world.engineer.id },
      },
    );
  });

  test('with an empty list return nothing', async () => {
    const answer = await admin.ask(
      '{ grants(filter: { states: [] }) { edges { cursor } } tickets(filter: { statuses: [] }) { edges { cursor } } }',
    );
    expect(answer).toEqual({ grants: { edges: [] }, tickets: { edges: [] } });
  });
});

describe('objects by their ids', () => {
  const nodes = async (ids: string[], by = admin): Promise<Json> =>
    (await by.ask('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', { ids })).nodes;

  test('are returned in the requested order, as often as requested, null for one that does not exist', async () => {
    const { organizationId, sites } = world.acme;
    const unknown = globalId('Ticket', newId());
    const ids = [ticketId, unknown, sites.main.id, ticketId, organizationId, sites.main.products.jira];
    expect(await nodes(ids)).toEqual([
      { __typename: 'Ticket', id: ticketId },
      null,
      { __typename: 'Site', id: sites.main.id },
      { __typename: 'Ticket', id: ticketId },
      { __typename: 'Organization', id: organizationId },
      { __typename: 'Product', id: sites.main.products.jira },
    ]);
    expect(await nodes([])).toEqual([]);
  });

  test('are null for ids that do not exist', async () => {
    const id = rawId(ticketId);
    const strange = [
      ...['', ' ', 'garbage', '\u0000', 'e30=', id, Buffer.from('Ticket').toString('base64')],
      ...['Ticket:', ':', `:${id}`, `Ticket:${id.toUpperCase()}`, 'Ticket:1', `Ticket:${id}:${id}`].map(
        (text) => Buffer.from(text).toString('base64'),
      ),
      // Ids with another type: no object of that type has this id, or the type does not exist.
      ...['Site', 'Grant', 'User', 'Viewer', 'Obstacle', 'Query', 'Nothing', 'constructor', 'toString'].map(
        (type) => globalId(type, id),
      ),
    ];
    expect(await nodes(strange)).toEqual(strange.map(() => null));
    for (const one of strange) {
      expect(await admin.ask('query ($id: ID!) { node(id: $id) { id } }', { id: one }), one).toEqual({
        node: null,
      });
    }
  });

  test('are at most a hundred', async () => {
    const hundred = Array.from({ length: 100 }, () => ticketId);
    expect(await nodes(hundred)).toHaveLength(100);
    const { errors } = await admin.send('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', {
      ids: [...hundred, ticketId],
    });
    expect(errors[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
  });

  test('of every node type are found by their own id', async () => {
    await done(operator, 'addComplianceAnalyst', { email: 'casey@vendor.example', name: 'Casey' });
    const answer = await admin.ask(`{
      organizations(first: 1) { edges { node { __typename id } } } sites(first: 1) { edges { node { __typename id
        products(first: 1) { edges { node { __typename id } } } } } }
      site(url: "${world.acme.sites.main.url}") { products(first: 1) { edges { node { __typename id } } } }
      tickets(first: 1) { edges { node { __typename id } } } grants(first: 1) { edges { node { __typename id } } }
      roleAssignments(first: 1) { edges { node { __typename id user { __typename id } } } }
      auditLog(first: 1) { edges { node { __typename id } } }
      itsTimeline: ${onTicket('timeline(first: 1) { edges { node { __typename id } } }')}
      supportSessions(first: 1) { edges { node { __typename id } } }
      rovoDataDeletions(first: 1) { edges { node { __typename id } } }
      changeRequests(first: 1) { edges { node { __typename id } } }
      ${onOrganization(`proposedChanges(first: 1) { edges { node { __typename id } } }
        invitations(first: 1) { edges { node { __typename id } } }
        auditStreams(first: 1) { edges { node { __typename id } } }`)} }`);
    const found = collectNodes(answer);
    const others: Json = await operator.ask(`{
      inboundTicketEvents(first: 1) { edges { node { __typename id } } }
      engineers: accounts(filter: { kind: SUPPORT_ENGINEER }, first: 1) { edges { node { __typename ... on Node { id } } } }
      operators: accounts(filter: { kind: OPERATOR }, first: 1) { edges { node { __typename ... on Node { id } } } }
      analysts: accounts(filter: { kind: COMPLIANCE_ANALYST }, first: 1) { edges { node { __typename ... on Node { id } } } }
      services: accounts(filter: { kind: SERVICE_ACCOUNT }, first: 1) { edges { node { __typename ... on Node { id } } } } }`);
    const byType = new Map([...found, ...collectNodes(others)].map((one) => [one.__typename, one]));
    const types = Object.values(schema.getTypeMap()).filter(
      (type) => isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node'),
    );
    expect([...byType.keys()].sort()).toEqual(types.map(({ name }) => name).sort());
    // Where a log is streamed to is its organization's to see.
    const isStream = ({ __typename }: Json) => __typename === 'AuditStream';
    const all = [...byType.values()];
    for (const [person, each] of [
      [operator, all.filter((one) => !isStream(one))],
      [admin, all.filter(isStream)],
    ] as const)
      expect(
        await nodes(
          each.map(({ id }) => id),
          person,
        ),
      ).toEqual(each);
  });
});

function collectNodes(answer: Json): { __typename: string; id: string }[] {
  if (typeof answer !== 'object' || answer === null) return [];
  const own =
    '__typename' in answer && 'id' in answer ? [{ __typename: answer.__typename, id: answer.id }] : [];
  return [...own, ...Object.values(answer).flatMap(collectNodes)];
}
