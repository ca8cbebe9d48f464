/**
 * Every query and subscription × every person of the authorization table.
 *
 * On an ordinary day, who may ask and a random quarter of the others. READS_SEED=… draws the same people again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OperationName, operations } from '../../src/authorization/operations.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Answer, Json, Person, TestGateway } from '../support/gateway.ts';
import { listen } from '../support/listen.ts';
import {
  insertAuditStreams,
  insertInboundTicketEvents,
  insertInvitations,
  insertStatusChanges,
  rawId,
} from '../support/rows.ts';
import { seedOf } from '../support/size.ts';
import { done } from '../support/world.ts';
import { askedFor, cellOf, forEach, readTable } from './authorization-asking.ts';
import {
  type Everybody,
  fileTickets,
  globalId,
  type Name,
  openSessions,
  startGatewayWithEverybody,
  type TicketSpec,
} from './authorization-people.ts';
import { tables } from './authorization-table.ts';

const seed = seedOf('READS_SEED');

let gateway: TestGateway;
let everybody: Everybody;
let target: { ticketId: string; key: string; grantId: string; changeRequestId: string };
/** An open support session under the grant. */
let sessionId: string;
/** The ids of an audit entry about Acme's main site, of one that is only in the vendor's log, and of what the engineer did. */
let entries: { acme: string; vendor: string; engineer: string };
/** What has happened on the ticket of `target`. */
let timelineItemId: string;
/** A change that Acme's organization admin has proposed. */
let proposedChangeId: string;
/** An event that Acme's ticketing system has sent. */
let inboundTicketEventId: string;
/** A deletion of Acme's data in Rovo, which the approver has requested. */
let deletionId: string;
/** An invitation to Acme of an address that nobody has. */
let invitationId: string;
/** A stream of Acme's audit log. */
let auditStreamId: string;

beforeAll(async () => {
  ({ gateway, everybody } = await startGatewayWithEverybody());
  const { reporter } = everybody.world.acme.emails;
  target = await fileTicketOf(reporter, 'acme', {
    ...{ grant: 'ACTIVE', change: 'CONSENTED' },
    approverId: idOf('approver@acme.example'),
  });
  [sessionId = ''] = await openSessions(gateway, [target]);
  const entry = async (where: string, type = 'AuditEntry') => {
    const { rows } = await gateway.sql.query<{ id: string }>(`SELECT id FROM audit_entries WHERE ${where}`);
    return globalId(type, rows[0]?.id ?? '');
  };
  const { main } = everybody.world.acme.sites;
  await done(only('orgAdmin'), 'setSupportAccessRestrictions', { siteId: main.id, restricted: false });
  const proposed = await done(only('orgAdmin'), 'assignRole', {
    ...{ userId: everybody.colleague.id, organizationId: everybody.world.acme.organizationId },
    role: 'GUARD_ADMIN',
  });
  proposedChangeId = proposed.id;
  [inboundTicketEventId = ''] = await insertInboundTicketEvents(gateway, 'ticketing@acme.example', 1);
  const { rows: deletions } = await gateway.sql.query<{ id: string }>(
    `INSERT INTO rovo_data_deletions (id, organization_id, requested_by_id, requested_at, state, version)
     VALUES ($3, $1, $2, now(), 'REQUESTED', 1) RETURNING id`,
    [rawId(everybody.world.acme.organizationId), idOf('approver@acme.example'), newId()],
  );
  deletionId = globalId('RovoDataDeletion', deletions[0]?.id ?? '');
  [invitationId = ''] = await insertInvitations(
    gateway,
    rawId(everybody.world.acme.organizationId),
    everybody.world.acme.emails.organizationAdmin,
    ['nobody@newcomers.example'],
  );
  [auditStreamId = ''] = await insertAuditStreams(
    gateway,
    rawId(everybody.world.acme.organizationId),
    everybody.world.acme.emails.organizationAdmin,
    1,
  );
  const asked = await fileTicketOf(reporter, 'acme', {});
  await done(only('engineer'), 'requestDataAccess', { ticketId: asked.ticketId });
  entries = {
    acme: await entry(
      `action = 'site.set_support_access_restrictions' AND actor_email = 'organizationadmin@acme.example'`,
    ),
    vendor: await entry(`action = 'account.add_support_engineer'`),
    engineer: await entry(`action = 'grant.request'`),
  };
  const of = { organizationId: rawId(everybody.world.acme.organizationId), ticketId: rawId(target.ticketId) };
  await insertStatusChanges(gateway, of, 1);
  timelineItemId = await entry(`ticket_id = '${of.ticketId}'`, 'TimelineItem');
});
afterAll(() => gateway.dispose());

const rows = Object.values(tables).map(readTable);
const isQuery = (row: string) => operations[row.split(':')[0] as OperationName].kind === 'query';
const reads = [...(rows[0]?.keys() ?? [])].filter(isQuery);

type Read = {
  query: string;
  variables?: Record<string, unknown>;
  /** Whether the answer contains the requested object. */
  shows: (data: Json) => boolean;
};

/** The query of each row. */
function questions(): Record<string, Read> {
  const { world, colleague, thirdEngineer, operatorId, programId } = everybody;
  const { main } = world.acme.sites;
  const byId = (id: string): Read => ({
    query: 'query ($id: ID!) { node(id: $id) { id } }',
    variables: { id },
    shows: ({ node }) => node?.id === id,
  });
  const byEmail = (email: string): Read => ({
    query: 'query ($email: String!) { account(email: $email) { email } }',
    variables: { email: email.toUpperCase() },
    shows: ({ account }) => account?.email === email,
  });
  const inList = (name: string, id: string, filter = ''): Read => ({
    query: `{ ${name}(first: 100${filter}) { edges { node { id } } } }`,
    shows: (data) => data[name].edges.some((edge: Json) => edge.node.id === id),
  });
  const inSummary = (filter: string): Read => ({
    query: `{ auditSummary(groupBy: [ACTION], filter: { ${filter} }) { groups { action } total { entries } } }`,
    shows: ({ auditSummary: { groups, total } }) => groups.length > 0 && total.entries > 0,
  });
  return {
    viewer: { query: '{ viewer { kind } }', shows: ({ viewer }) => viewer.kind !== null },
    'node: Ticket': byId(target.ticketId),
    'node: Grant': byId(target.grantId),
    'node: SupportSession': byId(sessionId),
    'node: ChangeRequest': byId(target.changeRequestId),
    'node: Organization': byId(world.acme.organizationId),
    'node: Site': byId(main.id),
    'node: Product': byId(main.products.jira),
    'node: User': byId(colleague.id),
    'node: RoleAssignment': byId(colleague.roleAssignmentId),
    'node: AuditEntry': byId(entries.acme),
    'node: ProposedChange': byId(proposedChangeId),
    'node: InboundTicketEvent': byId(inboundTicketEventId),
    'node: TimelineItem': byId(timelineItemId),
    'node: RovoDataDeletion': byId(deletionId),
    'node: Invitation': byId(invitationId),
    'node: AuditStream': byId(auditStreamId),
    'node: SupportEngineer': byId(thirdEngineer.id),
    'node: Operator': byId(operatorId),
    'node: ServiceAccount': byId(programId),
    nodes: {
      query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
      variables: { ids: [target.ticketId, target.grantId] },
      shows: ({ nodes }) => nodes[0]?.id === target.ticketId && nodes[1]?.id === target.grantId,
    },
    organizations: inList('organizations', world.acme.organizationId),
    site: {
      query: 'query ($url: String!) { site(url: $url) { id } }',
      variables: { url: main.url },
      shows: ({ site }) => site?.id === main.id,
    },
    sites: inList('sites', main.id),
    ticket: {
      query: 'query ($key: String!) { ticket(key: $key) { id } }',
      variables: { key: target.key },
      shows: ({ ticket }) => ticket?.id === target.ticketId,
    },
    product: {
      query: 'query ($siteUrl: String!) { product(siteUrl: $siteUrl, key: "jira") { id } }',
      variables: { siteUrl: main.url },
      shows: ({ product }) => product?.id === main.products.jira,
    },
    tickets: inList('tickets', target.ticketId),
    grants: inList('grants', target.grantId),
    supportSessions: inList('supportSessions', sessionId),
    changeRequests: inList('changeRequests', target.changeRequestId),
    roleAssignments: inList('roleAssignments', colleague.roleAssignmentId),
    account: byEmail('colleague@acme.example'),
    'account: of an engineer': byEmail(world.engineer.email),
    accounts: {
      query: '{ accounts(first: 100) { edges { node { ... on User { id } } } } }',
      shows: ({ accounts }) => accounts.edges.some((edge: Json) => edge.node.id === colleague.id),
    },
    inboundTicketEvents: inList('inboundTicketEvents', inboundTicketEventId),
    rovoDataDeletions: inList('rovoDataDeletions', deletionId),
    auditLog: inList('auditLog', entries.acme),
    'auditLog: of the vendor': inList(
      'auditLog',
      entries.vendor,
      ', filter: { action: ACCOUNT_ADD_SUPPORT_ENGINEER }',
    ),
    'auditLog: of the engineer': inList('auditLog', entries.engineer, ', filter: { action: GRANT_REQUEST }'),
    auditSummary: inSummary(
      `siteIds: ["${main.id}"], action: SITE_SET_SUPPORT_ACCESS_RESTRICTIONS, actorEmail: "organizationadmin@acme.example"`,
    ),
    'auditSummary: of the vendor': inSummary('action: ACCOUNT_ADD_SUPPORT_ENGINEER'),
    'auditSummary: of the engineer': inSummary(
      `action: GRANT_REQUEST, actorKind: SUPPORT_ENGINEER, siteIds: ["${main.id}"]`,
    ),
  };
}

describe(`every query, READS_SEED=${seed}`, () => {
  test.each(reads)('%s', async (name) => {
    const question = questions()[name];
    if (question === undefined) throw new Error(`Nothing asks for ${name}`);
    const { query, variables, shows } = question;
    const due = expected(name);
    const asked = askedFor(due, everybody.people, seed + reads.indexOf(name));
    const answered = await cells(asked, async (person) => {
      const answer = await person.send(query, variables);
      return refusalIn(answer) ?? (shows(answer.data) ? 'yes' : '-');
    });
    expect(answered).toEqual(Object.fromEntries(asked.map(([column]) => [column, due[column]])));
  });
});

describe('a role that is not synced', () => {
  const eligibility = 'allowed obstacles { code } eligibleGrantors { edges { node { email } } }';
  const everything = `query ($key: String!, $ticketId: ID!) {
    ticket(key: $key) { key grants { edges { node { id } } } accessEligibility { ${eligibility} } }
    grants(filter: { ticketId: $ticketId }) { edges { node { id } } }
    accounts(first: 100) { edges { node { email } } }
    roleAssignments(first: 100) { edges { node { user { email } } } } }`;
  const seenBy = async (name: Name) => {
    const { key, ticketId } = target;
    const { email, ...person } = only(name);
    const seen: Json = await person.ask(everything, { key, ticketId });
    const others = ({ edges }: Json, of: (node: Json) => string) =>
      edges.map(({ node }: Json) => of(node)).filter((one: string) => one !== email);
    return {
      ...{ ticket: seen.ticket, grants: seen.grants.edges },
      accounts: others(seen.accounts, (node) => node.email),
      roles: others(seen.roleAssignments, ({ user }) => user.email),
    };
  };
  const nothing = { ticket: null, grants: [], accounts: [], roles: [] };
  const obstacle = {
    ...{ allowed: false, obstacles: [{ code: 'ROLE_NOT_SYNCED' }], eligibleGrantors: null },
  };

  test.each(['member', 'unsyncGrd'] as const)(
    'shows nothing on which it would not count: %s',
    async (name) => {
      expect(await seenBy(name)).toEqual(nothing);
    },
  );

  test.each(['unsynced', 'unsyncOrg'] as const)('shows what it lacks, and nothing else: %s', async (name) => {
    const { key, ticketId } = target;
    const ticket = { key, grants: { edges: [] }, accessEligibility: obstacle };
    expect(await seenBy(name)).toEqual({ ...nothing, ticket });
    const { refused } = await only(name).ask(
      `mutation ($input: ApproveDataAccessInput!) { refused: approveDataAccess(input: $input) {
         ... on NotEligibleError { code eligibility { ${eligibility} } } } }`,
      { input: { ticketId } },
    );
    expect(refused).toEqual({ code: 'NOT_ELIGIBLE', eligibility: obstacle });
  });
});

describe('what a sidebar shows', () => {
  const shownTo = async (query: string, isShown: (data: Json) => boolean) =>
    await cells(Object.entries(everybody.people), async (person) => {
      const answer = await person.send(query);
      return refusalIn(answer) ?? (isShown(answer.data) ? 'yes' : '-');
    });
  const has = (list: Json, id: string) => list?.edges.some(({ node }: Json) => node.id === id) ?? false;

  test('what has happened on a ticket: to whoever sees its grants', async () => {
    const query = `{ ticket(key: "${target.key}") { timeline(first: 100) { edges { node { id } } } } }`;
    const shown = await shownTo(query, ({ ticket }) => has(ticket?.timeline, timelineItemId));
    expect(shown).toEqual(expected('node: TimelineItem'));
  });

  test('who has access to a site: to whoever sees all grants on it', async () => {
    const { url } = everybody.world.acme.sites.main;
    const query = `{ site(url: "${url}") { activeAccess(first: 100) { edges { node { id } } } } }`;
    const shown = await shownTo(query, ({ site }) => has(site?.activeAccess, target.grantId));
    expect(shown).toEqual({ ...expected('node: Grant'), reporter: '-', approver: '-', engineer: '-' });
  });
});

describe('every subscription', () => {
  /** The subscriptions to events, and how each names the ticket that an event is about. */
  const selections = {
    grantEvents: 'type grant { ticket { id } }',
    sessionEvents: 'type session { ticket { id } }',
    changeRequestEvents: 'type changeRequest { ticket { id } }',
  };
  type Field = keyof typeof selections;
  const fields = Object.keys(selections) as Field[];

  test('is one of these', () => {
    const kinds = Object.entries(operations).filter(([, { kind }]) => kind === 'subscription');
    expect(kinds.map(([name]) => name)).toEqual([...fields, 'auditEvents']);
  });

  /** Which entries it shows, `auditLog` decides: both look where that looks. */
  test('auditEvents starts for everybody who may read a log', async () => {
    const query = 'subscription { auditEvents { type } }';
    const answers = await cells(Object.entries(everybody.people), async (person) => {
      const stream = await listen(gateway, person, query);
      const text = await stream.until((received) => received.includes('STARTED') || refusal.test(received));
      const code = refusal.exec(text)?.[1];
      return code === undefined ? 'yes' : wordFor(code);
    });
    expect(answers).toEqual(expected('auditEvents'));
  });

  /**
   * Everybody subscribes. Then on a ticket whose grant is used everything ends, and after it on one whose events the subscriber may
   * receive: a subscriber who receives the second event but not the first may not receive the first.
   */
  test('shows to everybody what the table says', async () => {
    const { world } = everybody;
    const ownSignals = new Map<Person, string>();
    type Filed = Awaited<ReturnType<typeof fileTicketOf>>;
    const signals: Record<'acme' | 'globex', Filed[]> = { acme: [], globex: [] };
    for (const name of Object.keys(everybody.people) as Name[]) {
      for (const person of everybody.people[name]) {
        const customer = name.startsWith('globex') || name === 'otherEng' ? 'globex' : 'acme';
        const filed = await fileTicketOf(person.email, customer, {
          ...{ grant: 'ACTIVE', change: 'CONSENTED' },
        });
        ownSignals.set(person, filed.ticketId);
        signals[customer].push(filed);
      }
    }
    await openSessions(gateway, [...signals.acme, ...signals.globex]);
    const streams = await Promise.all(
      Object.values(everybody.people)
        .flat()
        .flatMap((person) => fields.map((field) => ({ person, field })))
        .map(async ({ person, field }) => {
          const query = `subscription { ${field} { ${selections[field]} } }`;
          return { person, field, stream: await listen(gateway, person, query) };
        }),
    );

    const globexAdmin = await gateway.as(world.globex.emails.organizationAdmin);
    for (const [admin, ended] of [
      [only('orgAdmin'), [target]],
      [only('orgAdmin'), signals.acme],
      [globexAdmin, signals.globex],
    ] as const) {
      for (const { changeRequestId } of ended) await done(admin, 'revokeChangeConsent', { changeRequestId });
      await done(admin, 'revokeDataAccessInBulk', { grantIds: ended.map(({ grantId }) => grantId) });
    }

    const answers: Record<Field, Map<Person, string>> = {
      ...{ grantEvents: new Map(), sessionEvents: new Map(), changeRequestEvents: new Map() },
    };
    await Promise.all(
      streams.map(async ({ person, field, stream }) => {
        const signal = ownSignals.get(person) ?? '';
        const text = await stream.until((received) => received.includes(signal) || refusal.test(received));
        const code = refusal.exec(text)?.[1];
        answers[field].set(
          person,
          code === undefined ? (text.includes(target.ticketId) ? 'yes' : '-') : wordFor(code),
        );
      }),
    );
    const everyone = Object.entries(everybody.people);
    for (const field of fields) {
      expect(await cells(everyone, async (person) => answers[field].get(person) ?? ''), field).toEqual(
        expected(field),
      );
    }
  });
});

/** Creates a ticket with a grant that is reported by this account or, if it is an engineer's, assigned to it. */
async function fileTicketOf(email: string, customer: 'acme' | 'globex', grant: Partial<TicketSpec>) {
  const { sites, emails } = everybody.world[customer];
  const { engineer, otherEngineer } = everybody.world;
  const isEngineer = [engineer.email, otherEngineer.email].includes(email);
  const isMember = Object.values(emails).includes(email) || filers.includes(email);
  const [made] = await fileTickets(gateway, [
    {
      siteId: sites.main.id,
      productId: sites.main.products.jira,
      reporterId: idOf(isMember ? email : emails.reporter),
      assigneeId: idOf(isEngineer ? email : engineer.email),
      ...grant,
    },
  ]);
  if (made === undefined) throw new Error('No ticket was made');
  return made;
}

/** The members of Acme who are only in the authorization table. */
const filers = ['member', 'approver', 'siteguard', 'guardelse', 'unsyncorg', 'unsyncgrd'].map(
  (name) => `${name}@acme.example`,
);

function idOf(email: string): string {
  const id = everybody.accountIds.get(email);
  if (id === undefined) throw new Error(`Nobody has the email ${email}`);
  return id;
}

function only(name: Name, people = everybody.people): Person {
  const [person] = people[name];
  if (person === undefined) throw new Error(`Nobody is ${name}`);
  return person;
}

/** The answer for each column; if a column stands for several people with different answers, all of them. */
async function cells(
  asked: readonly [string, Person[]][],
  ask: (person: Person) => Promise<string>,
): Promise<Record<string, string>> {
  const columns = await forEach(asked, async ([name, persons]) => {
    const answers = new Set<string>();
    for (const person of persons) answers.add(await ask(person));
    return [name, [...answers].join(' and ')];
  });
  return Object.fromEntries(columns);
}

function expected(name: string): Record<string, string> {
  return Object.assign({}, ...rows.map((table) => Object.fromEntries(table.get(name) ?? [])));
}

const refusal = /"code":"(\w+)"/;

function wordFor(code: string): string {
  return cellOf[code] ?? code;
}

function refusalIn({ errors }: Answer): string | null {
  const code = errors[0]?.extensions['code'];
  return code === undefined ? null : wordFor(String(code));
}
