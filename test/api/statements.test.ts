/**
 * The number of SQL statements of each operation; of a mutation, some share a round trip. It includes BEGIN and COMMIT, and
 * the statement that finds the account of the token, unless the first one of a query does that besides. A list needs as many
 * for many rows as for one, whatever is selected on its rows.
 */
import { GraphQLObjectType, print } from 'graphql';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as operations from '../../schema/generated/operations.ts';
import { togetherAtMost } from '../../src/commands/execute-each.ts';
import { createRecentRefusals } from '../../src/commands/recent-refusals.ts';
import { schema } from '../../src/graphql/schema.ts';
import { beginChanges } from '../support/begun-changes.ts';
import { eventually } from '../support/eventually.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { nextOf } from '../support/grant-events.ts';
import { giveAllPositions } from '../support/positions.ts';
import { insertAuditStreams, insertInboundTicketEvents, rawId } from '../support/rows.ts';
import { bySize, everyNth, seedOf } from '../support/size.ts';
import {
  addRovoBackend,
  assignRole,
  type Customer,
  done,
  fileTicket,
  type PersonName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

/** The rows of a long list, and the items of a bulk. */
const many = bySize(3, 30);
const bulk = bySize(2, 10);

const seed = seedOf('STATEMENTS_SEED');
/** Half of them on an ordinary day. */
const onTurn = <Row>(rows: Record<string, Row>) => everyNth(Object.entries(rows), seed, 3);

const sent: string[] = [];
let gateway: TestGateway;
let world: World;
let acme: Customer;

/** A clock by which the gateway forgets whom it has refused something. */
let now = 0;
const forgetRefusals = () => {
  now += 120_000;
};

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    maintenance: false,
    onStatement: (sql) => sent.push(sql),
    recentRefusals: createRecentRefusals(() => now),
  }));
  acme = world.acme;
});
afterAll(() => gateway.dispose());

const changeOf = (ticketId: string) => ({
  ...{ ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
  ...{ description: 'Switch it on', justification: 'It is off' },
  validUntil: new Date(Date.now() + 86_400_000).toISOString(),
});

const people = new Map<string, Promise<Person>>();

/** The first request of an account binds it to its token: that one is not counted. */
function signedIn(email: string): Promise<Person> {
  const known = people.get(email) ?? signIn(email);
  people.set(email, known);
  return known;
}

async function signIn(email: string): Promise<Person> {
  const person = await gateway.as(email);
  await person.ask('{ viewer { kind } }');
  return person;
}
const member = (name: PersonName) => signedIn(acme.emails[name]);

async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  sent.length = 0;
  await work();
  return sent.length;
}

describe(`a query, STATEMENTS_SEED=${seed}`, () => {
  /** Queries that read `$n` rows of each list, who may see that many, and the number of statements. */
  const queries: Record<
    string,
    { by: 'operator' | 'admin' | 'engineer'; statements: number; query: string }
  > = {
    viewer: { by: 'admin', statements: 1, query: '{ viewer { kind capabilities } }' },
    'account by its address': {
      ...{ by: 'admin', statements: 2 },
      query: '{ account(email: "rita@nowhere.example") { name email } }',
    },
    'product by its key': {
      ...{ by: 'admin', statements: 2 },
      query: '{ product(siteUrl: "https://nowhere.example", key: "jira") { id key } }',
    },
    'ticket by its external id': {
      ...{ by: 'operator', statements: 1 },
      query: '{ ticket(externalId: "4711", integration: "desk@nowhere.example") { id key } }',
    },
    'viewer with account and organizations': {
      by: 'admin',
      statements: 3,
      query: '{ viewer { account { name } organizations { name } } }',
    },
    'viewer with sites': {
      by: 'admin',
      statements: 4,
      query: `query ($n: Int!) { viewer { account { name } organizations { sites(first: $n) { edges { node {
          products(first: $n) { edges { node { key } } } } } } } } }`,
    },
    node: {
      by: 'admin',
      statements: 2,
      query: `query ($id: ID!, $n: Int!) { node(id: $id) { ... on Ticket { site { organization { name } } product { key }
          reporter { name } assignee { name } grants(first: $n) { edges { node { decisions { decidedBy { name } } } } } } } }`,
    },
    'nodes of one type': {
      by: 'admin',
      statements: 2,
      query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Ticket { site { organization { name } } product { key }
          reporter { name } assignee { name } grants(first: 3) { edges { node { decisions { decidedBy { name } } } } } } } }`,
    },
    'nodes of three types': {
      by: 'admin',
      statements: 4,
      query: `query ($mixedIds: [ID!]!) { nodes(ids: $mixedIds) { id ... on Ticket { site { url } } ... on Grant { ticket { key } }
          ... on RoleAssignment { user { name } over: site { url } product { key } } } }`,
    },
    site: {
      by: 'admin',
      statements: 4,
      query: `query ($url: String!, $n: Int!) { site(url: $url) { organization { name }
          products(first: $n) { edges { node { key } } } tickets(first: $n) { edges { node { key } } } } }`,
    },
    sites: {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { sites(first: $n) { edges { node { url organization { name } supportAccessPolicy { maxGrantSeconds }
          products(first: $n) { edges { node { key site { url } } } }
          tickets(first: 4) { edges { node { key reporter { name } product { key } } } } } } } }`,
    },
    'sites with a page of tickets': {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { sites(first: $n) { edges { node { tickets(first: $n) { edges { node {
          key reporter { name } product { key } grants(first: 2) { edges { node { id } } } } } } } } } }`,
    },
    organizations: {
      by: 'operator',
      statements: 2,
      query: `query ($n: Int!) { organizations(first: $n) { edges { node { name sites(first: $n) { edges { node { url
          products(first: 2) { edges { node { key } } } } } } } } } }`,
    },
    inboundTicketEvents: {
      by: 'operator',
      statements: 2,
      query: `query ($n: Int!) { inboundTicketEvents(first: $n) { edges { node {
          externalId content integration { email } ticket { key } } } } }`,
    },
    ticket: {
      by: 'admin',
      statements: 3,
      query: `query ($key: String!, $n: Int!) { ticket(key: $key) { site { url } product { key } reporter { name } assignee { name }
          grants(first: $n) { edges { node { state decisions { decidedBy { name } } } } }
          accessEligibility { allowed obstacles { code } requiredRoles { role } eligibleGrantors(first: $n) { edges { node { name } } } } } }`,
    },
    tickets: {
      by: 'admin',
      statements: 1,
      query: 'query ($n: Int!) { tickets(first: $n) { edges { node { key } } } }',
    },
    'tickets with everything': {
      by: 'admin',
      statements: 4,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { key site { url organization { name } } product { key }
          reporter { name } assignee { name }
          grants(first: 2) { edges { node { state ticket { key } engineer { name } decisions { decidedBy { name } } } } }
          accessEligibility { allowed obstacles { code } requiredRoles { role } eligibleGrantors(first: 5) { edges { node { name } } } } } } } }`,
    },
    'tickets with what the viewer may do': {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { key viewerMay { approveDataAccess { allowed code message }
          closeTicket { allowed code } } } } } }`,
    },
    'grants with what the viewer may do': {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { grants(first: $n) { edges { node { state viewerMay { approveDataAccess { allowed code message }
          approveGuardRequest { allowed code message } revokeDataAccess { allowed code message } } } } } }`,
    },
    'tickets with a page of grants': {
      by: 'engineer',
      statements: 2,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { grants(first: $n) { edges { node { state
          ticket { key } engineer { name } } } } } } } }`,
    },
    'tickets with two pages of grants': {
      by: 'admin',
      statements: 1,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { newest: grants(first: 1) { edges { node { state } } }
          oldest: grants(last: 1) { edges { node { state } } } } } } }`,
    },
    'tickets with their timelines': {
      by: 'admin',
      statements: 7,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { key timeline(first: 5) { edges { node {
          kind summary occurredAt actor { name } grant { state } } } } } } } }`,
    },
    'sites with who has access': {
      by: 'admin',
      statements: 4,
      query: `query ($n: Int!) { sites(first: $n) { edges { node { url activeAccess(first: $n) { edges { node {
          state engineer { name } ticket { key } } } } } } } }`,
    },
    grants: {
      by: 'admin',
      statements: 1,
      query: 'query ($n: Int!) { grants(first: $n) { edges { node { state } } } }',
    },
    'grants with everything': {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { grants(first: $n, filter: { states: [ACTIVE] }) { edges { node { state
          ticket { site { url organization { name } } product { key } reporter { name } assignee { name } grants(first: 2) { edges { node { id } } } }
          engineer { name } requestedBy { name } endedBy { name } decisions { stage decidedBy { name } } } } } }`,
    },
    'grants with who may grant': {
      by: 'admin',
      statements: 4,
      query: `query ($n: Int!) { grants(first: $n) { edges { node { ticket { accessEligibility { allowed
          eligibleGrantors(first: $n) { edges { node { name } } } } } } } } }`,
    },
    supportSessions: {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { supportSessions(first: $n) { edges { node { state endedAt grant { state } ticket { key }
          site { url } engineer { name } endedBy { name } } } } }`,
    },
    // Two more statements for the actions of all sessions.
    'supportSessions with their actions': {
      by: 'admin',
      statements: 5,
      query: `query ($n: Int!) { supportSessions(first: $n) { edges { node { actions(first: 5) { edges { node { action } } } } } } }`,
    },
    'tickets with their sessions': {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { supportSessions(first: 2) { edges { node { state } } }
          grants(first: 2) { edges { node { sessions(first: 2) { edges { node { note } } } } } } } } } }`,
    },
    changeRequests: {
      by: 'admin',
      statements: 3,
      query: 'query ($n: Int!) { changeRequests(first: $n) { edges { node { state } } } }',
    },
    'changeRequests with everything': {
      by: 'admin',
      statements: 5,
      query: `query ($n: Int!) { changeRequests(first: $n, filter: { states: [PENDING_CONSENT] }) { edges { node { state
          ticket { site { url } product { key } changeRequests(first: 2) { edges { node { id } } } } requestedBy { name }
          decidedBy { name } endedBy { name } viewerMay { consentToChange { allowed message } } } } } }`,
    },
    // The engineer's open change requests are counted as well.
    'tickets with the changes that may be asked for': {
      by: 'engineer',
      statements: 5,
      query: `query ($n: Int!) { tickets(first: $n) { edges { node { key changeRequests(first: $n) { edges { node { state } } }
          viewerMay { requestChange { allowed code } } } } } }`,
    },
    // One finds the ids by the ways in which the viewer sees roles, one reads the rows.
    roleAssignments: {
      by: 'admin',
      statements: 3,
      query: `query ($n: Int!) { roleAssignments(first: $n) { edges { node { role user { name } organization { name sites(first: 2) { edges { node { url } } } }
          site { url organization { name } } product { key site { url } } } } } }`,
    },
    accounts: {
      by: 'operator',
      statements: 2,
      query: 'query ($n: Int!) { accounts(first: $n) { edges { node { name kind } } } }',
    },
    rovoDataDeletions: {
      by: 'operator',
      statements: 2,
      query: `query ($n: Int!) { rovoDataDeletions(first: $n) { edges { node { state organization { name } site { url }
          requestedBy { name } } } } }`,
    },
    'rovoDataDeletions with what the viewer may do': {
      by: 'operator',
      statements: 3,
      query: `query ($n: Int!) { rovoDataDeletions(first: $n) { edges { node { viewerMay {
          withdrawRovoDataDeletion { allowed code } } } } } }`,
    },
    auditLog: {
      by: 'admin',
      statements: 2,
      query:
        'query ($n: Int!) { auditLog(first: $n) { edges { node { action actor { name } resource { type } details ticketId } } } }',
    },
    'auditLog of a period': {
      by: 'admin',
      statements: 2,
      query:
        'query ($n: Int!) { auditLog(first: $n, filter: { from: "2026-01-01", until: "2099-01-01" }) { edges { node { action } } } }',
    },
    'auditLog after an entry': {
      by: 'admin',
      statements: 2,
      query:
        'query ($n: Int!, $entry: String!) { auditLog(first: $n, after: $entry) { edges { node { action } } } }',
    },
    auditSummary: {
      by: 'admin',
      statements: 3,
      query: `{ auditSummary(groupBy: [SITE, ACTION], top: 100) { groups { action siteId siteUrl counts { entries attempts } }
          otherGroups others { entries } total { entries attempts } isExact } }`,
    },
    // Also where to begin, and whose addresses begin so.
    'auditSummary of a period by actors': {
      by: 'operator',
      statements: 3,
      query:
        'query ($n: Int!) { auditSummary(groupBy: [ACTOR, ACTION], top: $n, filter: { actorEmailPrefixes: ["@acme."], from: "2026-01-01" }) { groups { actorEmail } } }',
    },
    // One for each type of resource: here, all are grants.
    'auditLog with names and objects': {
      by: 'admin',
      statements: 10,
      query: `query ($n: Int!) { auditLog(first: $n, filter: { action: GRANT_APPROVE }) { edges { node { action resource { name node { id } }
          organizationName organization { name } siteUrl site { url } ticketKey ticket { key } grant { state } } } } }`,
    },
  };

  type Given = {
    key: string;
    url: string;
    id: string;
    tickets: string[];
    mixed: string[];
    /** The cursor of an entry of the audit log. */
    entry: string;
  };
  let given: Given;
  beforeAll(async () => {
    given = await fill();
  });

  test('each has a row', () => {
    const named = Object.keys(queries).map((name) => name.split(' ')[0]);
    expect([...new Set(named)].sort()).toEqual(fieldsOf(schema.getQueryType()).sort());
  });

  test.each(onTurn(queries))('%s', async (name, { by, statements, query }) => {
    const emails = {
      operator: 'operator@vendor.example',
      admin: acme.emails.organizationAdmin,
      engineer: world.engineer.email,
    };
    const person = await signedIn(emails[by]);
    const { key, url, id, tickets, mixed, entry } = given;
    const counts: Record<number, number> = {};
    for (const n of [1, many]) {
      const ids = { ids: tickets.slice(0, n), mixedIds: mixed.slice(0, n * 3) };
      const variables = { n, key, url, id, entry, ...ids };
      let answer: Json;
      counts[n] = await statementsOf(async () => {
        answer = await person.ask(query, variables);
      });
      if (/\$n|\$ids|\$mixedIds/.test(query))
        expect(longestList(answer), `${name}: rows`).toBeGreaterThanOrEqual(n);
    }
    expect(counts).toEqual({ 1: statements, [many]: statements });
  });

  /** Whose answers are put together from one statement, and would be the same from several. */
  const compiled: Record<string, string> = {
    'a list with all that its rows show': `query ($n: Int!) { grants(first: $n) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { __typename id state path justification requestedAt approvalDueAt activatedAt
          expiresAt endedAt endReason version scope { kind conversationIds } terms { guardRequired maxGrantSeconds }
          allows { code sentence } engineer { id name } decisions { stage outcome reason decidedAt decidedBy { id name kind createdAt isActive } }
          ticket { ...Page } } } } }
        fragment Page on Ticket { id key summary status createdAt closedAt externalId site { id url organization { name } }
          product { key licensed } reporter { name email } assignee { name } }`,
    'pages of related rows': `query ($n: Int!) { tickets(last: $n, orderBy: OLDEST) { edges { node { id: key
        newest: grants(first: 1) { edges { cursor node { state: id version } } pageInfo { hasNextPage endCursor } }
        oldest: grants(last: $n) { edges { node { state } } pageInfo { hasPreviousPage startCursor } }
        changeRequests(first: $n) { edges { node { id state } } } } } } }`,
    'a look-up': `query ($key: String!, $n: Int!) { ticket(key: $key) { key site { name } grants(first: $n) { edges { node {
        state decisions { decidedBy { name } } } } } } missing: ticket(key: "NONE-1") { key } }`,
    'an order by what is due':
      'query ($n: Int!) { grants(first: $n, orderBy: DUE_SOONEST) { edges { cursor node { state } } } }',
    entries:
      'query ($n: Int!) { auditLog(first: $n) { edges { cursor node { id occurredAt action outcome actor { name email } details } } } }',
    'what is refused':
      '{ tickets(first: -1) { edges { node { key } } } grants(first: 1) { edges { node { state } } } }',
    'a cursor of another list': '{ grants(first: 1, after: "eHg") { edges { node { state } } } }',
  };

  test.each(onTurn(compiled))('%s is answered alike, compiled or executed', async (_, query) => {
    const { key } = given;
    // A directive leaves a query to `execute`.
    const executed = query.replace('{', '{ ... @include(if: true) { __typename }');
    for (const email of ['operator@vendor.example', world.engineer.email, ...Object.values(acme.emails)]) {
      const person = await signedIn(email);
      const answers = [query, executed].map(async (text) => {
        const { data, errors } = await person.send(text, { n: many, key });
        const { __typename: _typename, ...fields } = data ?? {};
        return { fields, errors: errors.map(({ message, path }: Json) => ({ message, path })) };
      });
      const [one, other] = await Promise.all(answers);
      expect(one).toEqual(other);
    }
  });

  test('one that reads its viewer beside its rows is answered for the viewer as they are', async () => {
    const admin = await member('organizationAdmin');
    const { emails } = acme;
    const listed = async () => {
      const { data, errors } = await admin.send(`{ tickets(first: ${many}) { edges { node { key } } } }`);
      return {
        keys: data?.tickets?.edges.length ?? null,
        codes: errors.map((one: Json) => one.extensions.code),
      };
    };
    const sql = (text: string) => gateway.sql.query(text, [emails.organizationAdmin]);
    const own = 'account_id = (SELECT id FROM accounts WHERE email = $1)';
    onTestFinished(async () => {
      await sql(`UPDATE role_assignments SET origin = 'DIRECT', sync_state = 'SYNCED' WHERE ${own}`);
      await sql('UPDATE accounts SET active = true WHERE email = $1');
    });
    expect(await statementsOf(listed)).toBe(1);
    const before = await listed();
    expect(before).toEqual({ keys: many, codes: [] });

    await sql('UPDATE accounts SET active = false WHERE email = $1');
    expect(await listed()).toEqual({ keys: null, codes: ['FORBIDDEN'] });
    await sql('UPDATE accounts SET active = true WHERE email = $1');
    expect(await listed()).toEqual(before);

    // A role that is not synced does not count. It is asked again for that viewer, who is then remembered.
    const grants = '{ grants(first: 100) { edges { node { id state } } } }';
    const executed = grants.replace('{', '{ ... @include(if: true) { __typename }');
    await admin.ask(grants);
    await sql(`UPDATE role_assignments SET origin = 'SCIM', sync_state = 'PENDING_SYNC' WHERE ${own}`);
    let withoutRole: Json;
    const asking = async () => {
      withoutRole = await admin.ask(grants);
    };
    expect(await statementsOf(asking)).toBeGreaterThan(1);
    expect(withoutRole.grants).toEqual((await admin.ask(executed)).grants);
  });

  /** Creates many of everything that the admin of Acme sees. */
  async function fill(): Promise<Given> {
    const { operator } = world;
    const admin = await signedIn(acme.emails.organizationAdmin);
    const { organizationId } = acme;
    const each = Array.from({ length: many }, (_, index) => index);
    const site = await done(operator, 'createSite', {
      organizationId,
      url: 'https://big.example',
      name: 'big',
    });
    const tickets = await inTurn(each, async (index) => {
      await done(operator, 'createOrganization', { name: `small ${index}` });
      const url = `https://small-${index}.example`;
      const small = await done(operator, 'createSite', { organizationId, url, name: url });
      await done(admin, 'requestRovoDataDeletion', { organizationId, siteId: small.id });
      await done(operator, 'licenseProduct', { siteId: small.id, key: 'jira', name: 'Jira' });
      const product = await done(operator, 'licenseProduct', {
        siteId: site.id,
        key: `p${index}`,
        name: 'P',
      });
      const email = `holder-${index}@acme.example`;
      const user = await done(operator, 'addUser', { organizationId, email, name: email });
      const where = { organizationId, siteId: site.id, productId: product.id };
      await assignRole(world, { userId: user.id, role: 'PRODUCT_ADMIN', ...where });
      await assignRole(world, { userId: user.id, role: 'ORGANIZATION_ADMIN', organizationId });
      const consent = { summary: 'It is slow', grantDataAccess: true };
      const ticket = await done(admin, 'createTicket', { productId: product.id, ...consent });
      await done(operator, 'assignTicket', { ticketId: ticket.id, engineerId: world.engineer.id });
      return { id: ticket.id as string, key: ticket.key as string };
    });
    const [first] = tickets;
    if (first === undefined) throw new Error('No ticket was made');
    const engineer = await signedIn(world.engineer.email);
    for (const index of each) {
      const grant = await done(engineer, 'requestDataAccess', {
        ...{ ticketId: first.id, scope: 'ROVO_CONVERSATIONS', conversationIds: [`conversation-${index}`] },
      });
      await done(admin, 'approveDataAccess', { grantId: grant.id });
      const use = { reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' };
      await done(engineer, 'startSupportSession', { grantId: grant.id, ...use });
    }
    await insertInboundTicketEvents(gateway, world.services.ticketing, many);
    for (const { id } of tickets) await done(engineer, 'requestChange', changeOf(id));
    const ids = await admin.ask(`{
      grants(first: ${many}) { edges { node { id } } } roleAssignments(first: ${many}) { edges { node { id } } } }`);
    const of = (list: 'grants' | 'roleAssignments') =>
      ids[list].edges.map(({ node }: Json) => node.id as string);
    const mixed = each.flatMap((at) => [tickets[at]?.id ?? '', of('grants')[at], of('roleAssignments')[at]]);
    const { auditLog } = await admin.ask('{ auditLog(first: 1) { edges { cursor } } }');
    const entry: string = auditLog.edges[0].cursor;
    return { ...first, url: 'https://big.example', tickets: tickets.map(({ id }) => id), mixed, entry };
  }
});

describe(`a mutation, STATEMENTS_SEED=${seed}`, () => {
  type Row = {
    /** When only `__typename` of the answer is selected. */
    statements: number;
    /** When the whole answer is selected, as in the documents of schema/operations. */
    withEverything: number;
    given: () => Promise<{ by: Person; input: Record<string, unknown> }>;
  };
  let count = 0;
  const fresh = () => `fresh-${++count}`;
  const ticket = async (options: Parameters<typeof fileTicket>[2] = {}) =>
    await fileTicket(gateway, world, options);
  const operator = () => signedIn('operator@vendor.example');
  const ticketing = () => signedIn(world.services.ticketing);
  const slow = { summary: 'It is slow', grantDataAccess: false };
  const reporterId = async () =>
    (await (await member('reporter')).ask('{ viewer { account { ... on Node { id } } } }')).viewer.account.id;
  const engineer = () => signedIn(world.engineer.email);
  const rovo = async () => {
    if (!people.has('rovo@vendor.example')) await addRovoBackend(gateway);
    return await signedIn('rovo@vendor.example');
  };
  const active = async () => {
    const filed = await ticket();
    await done(await member('organizationAdmin'), 'approveDataAccess', { ticketId: filed.ticketId });
    return filed;
  };
  const use = { reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' };
  const awaitingGuard = async () => {
    const filed = await ticket({ site: 'restricted' });
    await done(await member('organizationAdmin'), 'approveDataAccess', { ticketId: filed.ticketId });
    return filed;
  };
  const changeRequest = async (ticketId?: string) => {
    const input = changeOf(ticketId ?? (await ticket()).ticketId);
    return { changeRequestId: (await done(await engineer(), 'requestChange', input)).id as string };
  };
  const consented = async (ticketId?: string) => {
    const named = await changeRequest(ticketId);
    await done(await member('jiraAdmin'), 'consentToChange', named);
    return named;
  };
  const closed = async () => {
    const filed = await ticket();
    await done(await member('reporter'), 'closeTicket', { ticketId: filed.ticketId });
    return filed;
  };
  const grantsOf = async (filed: Promise<{ grantId: string | null }>[]) =>
    (await Promise.all(filed)).map(({ grantId }) => grantId);
  const newSite = async () => {
    const url = `https://${fresh()}.example`;
    return (
      await done(world.operator, 'createSite', { organizationId: acme.organizationId, url, name: 'New' })
    ).id;
  };
  const newUser = async () => {
    const email = `${fresh()}@acme.example`;
    const { organizationId } = acme;
    return (await done(world.operator, 'addUser', { organizationId, email, name: 'New' })).id;
  };
  const person = () => ({ email: `${fresh()}@vendor.example`, name: 'New' });
  const role = (userId: string) => {
    const { id: siteId, products } = acme.sites.main;
    const { organizationId } = acme;
    return { userId, organizationId, role: 'PRODUCT_ADMIN', siteId, productId: products.jira };
  };

  const appointment = async () => ({
    ...{ userId: await newUser(), organizationId: acme.organizationId, role: 'GUARD_ADMIN' },
  });
  const deletion = async () => {
    const input = { organizationId: acme.organizationId, siteId: await newSite() };
    const { id } = await done(await member('organizationAdmin'), 'requestRovoDataDeletion', input);
    return { rovoDataDeletionId: id };
  };
  const invitation = async (email: string) => {
    const input = { organizationId: acme.organizationId, email, name: 'New' };
    return { invitationId: (await done(await member('organizationAdmin'), 'inviteUser', input)).id };
  };
  const stream =
    (more: Record<string, unknown> = {}, state: 'ACTIVE' | 'PAUSED' = 'ACTIVE') =>
    async () => {
      await gateway.sql.query('DELETE FROM audit_streams');
      const admin = acme.emails.organizationAdmin;
      const [id] = await insertAuditStreams(gateway, rawId(acme.organizationId), admin, 1, state);
      return { by: await member('organizationAdmin'), input: { auditStreamId: id, ...more } };
    };
  const proposal = async () => {
    const admin = await member('organizationAdmin');
    return { proposedChangeId: (await done(admin, 'assignRole', await appointment())).id };
  };

  const mutations: Record<string, Row> = {
    createTicket: {
      statements: 13,
      withEverything: 17,
      given: async () => ({
        by: await member('reporter'),
        input: { productId: acme.sites.main.products.jira, summary: 'It is slow', grantDataAccess: false },
      }),
    },
    'createTicket with consent': {
      statements: 13,
      withEverything: 17,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { productId: acme.sites.main.products.jira, summary: 'It is slow', grantDataAccess: true },
      }),
    },
    assignTicket: {
      statements: 14,
      withEverything: 15,
      given: async () => ({
        by: await operator(),
        input: { ticketId: (await ticket()).ticketId, engineerId: world.otherEngineer.id },
      }),
    },
    'createTicket for a reporter': {
      statements: 13,
      withEverything: 16,
      given: async () => ({
        by: await ticketing(),
        input: { productId: acme.sites.main.products.jira, reporterId: await reporterId(), ...slow },
      }),
    },
    // As many as by ids.
    'createTicket by what a ticketing system has': {
      statements: 13,
      withEverything: 16,
      given: async () => ({
        by: await ticketing(),
        input: {
          ...{ siteUrl: acme.sites.main.url, productKey: 'jira' },
          ...{ reporterEmail: acme.emails.reporter, ...slow },
        },
      }),
    },
    'assignTicket by key and address': {
      statements: 14,
      withEverything: 15,
      given: async () => ({
        by: await operator(),
        input: { ticketKey: (await ticket()).key, engineerEmail: world.otherEngineer.email },
      }),
    },
    'assignTicket to its engineer': {
      statements: 10,
      withEverything: 11,
      given: async () => ({
        by: await operator(),
        input: { ticketId: (await ticket()).ticketId, engineerId: world.engineer.id },
      }),
    },
    updateTicket: {
      statements: 10,
      withEverything: 11,
      given: async () => ({
        by: await ticketing(),
        input: { ticketId: (await active()).ticketId, summary: 'It is very slow', status: 'RESOLVED' },
      }),
    },
    // One more reads the product, and two write the grant with its event.
    'updateTicket to another product': {
      statements: 13,
      withEverything: 14,
      given: async () => ({
        by: await ticketing(),
        input: { ticketKey: (await active()).key, productKey: 'confluence' },
      }),
    },
    'closeTicket by key': {
      statements: 12,
      withEverything: 13,
      given: async () => ({ by: await member('reporter'), input: { ticketKey: (await active()).key } }),
    },
    'closeTicket on a closed ticket': {
      statements: 8,
      withEverything: 9,
      given: async () => ({ by: await member('reporter'), input: { ticketId: (await closed()).ticketId } }),
    },
    'requestDataAccess by key': {
      statements: 11,
      withEverything: 12,
      given: async () => ({
        by: await engineer(),
        input: { ticketKey: (await ticket()).key, scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] },
      }),
    },
    // The customer gets mail about active grants that pass to another engineer.
    'assignTicket with an active grant': {
      statements: 15,
      withEverything: 16,
      given: async () => ({
        by: await operator(),
        input: { ticketId: (await active()).ticketId, engineerId: world.otherEngineer.id },
      }),
    },
    updateTicketStatus: {
      statements: 9,
      withEverything: 10,
      given: async () => ({
        by: await engineer(),
        input: { ticketId: (await ticket()).ticketId, status: 'RESOLVED' },
      }),
    },
    closeTicket: {
      statements: 12,
      withEverything: 13,
      given: async () => ({ by: await member('reporter'), input: { ticketId: (await active()).ticketId } }),
    },
    // What its engineer asked to change is withdrawn.
    'closeTicket with a change request': {
      statements: 13,
      withEverything: 14,
      given: async () => {
        const { ticketId } = await active();
        await done(await engineer(), 'requestChange', changeOf(ticketId));
        return { by: await member('reporter'), input: { ticketId } };
      },
    },
    requestChange: {
      statements: 12,
      withEverything: 13,
      given: async () => ({ by: await engineer(), input: changeOf((await ticket()).ticketId) }),
    },
    withdrawChangeRequest: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await engineer(), input: await changeRequest() }),
    },
    consentToChange: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('jiraAdmin'), input: await changeRequest() }),
    },
    refuseChange: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('jiraAdmin'), input: await changeRequest() }),
    },
    revokeChangeConsent: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('reporter'), input: await consented() }),
    },
    recordChangeResult: {
      statements: 10,
      withEverything: 11,
      given: async () => {
        const { ticketId } = await active();
        const { changeRequestId } = await consented(ticketId);
        await beginChanges(gateway, [changeRequestId]);
        return { by: await engineer(), input: { changeRequestId, result: 'APPLIED' } };
      },
    },
    reopenTicket: {
      statements: 11,
      withEverything: 12,
      given: async () => ({ by: await member('reporter'), input: { ticketId: (await closed()).ticketId } }),
    },
    requestDataAccess: {
      statements: 11,
      withEverything: 12,
      given: async () => ({
        by: await engineer(),
        input: { ticketId: (await ticket()).ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] },
      }),
    },
    withdrawDataAccessRequest: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await engineer(), input: { grantId: (await ticket()).grantId } }),
    },
    releaseDataAccess: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await engineer(), input: { grantId: (await active()).grantId } }),
    },
    approveDataAccess: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('jiraAdmin'), input: { ticketId: (await ticket()).ticketId } }),
    },
    'approveDataAccess of a grant': {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('jiraAdmin'), input: { grantId: (await ticket()).grantId } }),
    },
    'approveDataAccess with an idempotency key': {
      statements: 12,
      withEverything: 13,
      given: async () => ({
        by: await member('jiraAdmin'),
        input: { ticketId: (await ticket()).ticketId, idempotencyKey: fresh() },
      }),
    },
    'approveDataAccess repeated': {
      statements: 9,
      withEverything: 10,
      given: async () => {
        const by = await member('jiraAdmin');
        const input = { ticketId: (await ticket()).ticketId, idempotencyKey: fresh() };
        await done(by, 'approveDataAccess', input);
        return { by, input };
      },
    },
    'approveDataAccess refused': {
      statements: 9,
      withEverything: 11,
      given: async () => ({
        by: await member('confluenceAdmin'),
        input: { ticketId: (await ticket()).ticketId },
      }),
    },
    denyDataAccess: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('jiraAdmin'), input: { grantId: (await ticket()).grantId } }),
    },
    revokeDataAccess: {
      statements: 10,
      withEverything: 11,
      given: async () => ({ by: await member('reporter'), input: { grantId: (await active()).grantId } }),
    },
    // As many as where nobody uses the grant: its session ends in the statement that revokes it.
    'revokeDataAccess of a grant in use': {
      statements: 10,
      withEverything: 11,
      given: async () => {
        const { grantId } = await active();
        await done(await engineer(), 'startSupportSession', { grantId, ...use });
        return { by: await member('reporter'), input: { grantId } };
      },
    },
    startSupportSession: {
      statements: 12,
      withEverything: 13,
      given: async () => ({ by: await engineer(), input: { grantId: (await active()).grantId, ...use } }),
    },
    endSupportSession: {
      statements: 11,
      withEverything: 12,
      given: async () => {
        const { grantId } = await active();
        const { id } = await done(await engineer(), 'startSupportSession', { grantId, ...use });
        return { by: await engineer(), input: { supportSessionId: id } };
      },
    },
    // One of them reads the present rights of the person who approved for the customer.
    approveGuardRequest: {
      statements: 11,
      withEverything: 12,
      given: async () => ({
        by: await member('guardAdmin'),
        input: { grantId: (await awaitingGuard()).grantId },
      }),
    },
    // The lapse, its audit entry with that of the refusal, the count of that, and its event.
    'approveGuardRequest of a lapsed approval': {
      statements: 12,
      withEverything: 12,
      given: async () => {
        const { organizationId } = acme;
        const email = `${fresh()}@acme.example`;
        const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'New' });
        const held = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
        const { id: roleAssignmentId } = await assignRole(world, held);
        const { ticketId, grantId } = await ticket({ site: 'restricted' });
        await done(await signedIn(email), 'approveDataAccess', { ticketId });
        await done(world.operator, 'removeRole', { roleAssignmentId });
        return { by: await member('guardAdmin'), input: { grantId } };
      },
    },
    'revokeDataAccess of an approval that awaits the Guard': {
      statements: 10,
      withEverything: 11,
      given: async () => ({
        by: await member('reporter'),
        input: { grantId: (await awaitingGuard()).grantId },
      }),
    },
    denyGuardRequest: {
      statements: 10,
      withEverything: 11,
      given: async () => ({
        by: await member('guardAdmin'),
        input: { grantId: (await awaitingGuard()).grantId },
      }),
    },
    'approveDataAccessInBulk of one': {
      statements: 12,
      withEverything: 13,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { grantIds: await grantsOf([ticket()]) },
      }),
    },
    // As many for several as for one, up to 25 in a transaction.
    'approveDataAccessInBulk of several': {
      statements: 12,
      withEverything: 13,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { grantIds: await grantsOf(Array.from({ length: bulk }, () => ticket())) },
      }),
    },
    // The key of the whole, then with those of the items: one statement to claim them, one to keep their answers.
    'approveDataAccessInBulk of several with an idempotency key': {
      statements: 15,
      withEverything: 16,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: {
          grantIds: await grantsOf(Array.from({ length: bulk }, () => ticket())),
          idempotencyKey: fresh(),
        },
      }),
    },
    'approveDataAccessInBulk of more than share a transaction': {
      statements: 1 + 2 * 11,
      withEverything: 2 + 2 * 11,
      given: async () => {
        const filed = await inTurn(Array.from({ length: togetherAtMost + 1 }), () => ticket());
        return {
          by: await member('organizationAdmin'),
          input: { items: filed.map(({ grantId }) => ({ grantId, expectedVersion: 2, reason: grantId })) },
        };
      },
    },
    'approveDataAccessInBulk of several refused': {
      statements: 11,
      withEverything: 13,
      given: async () => ({
        by: await member('confluenceAdmin'),
        input: { grantIds: await grantsOf(Array.from({ length: bulk }, () => ticket())) },
      }),
    },
    'denyDataAccessInBulk of several': {
      statements: 12,
      withEverything: 13,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { grantIds: await grantsOf(Array.from({ length: bulk }, () => ticket())) },
      }),
    },
    // One of them reads the present rights of the people who approved for the customer.
    'approveGuardRequestInBulk of several': {
      statements: 13,
      withEverything: 14,
      given: async () => ({
        by: await member('guardAdmin'),
        input: { grantIds: await grantsOf(Array.from({ length: bulk }, () => awaitingGuard())) },
      }),
    },
    'denyGuardRequestInBulk of several': {
      statements: 13,
      withEverything: 14,
      given: async () => ({
        by: await member('guardAdmin'),
        input: { grantIds: await grantsOf(Array.from({ length: bulk }, () => awaitingGuard())) },
      }),
    },
    'revokeDataAccessInBulk of several': {
      statements: 12,
      withEverything: 13,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { grantIds: await grantsOf(Array.from({ length: bulk }, () => active())) },
      }),
    },
    setSupportAccessRestrictions: {
      statements: 9,
      withEverything: 9,
      given: async () => ({
        by: await member('guardAdmin'),
        input: { siteId: acme.sites.restricted.id, restricted: true },
      }),
    },
    setSupportAccessPolicy: {
      statements: 10,
      withEverything: 10,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { siteId: await newSite(), requestWaitSeconds: 60, samePersonMayApproveTwice: false },
      }),
    },
    deactivateSite: {
      statements: 11,
      withEverything: 11,
      given: async () => ({ by: await operator(), input: { siteId: await newSite() } }),
    },
    // Two more statements for all grants: one ends them, one writes their events.
    'deactivateSite with many grants': {
      statements: 13,
      withEverything: 13,
      given: async () => {
        const siteId = await newSite();
        const product = await done(world.operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
        const reporter = await member('reporter');
        const input = { productId: product.id, summary: 'It is slow', grantDataAccess: false };
        await inTurn(Array.from({ length: many }), () => done(reporter, 'createTicket', input));
        return { by: await operator(), input: { siteId } };
      },
    },
    reactivateSite: {
      statements: 9,
      withEverything: 9,
      given: async () => {
        const siteId = await newSite();
        await done(world.operator, 'deactivateSite', { siteId });
        return { by: await operator(), input: { siteId } };
      },
    },
    createOrganization: {
      statements: 7,
      withEverything: 7,
      given: async () => ({ by: await operator(), input: { name: 'New' } }),
    },
    createSite: {
      statements: 9,
      withEverything: 9,
      given: async () => ({
        by: await operator(),
        input: { organizationId: acme.organizationId, url: `https://${fresh()}.example`, name: 'New' },
      }),
    },
    licenseProduct: {
      statements: 10,
      withEverything: 10,
      given: async () => ({
        by: await operator(),
        input: { siteId: await newSite(), key: 'jira', name: 'Jira' },
      }),
    },
    unlicenseProduct: {
      statements: 11,
      withEverything: 11,
      given: async () => {
        const siteId = await newSite();
        const product = await done(world.operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
        return { by: await operator(), input: { productId: product.id } };
      },
    },
    addUser: {
      statements: 12,
      withEverything: 12,
      given: async () => ({
        by: await operator(),
        input: { organizationId: acme.organizationId, email: `${fresh()}@acme.example`, name: 'New' },
      }),
    },
    // One of them looks for another admin of the organization.
    removeUser: {
      statements: 15,
      withEverything: 15,
      given: async () => ({
        by: await operator(),
        input: { organizationId: acme.organizationId, userId: await newUser() },
      }),
    },
    inviteUser: {
      statements: 10,
      withEverything: 11,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { organizationId: acme.organizationId, email: `${fresh()}@acme.example`, name: 'New' },
      }),
    },
    withdrawInvitation: {
      statements: 8,
      withEverything: 9,
      given: async () => ({ by: await operator(), input: await invitation('nobody@newcomers.example') }),
    },
    acceptInvitation: {
      statements: 13,
      withEverything: 14,
      given: async () => {
        const email = `${fresh()}@globex.example`;
        const of = { organizationId: world.globex.organizationId, email, name: 'New' };
        await done(world.operator, 'addUser', of);
        return { by: await signedIn(email), input: await invitation(email) };
      },
    },
    setAuditRetention: {
      statements: 9,
      withEverything: 9,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { organizationId: acme.organizationId, days: null },
      }),
    },
    createAuditStream: {
      statements: 13,
      withEverything: 14,
      given: async () => {
        await gateway.sql.query('DELETE FROM audit_streams');
        return {
          by: await member('organizationAdmin'),
          input: {
            organizationId: acme.organizationId,
            name: 'SIEM',
            endpointUrl: 'https://siem.customer.example/',
          },
        };
      },
    },
    updateAuditStream: { statements: 11, withEverything: 11, given: stream({ name: 'Another' }) },
    rotateAuditStreamSecret: { statements: 13, withEverything: 14, given: stream() },
    pauseAuditStream: { statements: 10, withEverything: 10, given: stream() },
    resumeAuditStream: { statements: 11, withEverything: 11, given: stream({}, 'PAUSED') },
    replayAuditStream: { statements: 11, withEverything: 11, given: stream({ after: 0 }) },
    testAuditStream: { statements: 10, withEverything: 10, given: stream() },
    deleteAuditStream: { statements: 10, withEverything: 10, given: stream() },
    addSupportEngineer: {
      statements: 8,
      withEverything: 8,
      given: async () => ({ by: await operator(), input: person() }),
    },
    addOperator: {
      statements: 8,
      withEverything: 8,
      given: async () => ({ by: await operator(), input: person() }),
    },
    addComplianceAnalyst: {
      statements: 8,
      withEverything: 8,
      given: async () => ({ by: await operator(), input: person() }),
    },
    addServiceAccount: {
      statements: 9,
      withEverything: 9,
      given: async () => ({
        by: await operator(),
        input: { ...person(), capabilities: ['TICKETING'], organizationId: acme.organizationId },
      }),
    },
    deactivateAccount: {
      statements: 13,
      withEverything: 13,
      given: async () => ({ by: await operator(), input: { accountId: await newUser() } }),
    },
    // Two more statements read the tickets and their grants, one writes the tickets, one the grants.
    'deactivateAccount of an engineer with ten tickets': {
      statements: 17,
      withEverything: 17,
      given: async () => {
        const { id: accountId } = await done(world.operator, 'addSupportEngineer', person());
        for (const { ticketId } of await Promise.all(Array.from({ length: 10 }, () => ticket())))
          await done(world.operator, 'assignTicket', { ticketId, engineerId: accountId });
        return { by: await operator(), input: { accountId } };
      },
    },
    reactivateAccount: {
      statements: 12,
      withEverything: 12,
      given: async () => ({ by: await operator(), input: { accountId: await newUser() } }),
    },
    assignRole: {
      statements: 17,
      withEverything: 21,
      given: async () => ({ by: await member('organizationAdmin'), input: role(await newUser()) }),
    },
    removeRole: {
      statements: 10,
      withEverything: 14,
      given: async () => {
        const { id } = await assignRole(world, role(await newUser()));
        return { by: await operator(), input: { roleAssignmentId: id } };
      },
    },
    triggerScimSync: {
      statements: 14,
      withEverything: 14,
      given: async () => {
        await assignRole(world, { ...role(await newUser()), origin: 'SCIM' });
        return { by: await member('organizationAdmin'), input: { organizationId: acme.organizationId } };
      },
    },
    'assignRole of a Guard admin': {
      statements: 17,
      withEverything: 18,
      given: async () => ({ by: await member('organizationAdmin'), input: await appointment() }),
    },
    // Beside the command: reads the event and its ticket, records what came of it, looks for others, reads it again.
    replayInboundTicketEvent: {
      statements: 13,
      withEverything: 14,
      given: async () => {
        const [inboundTicketEventId] = await insertInboundTicketEvents(gateway, world.services.ticketing, 1);
        return { by: await operator(), input: { inboundTicketEventId } };
      },
    },
    confirmProposedChange: {
      statements: 21,
      withEverything: 22,
      given: async () => ({ by: await member('guardAdmin'), input: await proposal() }),
    },
    declineProposedChange: {
      statements: 9,
      withEverything: 10,
      given: async () => ({ by: await member('guardAdmin'), input: await proposal() }),
    },
    withdrawProposedChange: {
      statements: 9,
      withEverything: 10,
      given: async () => ({ by: await member('organizationAdmin'), input: await proposal() }),
    },
    requestRovoDataDeletion: {
      statements: 12,
      withEverything: 13,
      given: async () => ({
        by: await member('organizationAdmin'),
        input: { organizationId: acme.organizationId, siteId: await newSite() },
      }),
    },
    withdrawRovoDataDeletion: {
      statements: 9,
      withEverything: 10,
      given: async () => ({ by: await member('organizationAdmin'), input: await deletion() }),
    },
    recordRovoDataDeletion: {
      statements: 9,
      withEverything: 10,
      given: async () => ({ by: await rovo(), input: { ...(await deletion()), step: 'STARTED' } }),
    },
    setOrganizationGuard: {
      statements: 10,
      withEverything: 10,
      given: async () => ({
        by: await operator(),
        input: { organizationId: acme.organizationId, hasGuard: true },
      }),
    },
  };

  test('each has a row', () => {
    const named = Object.keys(mutations).map((name) => name.split(' ')[0]);
    expect([...new Set(named)].sort()).toEqual(fieldsOf(schema.getMutationType()).sort());
  });

  test.each(onTurn(mutations))('%s', async (title, { statements, withEverything, given }) => {
    const name = title.split(' ')[0] ?? '';
    const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const documents = new Map<string, Parameters<typeof print>[0]>(Object.entries(operations));
    const whole = documents.get(`${capitalized}Document`);
    if (whole === undefined) throw new Error(`schema/operations holds no ${capitalized}`);
    const bare = `mutation ($input: ${capitalized}Input!) { ${name}(input: $input) { __typename } }`;

    const counts = [];
    for (const document of [bare, print(whole)]) {
      const { by, input } = await given();
      forgetRefusals();
      counts.push(await statementsOf(() => by.ask(document, { input })));
      expectLocksBeforeWrites();
    }
    expect(counts).toEqual([statements, withEverything]);
  });

  /** In every transaction that was sent. The rights of the caller are read under the last lock, too. */
  function expectLocksBeforeWrites() {
    const transactions = sent.join('\0').split('BEGIN\0').slice(1);
    expect(transactions.length).toBeGreaterThan(0);
    for (const statements of transactions.map((text) => text.split('\0'))) {
      const lastLock = statements.findLastIndex((sql) => sql.includes('pg_advisory_xact_lock'));
      const unlocked = statements.findIndex(
        (sql) => /^\s*(WITH .* )?(INSERT|UPDATE|DELETE) /s.test(sql) || sql.includes('"unsettledSites"'),
      );
      if (unlocked !== -1) expect(lastLock).toBeLessThan(unlocked);
    }
  }
});

describe('a subscription', () => {
  /** The account (twice), and one page of open grants. */
  const toBegin = 3;
  const everything = `state requestedBy { name } endedBy { name } engineer { name } decisions { decidedBy { name } }
    ticket { key site { url organization { name } } product { key } reporter { name } grants(first: 5) { edges { node { id } } } }`;

  const ofSession = `state note engineer { name } endedBy { name } site { url } ticket { key reporter { name } } grant { ${everything} }`;
  const ofChangeRequest = `state requestedBy { name } decidedBy { name } endedBy { name }
    ticket { key site { url } product { key } grants(first: 5) { edges { node { id } } } }`;
  const subscriptions = {
    changeRequestEvents: { about: 'changeRequest', happens: 'CONSENTED' },
    grantEvents: { about: 'grant', happens: 'ACTIVATED' },
    sessionEvents: { about: 'session', happens: 'SESSION_ENDED' },
  } as const;

  test('has a row', () => {
    expect(fieldsOf(schema.getSubscriptionType())).toEqual(['auditEvents', ...Object.keys(subscriptions)]);
  });

  /** The account (twice), and the last entry. Of a page: where the log ends, the entries, the account and the positions. */
  const toFollow = { toBegin: 3, page: 4 };

  test('entries of auditEvents, page by page', async () => {
    const read: string[] = [];
    await using other = await startGateway({
      databaseUrl: gateway.databaseUrl,
      maintenance: false,
      onStatement: (sql) => read.push(sql),
    });
    const admin = await other.as(acme.emails.organizationAdmin);
    await giveAllPositions(gateway.sql);
    const counts: Record<number, number> = {};
    for (const n of [1, many]) {
      read.length = 0;
      const events = admin.socket().iterate<Json>({
        query: `subscription { auditEvents(filter: { action: SITE_CREATE }) {
          id cursor type occurredAt entry { id position action actor { name } resource { type } details } } }`,
      });
      expect((await events.next()).value.data.auditEvents.type).toBe('STARTED');
      for (let made = 0; made < n; made++) {
        const url = `https://followed-${n}-${made}.example`;
        await done(world.operator, 'createSite', { organizationId: acme.organizationId, url, name: url });
      }
      // Until then it finds nothing, once.
      await eventually(() => expect(read.filter((sql) => sql.includes('is_looked_at')).length).toBe(1));
      await giveAllPositions(gateway.sql);
      for (let got = 0; got < n; got++)
        expect((await events.next()).value.data.auditEvents.entry.position).toBeGreaterThan(0);
      // All who wait share the looks.
      counts[n] = read.filter((sql) => !sql.includes('AS MATERIALIZED')).length;
      await events.return?.();
    }
    const { toBegin, page } = toFollow;
    expect(counts).toEqual({ 1: toBegin + page - 1 + page, [many]: toBegin + page - 1 + page });
  });

  test.each([
    ['grantEvents', 'the fields of the event itself', 'state version scope { kind }', 0],
    ['grantEvents', 'fields around its grant', everything, 1],
    ['sessionEvents', 'the fields of the event itself', 'state note endReason', 0],
    ['sessionEvents', 'fields around its session', ofSession, 1],
    ['changeRequestEvents', 'the fields of the event itself', 'state description decidedAt', 0],
    ['changeRequestEvents', 'fields around its change request', ofChangeRequest, 1],
  ] as const)('an event of %s with %s', async (field, _, selected, each) => {
    const { about, happens } = subscriptions[field];
    // The data of one event is reused for 250 ms. Time stands still, so that no data becomes
    // stale and is read again, however slow the machine is.
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    // On a gateway of its own, whose statements are the subscription's alone.
    const read: string[] = [];
    const { databaseUrl } = gateway;
    await using other = await startGateway({
      databaseUrl,
      maintenance: false,
      onStatement: (sql) => read.push(sql),
    });
    const admin = await other.as(acme.emails.organizationAdmin);
    const [reporter, approver] = [await member('reporter'), await member('organizationAdmin')];

    const counts: Record<number, number> = {};
    for (const n of [1, bulk]) {
      const url = `https://${about}-events-${each}-${n}.example`;
      const { organizationId } = acme;
      const site = await done(world.operator, 'createSite', { organizationId, url, name: url });
      const product = await done(world.operator, 'licenseProduct', {
        siteId: site.id,
        key: 'jira',
        name: 'Jira',
      });
      const input = { productId: product.id, summary: 'It is slow', grantDataAccess: false };
      const tickets = await inTurn(Array.from({ length: n }), () => done(reporter, 'createTicket', input));
      const decide = await preparing[field](tickets.map(({ id }) => id));

      read.length = 0;
      const events = admin.socket().iterate({
        query: `subscription { ${field}(withCurrentState: true, filter: { siteId: "${site.id}" }) {
          id cursor type occurredAt ${about} { id ${selected} } } }`,
      });
      const next = () => nextOf(field, events);
      const open = await inTurn(Array.from({ length: n }), next);
      expect(new Set(open.map(({ type }) => type))).toEqual(new Set(['CURRENT']));
      await decide(approver);
      const happened = await inTurn(Array.from({ length: n }), next);
      expect(new Set(happened.map(({ type }) => type))).toEqual(new Set([happens]));
      counts[n] = read.length;
      await events.return?.();
    }
    expect(counts).toEqual({ 1: toBegin + 2 * each, [bulk]: toBegin + 2 * bulk * each });
  });

  /** Makes on each of the tickets what there are events of. Returns what then happens to them. */
  const preparing = {
    grantEvents: async (ticketIds: string[]) => {
      const grantIds = await inTurn(ticketIds, async (id) => (await grantOf(id)).id);
      return (by: Person) => done(by, 'approveDataAccessInBulk', { grantIds });
    },
    sessionEvents: async (ticketIds: string[]) => {
      const grantIds = await inTurn(ticketIds, startSessionOn);
      return (by: Person) => done(by, 'revokeDataAccessInBulk', { grantIds });
    },
    changeRequestEvents: async (ticketIds: string[]) => {
      const changes = await inTurn(ticketIds, async (ticketId) => {
        await done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
        return await done(await signedIn(world.engineer.email), 'requestChange', changeOf(ticketId));
      });
      return (by: Person) =>
        inTurn(changes, ({ id: changeRequestId }) => done(by, 'consentToChange', { changeRequestId }));
    },
  };

  /** The request on a ticket. */
  async function grantOf(ticketId: string): Promise<{ id: string }> {
    const { grants } = await (await member('organizationAdmin')).ask(
      'query ($ticketId: ID!) { grants(filter: { ticketId: $ticketId }, first: 1) { edges { node { id } } } }',
      { ticketId },
    );
    return grants.edges[0].node;
  }

  /** Lets the engineer use a grant on the ticket. Returns the id of the grant. */
  async function startSessionOn(ticketId: string): Promise<string> {
    await done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
    const { id: grantId } = await done(await member('organizationAdmin'), 'approveDataAccess', { ticketId });
    const use = { reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' };
    await done(await signedIn(world.engineer.email), 'startSupportSession', { grantId, ...use });
    return grantId;
  }
});

test('grants that are written together are compared with their versions by one hash, not each with all', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const admin = await member('organizationAdmin');
  await statementsOf(() => done(admin, 'approveDataAccess', { ticketId }));
  const write = sent.find((sql) => sql.includes('INSERT INTO grants'));
  const client = await gateway.sql.connect();
  onTestFinished(() => client.release(true));
  const parameters = new Set(write?.match(/\$\d+/g)).size;
  await client.query(`SET plan_cache_mode = force_generic_plan; PREPARE written AS ${write}`);
  const { rows } = await client.query<Record<string, string>>(
    `EXPLAIN EXECUTE written (${Array.from({ length: parameters }, () => 'NULL').join()})`,
  );
  expect(rows.flatMap(Object.values).join('\n')).toMatch(/Conflict Filter: .*hashed SubPlan/);
});

function fieldsOf(type: unknown): string[] {
  return type instanceof GraphQLObjectType ? Object.keys(type.getFields()) : [];
}

/** The length of the longest list in an answer. */
function longestList(answer: Json): number {
  if (typeof answer !== 'object' || answer === null) return 0;
  const within = Object.values(answer).map(longestList);
  return Math.max(Array.isArray(answer) ? answer.length : 0, ...within);
}

async function inTurn<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
