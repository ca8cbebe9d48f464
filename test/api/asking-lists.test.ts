/**
 * What lists can be asked for: each filter, alone and with others, in each order, from either end, against one naive
 * evaluation of all that the viewer sees.
 */
import fc from 'fast-check';
import { isInputObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mostCounted } from '../../src/graphql/lists/counted.ts';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { giveAllPositions } from '../support/positions.ts';
import { asRestored } from '../support/restored.ts';
import { insertWithdrawnGrants, rawId } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import {
  type Customer,
  done,
  fileTicket,
  type PersonName,
  type SiteName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

const seed = seedOf('ASKING_SEED');
const sent: string[] = [];
let gateway: TestGateway;
let world: World;

const hour = 3_600_000;
const siteNames: SiteName[] = ['main', 'original', 'restricted'];
const summaries = [
  'Slow boards',
  'SLOW search in Zürich',
  'Login fails (again)',
  'printer v2api',
  'slowness',
];

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    maintenance: false,
    onStatement: (sql) => sent.push(sql),
  }));
  // The first request of an account is an entry of the audit log.
  for (const email of [...everybody(), world.services.auditing])
    await (await gateway.as(email)).ask('{ viewer { kind } }');
  const draw = fc.sample(fc.array(fc.nat(1_000), { minLength: 8, maxLength: 8 }), {
    numRuns: 50,
    seed,
  });
  for (const [at, numbers] of draw.entries())
    await insertCase(at % 3 === 2 ? world.globex : world.acme, at, numbers);
});
afterAll(() => gateway.dispose());

/** A ticket of the past four days with a grant, in any state that grants of its site are in. */
async function insertCase(customer: Customer, at: number, numbers: readonly number[]): Promise<void> {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = numbers;
  const site = siteNames[a % siteNames.length] ?? 'main';
  const productId = rawId(customer.sites[site].products[b % 2 === 0 ? 'jira' : 'confluence']);
  const requestedAt = new Date(Date.now() - at * 2 * hour - d * 1_000);
  const engineerId = [rawId(world.engineer.id), rawId(world.otherEngineer.id), null][c % 3] ?? null;
  const people = await gateway.sql.query<{ id: string; email: string }>('SELECT id, email FROM accounts');
  const idOf = (name: PersonName) =>
    people.rows.find(({ email }) => email === customer.emails[name])?.id ?? null;
  const [reporterId, approverId] = [
    idOf(e % 2 === 0 ? 'reporter' : 'userAccessAdmin'),
    idOf(f % 3 === 0 ? 'guardAdmin' : 'organizationAdmin'),
  ];
  const state = ['PENDING_APPROVAL', site === 'restricted' ? 'PENDING_GUARD_APPROVAL' : 'ACTIVE', 'REVOKED'][
    e % 3
  ];
  const approved = state !== 'PENDING_APPROVAL';
  // Before or after somebody became a Guard admin.
  const approvedAt = f % 2 === 0 ? new Date() : requestedAt;
  const [ticketId, grantId] = [newId(requestedAt), newId(requestedAt)];
  await asRestored(
    gateway.sql,
    `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, assignee_id, status, created_at, organization_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...[ticketId, `ASK-${at}`, summaries[d % summaries.length], rawId(customer.sites[site].id), productId],
      ...[reporterId, engineerId, ['OPEN', 'RESOLVED'][g % 2], requestedAt],
      rawId(customer.organizationId),
    ],
  );
  await asRestored(
    gateway.sql,
    `INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at,
                         approval_due_at, path, customer_approved_at, customer_approved_by_id, activated_at, expires_at,
                         ended_at, end_reason, ended_by_id, engineer_id, guard_required, same_person_may_approve_twice, version,
                         organization_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, false, 1, $20)`,
    [
      ...[grantId, ticketId, rawId(customer.sites[site].id)],
      ...(g % 4 === 0 ? ['ROVO_CONVERSATIONS', ['one']] : ['PRODUCT_DATA', []]),
      // A tenth has waited too long, which nobody has written down.
      ...[
        state,
        reporterId,
        requestedAt,
        new Date(Math.max(requestedAt.getTime() + 1_000, Date.now() + ((c % 10) * 10 - 5) * hour)),
      ],
      ...(approved ? ['SUPPORT_PORTAL', approvedAt, approverId] : [null, null, null]),
      ...(state === 'ACTIVE' || state === 'REVOKED' ? [approvedAt] : [null]),
      ...(approved && f % 4 !== 1 ? [new Date(Date.now() + ((d % 40) + 1) * hour)] : [null]),
      ...(state === 'REVOKED' ? [new Date(), 'REVOKED_BY_CUSTOMER', approverId] : [null, null, null]),
      ...[engineerId, site === 'restricted', rawId(customer.organizationId)],
    ],
  );
}

type Row = Json;
/** A condition, as it is given and as it is meant. */
type Condition = { name: string; value: unknown; fits: (row: Row) => boolean };
type Question = {
  /** The field of `Query`, with what has to be read to evaluate it naively. */
  list: string;
  filter: string;
  selected: string;
  people: () => string[];
  /** Values for each field of the filter. */
  conditions: () => Record<string, Condition[]>;
  time: (row: Row) => string;
  isKept?: (row: Row, order: string) => boolean;
};

const one = (name: string, value: unknown, fits: (row: Row) => boolean): Condition => ({ name, value, fits });
const someOf = (name: string, pairs: readonly string[][], of: (row: Row) => string): Condition[] =>
  pairs.map((values) => one(name, values, (row) => values.includes(of(row))));

function words(text: string): string[] {
  return text.toLowerCase().split(/[^\p{L}\p{N}]+/u);
}

/** The texts of the details of an entry, without ids. */
function textsIn(value: unknown, key = ''): string[] {
  if (typeof value === 'string') return /Ids?$/.test(key) ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => textsIn(one, Array.isArray(value) ? key : name));
}

const textFits = (query: string, text: string) =>
  words(query).every((begin) => words(text).some((word) => word.startsWith(begin)));

/** The same period as a time, and as a day. */
function periods(field: string): Record<string, Condition[]> {
  const moments = [10, 50, 75].map((hours) => new Date(Date.now() - hours * hour).toISOString());
  const given = [...moments, ...moments.map((moment) => moment.slice(0, 10))];
  const time = (text: string) => new Date(text).getTime();
  return {
    from: given.map((from) => one('from', from, (row) => time(row[field]) >= time(from))),
    until: given.map((until) => one('until', until, (row) => time(row[field]) < time(until))),
  };
}

const sites = () => siteNames.flatMap((name) => [world.acme.sites[name], world.globex.sites[name]]);
const siteOf = (name: SiteName) => world.acme.sites[name];
const everybody = () => [
  ...Object.values(world.acme.emails),
  ...['operator@vendor.example', world.engineer.email, world.services.watching, world.services.acmeWatching],
];
const decisions = ['approveDataAccess', 'denyDataAccess', 'approveGuardRequest', 'denyGuardRequest'];
const texts = ['slow', 'Slow sea', 'zür', 'ASK-1', 'again login', 'v2', 'nothing of that kind'];

const questions: Record<string, Question> = {
  grants: {
    list: 'grants',
    filter: 'GrantFilter',
    selected: `id state requestedAt approvalDueAt scope { kind } engineer { id } viewerMay { ${decisions.map((each) => `${each} { allowed }`).join(' ')} }
      ticket { id key summary site { id organization { id } } product { id key } }`,
    people: everybody,
    time: (row) => row.requestedAt,
    isKept: (row, order) => order !== 'DUE_SOONEST' || row.state.startsWith('PENDING'),
    conditions: () => ({
      states: someOf(
        'states',
        [['PENDING_APPROVAL'], ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'], ['EXPIRED', 'REVOKED'], []],
        (row) => row.state,
      ),
      mayDecide: [true, false].map((may) =>
        one('mayDecide', may, (row) => decisions.some((each) => row.viewerMay[each].allowed) === may),
      ),
      organizationId: [world.acme, world.globex].map(({ organizationId }) =>
        one('organizationId', organizationId, (row) => row.ticket.site.organization.id === organizationId),
      ),
      siteId: [one('siteId', siteOf('main').id, (row) => row.ticket.site.id === siteOf('main').id)],
      siteIds: someOf(
        'siteIds',
        [[siteOf('main').id, siteOf('restricted').id], [world.globex.sites.main.id], []],
        (row) => row.ticket.site.id,
      ),
      productId: [
        one(
          'productId',
          siteOf('main').products.jira,
          (row) => row.ticket.product.id === siteOf('main').products.jira,
        ),
      ],
      productKeys: someOf('productKeys', [['jira'], ['jira', 'confluence']], (row) => row.ticket.product.key),
      ticketId: [],
      engineerId: [one('engineerId', world.engineer.id, (row) => row.engineer?.id === world.engineer.id)],
      engineerIds: someOf(
        'engineerIds',
        [[world.engineer.id, world.otherEngineer.id], [world.otherEngineer.id]],
        (row) => row.engineer?.id,
      ),
      scope: [
        one('scope', 'ROVO_CONVERSATIONS', (row) => row.scope.kind === 'ROVO_CONVERSATIONS'),
        one('scope', 'PRODUCT_DATA', (row) => row.scope.kind === 'PRODUCT_DATA'),
      ],
      text: texts.map((text) =>
        one('text', text, (row) => textFits(text, `${row.ticket.key} ${row.ticket.summary}`)),
      ),
      ...periods('requestedAt'),
    }),
  },
  tickets: {
    list: 'tickets',
    filter: 'TicketFilter',
    selected:
      'id key summary status createdAt reporter { id } assignee { id } site { id organization { id } } product { id key }',
    people: everybody,
    time: (row) => row.createdAt,
    conditions: () => ({
      organizationId: [world.acme, world.globex].map(({ organizationId }) =>
        one('organizationId', organizationId, (row) => row.site.organization.id === organizationId),
      ),
      siteId: [one('siteId', siteOf('original').id, (row) => row.site.id === siteOf('original').id)],
      siteIds: someOf('siteIds', [sites().map(({ id }) => id), [siteOf('main').id]], (row) => row.site.id),
      productId: [
        one(
          'productId',
          siteOf('main').products.jira,
          (row) => row.product.id === siteOf('main').products.jira,
        ),
      ],
      productKeys: someOf('productKeys', [['confluence'], ['none', 'jira']], (row) => row.product.key),
      statuses: someOf('statuses', [['OPEN'], ['RESOLVED', 'CLOSED']], (row) => row.status),
      reporterId: [],
      assigneeId: [one('assigneeId', world.engineer.id, (row) => row.assignee?.id === world.engineer.id)],
      assigneeIds: someOf(
        'assigneeIds',
        [[world.engineer.id, world.otherEngineer.id], [world.otherEngineer.id]],
        (row) => row.assignee?.id,
      ),
      isAssigned: [true, false].map((is) => one('isAssigned', is, (row) => (row.assignee !== null) === is)),
      text: texts.map((text) => one('text', text, (row) => textFits(text, `${row.key} ${row.summary}`))),
      ...periods('createdAt'),
    }),
  },
  accounts: {
    list: 'accounts',
    filter: 'AccountFilter',
    selected: '... on Node { id } name email kind isActive createdAt',
    people: () => [
      'operator@vendor.example',
      world.acme.emails.organizationAdmin,
      world.acme.emails.reporter,
    ],
    time: (row) => row.createdAt,
    conditions: () => ({
      kind: [one('kind', 'USER', (row) => row.kind === 'USER')],
      kinds: someOf('kinds', [['SUPPORT_ENGINEER', 'OPERATOR'], ['USER']], (row) => row.kind),
      organizationId: (['acme', 'globex'] as const).map((name) =>
        one('organizationId', world[name].organizationId, (row) =>
          Object.values(world[name].emails).includes(row.email),
        ),
      ),
      email: [one('email', world.engineer.email.toUpperCase(), (row) => row.email === world.engineer.email)],
      isActive: [true, false].map((is) => one('isActive', is, (row) => row.isActive === is)),
      text: ['acme', 'guard', 'GUARDADMIN glo', 'erin vendor'].map((text) =>
        one('text', text, (row) => textFits(text, `${row.name} ${row.email}`)),
      ),
      ...periods('createdAt'),
    }),
  },
  roleAssignments: {
    list: 'roleAssignments',
    filter: 'RoleAssignmentFilter',
    selected: 'id role createdAt user { id email name } organization { id } site { id }',
    people: () => [
      'operator@vendor.example',
      world.acme.emails.organizationAdmin,
      world.acme.emails.jiraAdmin,
    ],
    time: (row) => row.createdAt,
    conditions: () => ({
      organizationId: [
        one(
          'organizationId',
          world.acme.organizationId,
          (row) => row.organization.id === world.acme.organizationId,
        ),
      ],
      siteId: [one('siteId', siteOf('main').id, (row) => row.site?.id === siteOf('main').id)],
      siteIds: someOf(
        'siteIds',
        [[siteOf('main').id, siteOf('original').id], [siteOf('restricted').id]],
        (row) => row.site?.id,
      ),
      userId: [],
      role: [one('role', 'PRODUCT_ADMIN', (row) => row.role === 'PRODUCT_ADMIN')],
      roles: someOf('roles', [['PRODUCT_ADMIN', 'GUARD_ADMIN'], ['TRUSTED_USER']], (row) => row.role),
      text: ['acme', 'jira', 'GUARDADMIN glo', 'nobody'].map((text) =>
        one('text', text, (row) => textFits(text, `${row.user.name} ${row.user.email}`)),
      ),
      ...periods('createdAt'),
    }),
  },
  auditLog: {
    list: 'auditLog',
    filter: 'AuditLogFilter',
    selected: `id action outcome occurredAt actor { kind email name } organization { id } site { id } productKey refusalCode
      clientAddress details resource { type name node { id } }`,
    people: () => [
      'operator@vendor.example',
      ...[world.acme.emails.organizationAdmin, world.acme.emails.guardAdmin, world.services.auditing],
    ],
    time: (row) => row.occurredAt,
    conditions: () => ({
      organizationId: [
        one(
          'organizationId',
          world.acme.organizationId,
          (row) => row.organization?.id === world.acme.organizationId,
        ),
      ],
      actorEmail: [
        one('actorEmail', 'OPERATOR@vendor.example', (row) => row.actor.email === 'operator@vendor.example'),
      ],
      actorEmails: [['Operator@vendor.example', world.acme.emails.guardAdmin], ['nobody@vendor.example']].map(
        (emails) =>
          one('actorEmails', emails, (row) =>
            emails.some((email) => email.toLowerCase() === row.actor.email),
          ),
      ),
      actorKind: [one('actorKind', 'USER', (row) => row.actor.kind === 'USER')],
      action: [one('action', 'ROLE_ASSIGN', (row) => row.action === 'ROLE_ASSIGN')],
      actions: someOf(
        'actions',
        [['ROLE_ASSIGN', 'SITE_CREATE'], ['SITE_DEACTIVATE'], []],
        (row) => row.action,
      ),
      outcome: [one('outcome', 'SUCCEEDED', (row) => row.outcome === 'SUCCEEDED')],
      siteId: [one('siteId', siteOf('main').id, (row) => row.site?.id === siteOf('main').id)],
      siteIds: someOf(
        'siteIds',
        [[siteOf('main').id, siteOf('restricted').id], [world.globex.sites.main.id]],
        (row) => row.site?.id,
      ),
      ...{ ticketId: [], grantId: [], supportSessionId: [] },
      // test/api/audit.test.ts has some of each.
      ...{ ticketIds: [], ticketKeys: [], grantIds: [], supportSessionIds: [], engineerCountries: [] },
      actorEmailPrefixes: [
        one('actorEmailPrefixes', ['OPER', '@acme.'], (row) => /^oper|@acme\./.test(row.actor.email ?? '')),
        one('actorEmailPrefixes', ['_', '%@', '@vendor.example'], (row) =>
          /@vendor\.example/.test(row.actor.email ?? ''),
        ),
      ],
      actorKinds: someOf('actorKinds', [['USER', 'SYSTEM'], ['OPERATOR']], (row) => row.actor.kind),
      actionsOn: [
        one('actionsOn', ['ROLE', 'SITE'], (row) => /^(ROLE|SITE)_/.test(row.action)),
        one('actionsOn', ['ACCOUNT'], (row) => row.action.startsWith('ACCOUNT_')),
      ],
      refusalCodes: someOf('refusalCodes', [['FORBIDDEN', 'GRANT_EXPIRED'], []], (row) => row.refusalCode),
      resourceTypes: someOf('resourceTypes', [['Site', 'work_item'], ['User']], (row) => row.resource.type),
      resourceIds: someOf(
        'resourceIds',
        [
          [siteOf('main').id, 'ONE-1'],
          [world.engineer.id, world.acme.organizationId],
        ],
        (row) => row.resource.node?.id,
      ),
      productKeys: someOf('productKeys', [['jira', 'none'], ['confluence']], (row) => row.productKey),
      clientAddresses: [
        one('clientAddresses', ['127.0.0.1', '192.0.2.0/24'], (row) => row.clientAddress === '127.0.0.1'),
        one('clientAddresses', ['2001:db8::/32'], () => false),
      ],
      text: ['acme', 'JIRA lic', 'operator vendor', 'guardadmin'].map((text) =>
        one('text', text, (row) =>
          textFits(text, `${row.actor.name} ${row.actor.email ?? ''} ${textsIn(row.details).join(' ')}`),
        ),
      ),
      ...periods('occurredAt'),
    }),
  },
};

type Asked = {
  list: string;
  filter: Record<string, unknown>;
  orderBy: string;
  size: number;
  isBackward: boolean;
};

/** The pages of a list, put together as its items stand in it. `between` runs between two pages. */
async function readPages(
  person: Person,
  selected: string,
  { list, filter, orderBy, size, isBackward }: Asked,
  between: () => Promise<unknown> = async () => undefined,
): Promise<{ rows: Row[]; total: Json }> {
  const { filter: filterType } = questions[list] ?? { filter: '' };
  const orderType = list === 'grants' ? 'GrantOrder' : 'ListOrder';
  const page = isBackward ? 'last: $size, before: $cursor' : 'first: $size, after: $cursor';
  const query = `query ($filter: ${filterType}, $orderBy: ${orderType}, $size: Int, $cursor: String) {
    list: ${list}(filter: $filter, orderBy: $orderBy, ${page}) { totalCount { count isExact }
      edges { node { ${selected} } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
  const rows: Row[] = [];
  for (let cursor: string | null = null; ; ) {
    const data: Json = await person.ask(query, { filter, orderBy, size, cursor });
    const nodes = data.list.edges.map(({ node }: Json) => node);
    if (isBackward) rows.unshift(...nodes);
    else rows.push(...nodes);
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = data.list.pageInfo;
    if (!(isBackward ? hasPreviousPage : hasNextPage)) return { rows, total: data.list.totalCount };
    cursor = isBackward ? startCursor : endCursor;
    await between();
  }
}

/** All that the person sees, newest first. */
async function readAll(person: Person, { list, selected }: Question): Promise<Row[]> {
  return (
    await readPages(person, selected, { list, filter: {}, orderBy: 'NEWEST', size: 100, isBackward: false })
  ).rows;
}

/** Names of the lists, each with its number of runs. */
const runs = Object.keys(questions).map((name) => [name, bySize(name === 'grants' ? 24 : 8, 1_500)] as const);

describe.each(runs)('%s', (name, numRuns) => {
  const question = questions[name] as Question;

  test(`answer as a naive evaluation does, ASKING_SEED=${seed}`, {
    timeout: bySize(120_000, 3_600_000),
  }, async () => {
    const conditions = question.conditions();
    const input = schema.getType(question.filter);
    expect(Object.keys(conditions).sort()).toEqual(
      isInputObjectType(input) ? Object.keys(input.getFields()).sort() : [],
    );
    const all = new Map<string, Row[]>();
    const usable = Object.values(conditions).filter((some) => some.length > 0);
    const chosen = fc
      .subarray(usable, { maxLength: 3 })
      .chain((fields) => fc.tuple(...fields.map((some) => fc.constantFrom(...some))));
    const orders = name === 'grants' ? ['NEWEST', 'OLDEST', 'DUE_SOONEST'] : ['NEWEST', 'OLDEST'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...question.people()),
        chosen,
        fc.constantFrom(...orders),
        fc.integer({ min: 3, max: 30 }),
        fc.boolean(),
        async (email, given, orderBy, size, isBackward) => {
          const person = await gateway.as(email);
          // The log has only entries with positions where it begins with the oldest.
          if (name === 'auditLog') await giveAllPositions(gateway.sql);
          const seen = all.get(email) ?? (await readAll(person, question));
          all.set(email, seen);
          const filter = Object.fromEntries(given.map((each) => [each.name, each.value]));
          const [from, until] = [filter['from'], filter['until']].map((text) => Date.parse(String(text)));
          fc.pre(!((from ?? 0) >= (until ?? 0)));
          const fitting = seen.filter(
            (row) => given.every(({ fits }) => fits(row)) && (question.isKept?.(row, orderBy) ?? true),
          );
          const expected = inOrder(fitting, orderBy);
          const asked = { list: name, filter, orderBy, size, isBackward };
          const { rows, total } = await readPages(person, 'id', {
            ...asked,
            // What is searched for over many pages is read at once.
            size: expected.length > 60 ? 100 : size,
          });
          expect(rows.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
          expect(total).toEqual({ count: expected.length, isExact: true });
        },
      ),
      { numRuns, seed, ...replay() },
    );
  });
});

const replay = () => {
  const path = process.env['ASKING_PATH'];
  return path === undefined ? {} : { path, endOnFailure: true };
};

function inOrder(rows: readonly Row[], orderBy: string): Row[] {
  if (orderBy === 'NEWEST') return [...rows];
  if (orderBy === 'OLDEST') return rows.toReversed();
  return rows.toSorted(
    (a, b) => a.approvalDueAt.localeCompare(b.approvalDueAt) || rawId(a.id).localeCompare(rawId(b.id)),
  );
}

describe('while tickets are being filed', () => {
  test.each([
    ['grants', 'NEWEST', false],
    ['grants', 'DUE_SOONEST', false],
    ['tickets', 'OLDEST', false],
    ['tickets', 'OLDEST', true],
  ])('%s by %s, backward %s, give each that was there once, in order', async (list, orderBy, isBackward) => {
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    const asked = { list, filter: { productKeys: ['jira'] }, orderBy, isBackward };
    const before = (await readPages(admin, 'id', { ...asked, size: 100 })).rows.map(({ id }) => id);
    const seen = (
      await readPages(admin, 'id', { ...asked, size: 4 }, async () => {
        if (filed++ % 2 === 0) await fileTicket(gateway, world);
      })
    ).rows.map(({ id }) => id);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => before.includes(id))).toEqual(before);
  });
  let filed = 0;
});

test('a cursor is good for its order and its filter only', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const read = (args: string) => admin.send(`{ grants(first: 1, ${args}) { pageInfo { endCursor } } }`);
  const cursorOf = async (args: string): Promise<string> => (await read(args)).data.grants.pageInfo.endCursor;
  const both = 'states: [ACTIVE, PENDING_APPROVAL]';
  const given = {
    plain: 'orderBy: NEWEST',
    oldest: 'orderBy: OLDEST',
    filtered: `filter: { ${both}, scope: PRODUCT_DATA }`,
    other: `filter: { ${both} }`,
    due: `filter: { ${both} }, orderBy: DUE_SOONEST`,
  };
  for (const [of, args] of Object.entries(given)) {
    const cursor = await cursorOf(args);
    for (const [by, others] of Object.entries(given)) {
      const { errors } = await read(`${others}, after: "${cursor}"`);
      const codes = errors.map(({ extensions }) => extensions['code']);
      expect(codes, `a cursor of ${of} for ${by}`).toEqual(of === by ? [] : ['BAD_USER_INPUT']);
    }
  }
  // The same filter and order, said in other ways.
  const filtered = await cursorOf(given.filtered);
  const same =
    'filter: { scope: PRODUCT_DATA, states: [PENDING_APPROVAL, ACTIVE, ACTIVE], siteIds: null }, orderBy: NEWEST';
  expect((await read(`${same}, after: "${filtered}"`)).errors).toEqual([]);
  expect((await read(`filter: {}, after: "${await cursorOf(given.plain)}"`)).errors).toEqual([]);
});

test('a total is exact up to its limit, and then says that there are at least so many', async () => {
  const admin = await gateway.as(world.globex.emails.organizationAdmin);
  const { ticketId } = await fileTicket(gateway, world, { customer: 'globex' });
  const { rows } = await gateway.sql.query('SELECT site_id, reporter_id FROM tickets WHERE id = $1', [
    rawId(ticketId),
  ]);
  const of = { ticketId: rawId(ticketId), siteId: rows[0].site_id, requestedById: rows[0].reporter_id };
  const total = async () =>
    (
      await admin.ask(
        `{ grants(first: 1, filter: { ticketId: "${ticketId}", states: [WITHDRAWN] }) { totalCount { count isExact } } }`,
      )
    ).grants.totalCount;
  await insertWithdrawnGrants(gateway, of, mostCounted);
  expect(await total()).toEqual({ count: mostCounted, isExact: true });
  await insertWithdrawnGrants(gateway, of, 1);
  expect(await total()).toEqual({ count: mostCounted, isExact: false });
});

test('a total costs one statement, only where it is asked for', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const statements = async (selected: string, list: string) => {
    sent.length = 0;
    await admin.ask(`{ ${list}(filter: { from: null }) { edges { cursor } ${selected} } }`);
    return sent.length;
  };
  for (const list of Object.keys(questions)) {
    const without = await statements('', list);
    expect(await statements('totalCount { count isExact }', list), list).toBe(without + 1);
    expect(without, list).toBeLessThanOrEqual(3);
  }
});

test('the grants and tickets of places are those of their lists, and cost the same for many places', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const selected =
    '(first: 5, orderBy: OLDEST, filter: { productKeys: ["jira"] }) { totalCount { count } edges { node { id } } }';
  const lists = `grants${selected} tickets${selected}`;
  const statements = async (first: number) => {
    sent.length = 0;
    const answer = await admin.ask(`{ sites(first: ${first}) { edges { node { id ${lists} } } } }`);
    return { count: sent.length, answer };
  };
  const [few, many] = [await statements(2), await statements(4)];
  expect(many.count).toBe(few.count);
  const { node, sites: listed } = await admin.ask(
    `query ($id: ID!) { node(id: $id) { ... on Organization { ${lists} } } sites { edges { node { id ${lists} } } } }`,
    { id: world.acme.organizationId },
  );
  for (const list of ['grants', 'tickets']) {
    const read = async (filter: Record<string, unknown>) => {
      const asked = { list, filter: { ...filter, productKeys: ['jira'] }, orderBy: 'OLDEST' };
      return (await readPages(admin, 'id', { ...asked, size: 100, isBackward: false })).rows;
    };
    const expectSame = async (shown: Json, filter: Record<string, unknown>) => {
      const rows = await read(filter);
      expect(shown.edges.map((edge: Json) => edge.node)).toEqual(rows.slice(0, 5));
      expect(shown.totalCount.count).toBe(rows.length);
    };
    await expectSame(node[list], { organizationId: world.acme.organizationId });
    for (const edge of listed.edges) await expectSame(edge.node[list], { siteIds: [edge.node.id] });
  }
});

test('what a filter cannot mean is refused', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const wrong = [
    'from: "2026-02-30"',
    'from: "2026-11-27", until: "2026-11-27"',
    'text: "--"',
    'text: ""',
    `siteIds: [${Array.from({ length: 101 }, () => `"${world.acme.organizationId}"`)}]`,
    `siteIds: ["${world.acme.organizationId}"]`,
  ];
  for (const filter of wrong) {
    const { errors } = await admin.send(`{ tickets(filter: { ${filter} }) { edges { cursor } } }`);
    expect(errors.length, filter).toBe(1);
    expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED'], filter).toContain(errors[0]?.extensions['code']);
  }
  const expiresAt = '2090-01-01';
  const { grantId } = await fileTicket(gateway, world);
  const answer = await admin.ask(
    `mutation { approveDataAccess(input: { grantId: "${grantId}", expiresAt: "${expiresAt}" }) { ... on InvalidInputError { fields { message } } } }`,
  );
  expect(answer.approveDataAccess.fields[0].message).toContain('must have a time of day');
});

test('what a filter of the audit log cannot mean is refused before anything is read', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  await admin.ask('{ viewer { kind } }');
  const list = (name: string, value: string, count = 101) =>
    `filter: { ${name}: [${Array.from({ length: count }, () => value)}] }`;
  const cursor = (name: string) => Buffer.from(`${name}:${newId()}`).toString('base64url');
  const wrong = [
    'filter: { from: "2026-11-27T00:00:00.000001Z", until: "2026-11-27" }',
    'filter: { from: "2026-11-27T00:00:00.000001Z", until: "2026-11-27T00:00:00.000002Z" }',
    ...['ticketIds', 'grantIds', 'supportSessionIds'].map((name) =>
      list(name, `"${world.acme.organizationId}"`, 1),
    ),
    ...[list('actorEmailPrefixes', '"a"'), list('ticketKeys', '"A-1"'), list('resourceIds', '"one"')],
    ...[
      list('clientAddresses', '"192.0.2.1"'),
      list('productKeys', '"jira"'),
      list('actions', 'ROLE_ASSIGN'),
    ],
    ...['*', 'a*', '%', '@', ''].map((prefix) => list('actorEmailPrefixes', `"${prefix}"`, 1)),
    ...['192.0.2', '0.0.0.0/0', '::/0', '192.0.2.1/33', 'fe80::1%eth0', '192.0.2.1 OR 1=1'].map((address) =>
      list('clientAddresses', `"${address}"`, 1),
    ),
    list('refusalCodes', '"NOTHING"', 1),
    list('engineerCountries', '"XX"', 1),
    list('productKeys', '"%"', 1),
    `filter: { text: "${'%'.repeat(50)}" }`,
    `filter: { text: "${'a'.repeat(101)}" }`,
    `after: "${cursor('tickets')}"`,
    `after: "${cursor('auditLog')}", filter: { actorKinds: [USER] }`,
    `before: "${cursor('auditLog@0000000000000000')}", orderBy: OLDEST`,
    'first: 1, last: 1',
    'first: -1',
  ];
  for (const asked of wrong) {
    sent.length = 0;
    const { errors } = await admin.send(`{ auditLog(${asked}) { edges { cursor } } }`);
    expect(errors.length, asked).toBe(1);
    expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED'], asked).toContain(errors[0]?.extensions['code']);
    // That of the viewer.
    expect(sent.length, asked).toBeLessThanOrEqual(1);
  }
  const wrongSummaries = [
    ...['groupBy: []', 'groupBy: [ACTOR, ACTION, SITE, OUTCOME]', 'groupBy: [HOUR, DAY]'],
    ...['top: 0', 'top: 1001', 'top: 1.5'].map((top) => `groupBy: [ACTOR], ${top}`),
    ...['', 'Europe/Nowhere', '+01:00', 'FOO+3', 'UTC; DROP', 'Europe/Berlin '].map(
      (zone) => `groupBy: [DAY], timeZone: "${zone}"`,
    ),
    'groupBy: [ACTOR], filter: { from: "2026-11-28", until: "2026-11-27" }',
    `groupBy: [ACTOR], ${list('grantIds', '"one"')}`,
  ];
  for (const asked of wrongSummaries) {
    sent.length = 0;
    const { data, errors } = await admin.send(`{ auditSummary(${asked}) { isExact } }`);
    expect(errors.length, asked).toBeGreaterThan(0);
    expect(data?.auditSummary ?? null, asked).toBeNull();
    expect(['BAD_USER_INPUT', 'GRAPHQL_VALIDATION_FAILED'], asked).toContain(errors[0]?.extensions['code']);
    expect(sent.length, asked).toBeLessThanOrEqual(1);
  }
  // Each reads much.
  const summaries = Array.from({ length: 10 }, (_, at) => `s${at}: auditSummary(groupBy: [DAY]) { isExact }`);
  const { errors } = await admin.send(`{ ${summaries.join(' ')} }`);
  expect(errors[0]?.extensions['code']).toBe('OPERATION_LIMIT_EXCEEDED');
  // As long a question as fits into the limits is answered, too.
  const much = (['actorEmailPrefixes', 'ticketKeys', 'resourceIds'] as const).map(
    (name) => [name, Array.from({ length: 100 }, (_, at) => `none-${at}`)] as const,
  );
  const query =
    'query ($filter: AuditLogFilter) { auditLog(filter: $filter) { edges { cursor } totalCount { count } } }';
  expect(await admin.ask(query, { filter: Object.fromEntries(much) })).toEqual({
    auditLog: { edges: [], totalCount: { count: 0 } },
  });
});

test('a summary counts what the list has, for each who reads it, and nothing of what others have', async () => {
  const query = `query ($filter: AuditLogFilter) { auditSummary(filter: $filter, groupBy: [ACTION, SITE], top: 3, timeZone: "Europe/Berlin") {
    groups { actorKind actorEmail action outcome productKey siteId siteUrl hour day counts { entries attempts } }
    otherGroups others { entries attempts } total { entries attempts } isExact } }`;
  const question = questions['auditLog'] as Question;
  for (const email of [...question.people(), world.globex.emails.organizationAdmin]) {
    const person = await gateway.as(email);
    const rows = await readAll(person, { ...question, selected: 'count action site { id } siteUrl' });
    const all = Map.groupBy(rows, ({ action, site }) => `${action} ${site?.id}`);
    const sizes = [...all.values()].map(({ length }) => length).sort((a, b) => b - a);
    const { auditSummary } = await person.ask(query);
    expect(auditSummary.total).toEqual({
      entries: rows.length,
      attempts: rows.reduce((sum, { count }) => sum + count, 0),
    });
    expect(auditSummary.isExact).toBe(true);
    expect(auditSummary.groups.map(({ counts }: Json) => counts.entries)).toEqual(sizes.slice(0, 3));
    for (const { action, siteId, siteUrl, counts, ...others } of auditSummary.groups) {
      const entries = all.get(`${action} ${siteId ?? undefined}`) ?? [];
      expect([counts.entries, siteUrl]).toEqual([entries.length, entries[0]?.siteUrl]);
      expect(new Set(Object.values(others))).toEqual(new Set([null]));
    }
    expect(auditSummary.otherGroups).toBe(sizes.length - 3);
    expect(auditSummary.others.entries).toBe(sizes.slice(3).reduce((sum, size) => sum + size, 0));
  }
  const filter = { organizationId: world.globex.organizationId };
  const foreign = (await (await gateway.as(world.acme.emails.organizationAdmin)).ask(query, { filter }))
    .auditSummary;
  expect(foreign).toMatchObject({ groups: [], otherGroups: 0, total: { entries: 0 }, isExact: true });
});

test('an account that was deactivated is found as such', async () => {
  const email = 'gone@vendor.example';
  const { id } = await done(world.operator, 'addSupportEngineer', { email, name: 'Gone' });
  await done(world.operator, 'deactivateAccount', { accountId: id });
  const { accounts } = await world.operator.ask(
    '{ accounts(filter: { isActive: false }) { edges { node { email } } totalCount { count isExact } } }',
  );
  expect(accounts).toEqual({ edges: [{ node: { email } }], totalCount: { count: 1, isExact: true } });
});
