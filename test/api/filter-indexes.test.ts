/**
 * Every documented filter of a list is served by an index. The operator sees everything, so that the conditions
 * of the statement are those of the filter and nothing else; PostgreSQL is asked how it would read the rows if it
 * could not read the whole table. A new filter fails here until it is classified.
 */
import { type GraphQLInputType, getNamedType, isInputObjectType, isListType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { listTimelines } from '../../src/audit/timeline-store.ts';
import { schema } from '../../src/graphql/schema.ts';
import type { Transaction } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { globalId } from '../support/rows.ts';

/** The column that a filter reads, or the reason why no index starts with it. */
type Served = { readonly column: string; readonly unindexed?: string };

/** Its cost is measured in test/authorization/visible-pages.test.ts. */
const measured: Served = { column: '', unindexed: 'measured' };
const byTime: Served = { column: '', unindexed: 'the bounds of its ids are: measured' };
const few: Served = { column: '', unindexed: 'it has two values: pages are read in the order of the list' };

const served: Record<string, Record<string, Served>> = {
  accounts: {
    kind: { column: 'accounts.kind' },
    kinds: { column: 'accounts.kind' },
    email: { column: 'accounts.email' },
    isActive: few,
    ...{ organizationId: measured, text: measured, from: byTime, until: byTime },
  },
  grants: {
    ...{ organizationId: measured, siteId: measured, siteIds: measured },
    ...{ productKeys: measured, text: measured },
    ...{ mayDecide: measured, from: byTime, until: byTime },
    engineerIds: { column: 'grants.engineer_id' },
    states: { column: 'grants.state' },
    productId: { column: 'tickets.product_id' },
    ticketId: { column: 'grants.ticket_id' },
    engineerId: { column: 'grants.engineer_id' },
    scope: {
      column: 'grants.scope_kind',
      unindexed: 'it has two values: pages are read in the order of the list',
    },
  },
  inboundTicketEvents: {
    states: { column: 'inbound_ticket_events.state' },
    integrationId: { column: 'inbound_ticket_events.integration_id' },
  },
  changeRequests: {
    states: { column: 'change_requests.state' },
    siteId: { column: 'change_requests.site_id' },
    ticketId: { column: 'change_requests.ticket_id' },
  },
  roleAssignments: {
    siteIds: { column: 'role_assignments.site_id' },
    roles: { column: 'role_assignments.role', unindexed: 'an organization has few: its index serves' },
    ...{ from: byTime, until: byTime, text: measured, organizationId: measured },
    siteId: { column: 'role_assignments.site_id' },
    userId: { column: 'role_assignments.account_id' },
    role: { column: 'role_assignments.role', unindexed: 'an organization has few: its index serves' },
  },
  supportSessions: {
    open: {
      column: 'support_sessions.ended_at',
      unindexed: 'few are open, and partial indexes have those: most are over',
    },
    siteId: { column: 'support_sessions.site_id' },
    ticketId: { column: 'support_sessions.ticket_id' },
    engineerId: { column: 'support_sessions.engineer_id' },
  },
  tickets: {
    ...{ organizationId: measured, siteId: measured, siteIds: measured },
    ...{ productKeys: measured, text: measured },
    ...{ from: byTime, until: byTime },
    assigneeIds: { column: 'tickets.assignee_id' },
    productId: { column: 'tickets.product_id' },
    statuses: { column: 'tickets.status' },
    reporterId: { column: 'tickets.reporter_id' },
    assigneeId: { column: 'tickets.assignee_id' },
    isAssigned: { column: 'tickets.assignee_id' },
  },
};

/** What the names and types of filters do not say: the types of ids, and valid texts. */
const types: Record<string, string> = {
  engineerId: 'SupportEngineer',
  assigneeId: 'SupportEngineer',
  userId: 'User',
  reporterId: 'User',
  integrationId: 'ServiceAccount',
};
const texts: Record<string, string> = { email: 'a@b.example' };

/**
 * The filters in the schema: for each list, the names with their types. Those of the audit log are measured in
 * test/audit/search.test.ts.
 */
const documented = Object.values(schema.getQueryType()?.getFields() ?? {}).flatMap(({ name: list, args }) => {
  const type = args.find(({ name }) => name === 'filter')?.type;
  const input = type === undefined ? undefined : getNamedType(type);
  return isInputObjectType(input) && input.name !== 'AuditLogFilter'
    ? Object.values(input.getFields()).map((field) => ({ list, filter: field.name, type: field.type }))
    : [];
});

function valueFor(name: string, type: GraphQLInputType): unknown {
  if (isListType(type)) return [valueFor(name.replace(/s$/, ''), getNamedType(type))];
  const named = getNamedType(type);
  if ('getValues' in named) return named.getValues()[0]?.name;
  if (named.name === 'Boolean') return false;
  if (named.name === 'String') return texts[name];
  const [, entity = ''] = /^(.*)Id$/.exec(name) ?? [];
  return globalId(types[name] ?? `${entity.charAt(0).toUpperCase()}${entity.slice(1)}`, newId());
}

const sent: string[] = [];
let gateway: TestGateway;
let operator: Person;

beforeAll(async () => {
  gateway = await startGateway({ maintenance: false, onStatement: (sql) => sent.push(sql) });
  operator = await gateway.as('operator@vendor.example');
});
afterAll(() => gateway.dispose());

/** The statement that reads the list, without ORDER BY and LIMIT. */
async function statementOf(list: string, filter: string, type: GraphQLInputType): Promise<string> {
  const input = schema
    .getQueryType()
    ?.getFields()
    [list]?.args.find(({ name }) => name === 'filter')?.type;
  sent.length = 0;
  await operator.ask(`query ($filter: ${input}) { ${list}(filter: $filter) { edges { cursor } } }`, {
    filter: { [filter]: valueFor(filter, type) },
  });
  const [statement, ...others] = sent.filter((sql) => sql.includes(' ORDER BY '));
  if (statement === undefined || others.length > 0) throw new Error(`Not one statement: ${sent.join('\n')}`);
  return statement.replace(/ ORDER BY .*$/s, '');
}

const Plan = z.looseObject({
  'Index Name': z.string().optional(),
  'Index Cond': z.string().optional(),
  get Plans() {
    return z.array(Plan).default([]);
  },
});
type Plan = z.infer<typeof Plan>;

/** How PostgreSQL would read any values, if it could not read whole tables: the steps of its plan. */
async function stepsOf(statement: string, settings = ''): Promise<Plan[]> {
  const client = await gateway.sql.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL enable_seqscan = off; ${settings}`);
    const { rows } = await client.query(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${statement}`);
    const flat = (plan: Plan): Plan[] => [plan, ...plan.Plans.flatMap(flat)];
    return flat(Plan.parse(rows[0]['QUERY PLAN'][0].Plan));
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

/** The conditions by which it would look up indexes. */
async function indexConditions(statement: string): Promise<string> {
  return (await stepsOf(statement)).map((step) => step['Index Cond'] ?? '').join('\n');
}

/** The columns, as `table.column`, with which an index begins that has every row with a value of the column. */
async function leadingColumns(): Promise<string[]> {
  const { rows } = await gateway.sql.query<{ column: string }>(`
    SELECT DISTINCT indrelid::regclass || '.' || attname AS column
    FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indisvalid
      AND (indpred IS NULL OR pg_get_expr(indpred, indrelid) = format('(%I IS NOT NULL)', attname))`);
  return rows.map(({ column }) => column);
}

test('every documented filter is classified', () => {
  const classified = Object.entries(served).flatMap(([list, filters]) =>
    Object.keys(filters).map((filter) => `${list}.${filter}`),
  );
  expect(classified.sort()).toEqual(documented.map(({ list, filter }) => `${list}.${filter}`).sort());
});

const read = documented.filter(({ list, filter }) => served[list]?.[filter]?.column !== '');

test.each(read)(
  '$list by $filter: an index begins with its column, unless it is excepted',
  async ({ list, filter, type }) => {
    const { column = '', unindexed } = served[list]?.[filter] ?? {};
    const conditions = await indexConditions(await statementOf(list, filter, type));
    const [, name] = column.split('.');
    if (unindexed === undefined) {
      expect(conditions).toMatch(new RegExp(`\\b${name}\\b`));
      expect(await leadingColumns()).toContain(column);
    } else {
      // An exception that is no longer needed must be removed.
      expect(await leadingColumns()).not.toContain(column);
    }
  },
);

test.each(['asc', 'desc'] as const)(
  'a page of what has happened on a ticket is read from one end of its index: %s',
  async (order) => {
    const statements: string[] = [];
    const readNothing = async (sql: string) => {
      statements.push(sql);
      return [];
    };
    const window = { ticketId: newId(), below: null, above: null, order, limit: 20 };
    await listTimelines({ $queryRawUnsafe: readNothing } as unknown as Transaction, [window]);
    // The tables are empty: whatever is read of them would be sorted at no cost.
    const steps = await stepsOf(statements.join(), 'SET LOCAL enable_sort = off');
    const step = steps.find((one) => one['Index Name'] === 'audit_entries_timeline');
    expect(step?.['Index Cond'] ?? steps).toMatch(/ticket_id = .*ROW\(txid, seq\) > .*ROW\(txid, seq\) < /);
  },
);
