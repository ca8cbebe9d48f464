/**
 * A person who sees few tickets among very many lists them at the same cost: what is read does not grow with the rows of
 * others. Each person sees what they see in another way.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { visibleGrants, visibleTickets } from '../../src/authorization/visibility.ts';
import {
  countVisible,
  listVisibleIds,
  listVisiblePages,
  listVisibleTicketIds,
  type VisiblePage,
} from '../../src/authorization/visible-pages.ts';
import { waysToSeeGrants, waysToSeeTickets } from '../../src/authorization/ways.ts';
import { whereInPeriod } from '../../src/graphql/lists/conditions.ts';
import type { UserViewer, Viewer } from '../../src/identity/viewer.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { asRestored } from '../support/restored.ts';
import { bySize } from '../support/size.ts';

const count = bySize(20_000, 1_800_000);
const mine = { organizationId: newId(), siteId: newId(), productId: newId() };
const theirs = { organizationId: newId(), siteId: newId(), productId: newId() };
const [reporterId, approverId, adminId, foreignId] = [newId(), newId(), newId(), newId()];
const [engineerId, otherEngineerId] = [newId(), newId()];

let testDatabase: TestDatabase;
let database: Database;
let pool: pg.Pool;

beforeAll(
  async () => {
    testDatabase = await createTestDatabase();
    pool = new pg.Pool({ connectionString: testDatabase.url, max: 2 });
    database = openDatabase({
      ...{ url: testDatabase.url, logger: createLogger('silent'), deadlines: generousDatabaseDeadlines },
    });
    const { prisma } = database;
    const createdAt = new Date();
    for (const { organizationId, siteId, productId } of [mine, theirs]) {
      await prisma.organization.create({
        data: { id: organizationId, name: 'Acme', hasGuard: false, createdAt },
      });
      const place = { url: `https://${siteId}.example`, name: 'Acme', dataResidencyRegion: 'EU' };
      await prisma.site.create({
        data: { ...place, id: siteId, organizationId, experience: 'CENTRALIZED', createdAt },
      });
      const product = {
        key: organizationId === mine.organizationId ? 'rare' : 'jira',
        name: 'Jira',
        licensed: true,
      };
      await prisma.product.create({ data: { ...product, id: productId, organizationId, siteId, createdAt } });
    }
    await prisma.account.createMany({
      data: [reporterId, approverId, adminId, foreignId].map((id) => ({
        ...{ id, kind: 'USER', email: `${id}@example.org`, name: 'Somebody', createdAt },
      })),
    });
    await prisma.account.createMany({
      data: [engineerId, otherEngineerId].map((id) => ({
        ...{ id, kind: 'SUPPORT_ENGINEER', email: `${id}@vendor.example`, name: 'Eva', createdAt },
      })),
    });
    // The person's own tickets are the oldest, so that a walk through everybody's from the newest meets them last.
    await fill(mine, 3, reporterId, approverId);
    await fill(theirs, count, foreignId, foreignId);
    // Members of the other organization, among whom one has a rare name.
    await asRestored(
      pool,
      `INSERT INTO accounts (id, kind, email, name, created_at)
       SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'USER', 'member-' || n || '@example.org',
              CASE WHEN n = 1 THEN 'Zarathustra' ELSE 'Somebody' END, now() FROM generate_series(1, $1::int) AS n`,
      [count],
    );
    await asRestored(
      pool,
      `INSERT INTO memberships (organization_id, account_id, created_at) SELECT $1, id, now() FROM accounts WHERE kind = 'USER'`,
      [theirs.organizationId],
    );
    await prisma.membership.create({
      data: { organizationId: mine.organizationId, accountId: adminId, createdAt },
    });
    // Each of them holds a role.
    await asRestored(
      pool,
      `INSERT INTO role_assignments (id, account_id, role, organization_id, created_at)
       SELECT ('01900000-0000-7000' || right(gen_random_uuid()::text, 18))::uuid, account_id, 'ORGANIZATION_ADMIN', organization_id, now()
         FROM memberships`,
    );
    await pool.query(
      'VACUUM (ANALYZE) role_assignments, tickets, grants, accounts, memberships, products, sites',
    );
    // Millions of rows take minutes to write.
  },
  bySize(300_000, 1_800_000),
);
afterAll(async () => {
  await pool?.end();
  await database?.dispose();
  await testDatabase?.dispose();
});

async function fill(place: typeof mine, number: number, reporter: string, approver: string): Promise<void> {
  const ids = `('01900000-0000-7000-' || $5::text || '-' || lpad(to_hex(n), 12, '0'))::uuid`;
  const series = place === mine ? '8000' : '9000';
  await asRestored(
    pool,
    `INSERT INTO tickets (id, organization_id, key, summary, site_id, product_id, reporter_id, assignee_id, created_at)
     SELECT ${ids}, '${place.organizationId}', $6 || '-' || n, 'Slow', $2, $3, $4, $7, now() FROM generate_series(1, $1::int) AS n`,
    [
      ...[number, place.siteId, place.productId, reporter, series],
      ...(place === mine ? ['MINE', engineerId] : ['THEIRS', otherEngineerId]),
    ],
  );
  await asRestored(
    pool,
    `INSERT INTO grants (id, organization_id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at, approval_due_at,
                         path, customer_approved_at, customer_approved_by_id, activated_at, ended_at, end_reason, ended_by_id, version)
     SELECT ${ids}, '${place.organizationId}', ${ids}, $2, 'PRODUCT_DATA', '{}', 'REVOKED', $3, now(), now() + interval '1 day',
            'SUPPORT_PORTAL', now(), $4, now(), now(), 'REVOKED_BY_CUSTOMER', $4, 3 FROM generate_series(1, $1::int) AS n`,
    [number, place.siteId, reporter, approver, series],
  );
  // Every third ticket has a request that waits, the later the longer.
  await asRestored(
    pool,
    `INSERT INTO grants (id, organization_id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at, approval_due_at,
                         engineer_id, guard_required, same_person_may_approve_twice, version)
     SELECT ('01900000-0000-7000-' || $4::text || '-' || lpad(to_hex(n), 12, '0'))::uuid, '${place.organizationId}', ${ids}, $2,
            'PRODUCT_DATA', '{}', 'PENDING_APPROVAL', $3, now(), now() + n * interval '1 minute', $6, false, false, 1
       FROM generate_series(1, $1::int, 3) AS n`,
    [
      ...[number, place.siteId, reporter, place === mine ? 'a000' : 'b000', series],
      place === mine ? engineerId : otherEngineerId,
    ],
  );
}

function user(id: string, organizationIds: string[], isAdmin: boolean): Viewer {
  const assignment: UserViewer['assignments'][number] = {
    ...{ id: newId(), accountId: id, role: 'ORGANIZATION_ADMIN', syncState: 'SYNCED', since: 0 },
    ...{ organizationId: mine.organizationId, siteId: null, productId: null, productKey: null },
  };
  const assignments = isAdmin ? [assignment] : [];
  return { kind: 'USER', id, email: `${id}@example.org`, name: 'Somebody', organizationIds, assignments };
}

const both = [mine.organizationId, theirs.organizationId];
const people: Record<string, Viewer> = {
  'a reporter': user(reporterId, both, false),
  'somebody who approved': user(approverId, both, false),
  'an admin of a small organization': user(adminId, [mine.organizationId], true),
  'a member who sees nothing': user(newId(), both, false),
  'an engineer': { kind: 'SUPPORT_ENGINEER', id: engineerId, email: 'eva@vendor.example', name: 'Eva' },
  'a ticketing system of one organization': {
    ...{ kind: 'SERVICE_ACCOUNT', id: newId(), email: 'desk@acme.example', name: 'Desk' },
    ...{ organizationId: mine.organizationId, capabilities: ['TICKETING'], evaluatedProducts: [] },
  },
};

const Plan = z.looseObject({ 'Shared Hit Blocks': z.number(), 'Shared Read Blocks': z.number() });

/** A pool that counts the pages that its statements touch. */
function counting() {
  let pages = 0;
  const query = async ({ text, values }: { text: string; values: unknown[] }) => {
    const { rows } = await pool.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${text}`, values);
    const plan = Plan.parse(rows[0]['QUERY PLAN'][0].Plan);
    pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    return await pool.query(text, values);
  };
  return { pool: { query } as unknown as pg.Pool, pages: () => pages };
}

test.each(Object.keys(people))('%s lists what they see at a cost that does not grow', async (name) => {
  const viewer = people[name];
  if (viewer === undefined) throw new Error(name);
  const { prisma } = database;
  const idsOf = (rows: { id: string }[]) => rows.map(({ id }) => id);
  const [tickets, grants] = [
    idsOf(await prisma.ticket.findMany({ where: visibleTickets(viewer), orderBy: { id: 'asc' } })),
    idsOf(await prisma.grant.findMany({ where: visibleGrants(viewer), orderBy: { id: 'asc' } })),
  ];
  expect(tickets.length).toBe(name === 'a member who sees nothing' ? 0 : 3);
  for (const order of ['asc', 'desc'] as const) {
    for (const filter of [{}, { siteId: mine.siteId }]) {
      const window = { below: null, above: null, order, limit: 101 };
      const listed = counting();
      const [ticketWays, grantWays] = [waysToSeeTickets(viewer) ?? [], waysToSeeGrants(viewer) ?? []];
      const found = await listVisibleTicketIds(listed.pool, ticketWays, filter, window);
      expect(found.toSorted()).toEqual(tickets);
      const foundGrants = await listVisibleIds(listed.pool, 'grants', grantWays, filter, window);
      expect(foundGrants.toSorted()).toEqual(grants);
      expect(listed.pages(), `${order} ${JSON.stringify(filter)}`).toBeLessThan(200);
    }
  }
});

/** What each filter that is measured asks for, where few rows among many others fit, by its name in the schema. */
const period = { from: new Date(Date.now() + 2 * 86_400_000), until: new Date(Date.now() + 3 * 86_400_000) };
const isIn = (column: string) => {
  const { where: filter, isWithinPeriod } = whereInPeriod(column, period, []);
  return { filter, isWithinPeriod };
};
const [everywhere, here] = [{ ways: [], others: [{}] }, { ways: [{ siteIds: [mine.siteId] }] }];
const pending = { state: { in: ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'] } };
type Asked = Omit<VisiblePage, 'window'>;
/** Of accounts, and of the roles that they hold. */
const ofHolders = {
  organizationId: { ways: [{ organizationIds: [mine.organizationId] }], filter: {} },
  text: { ...everywhere, filter: {}, sought: { words: { begin: 'zara' } } },
  'text that is everywhere': { ...everywhere, filter: {}, sought: { words: { begin: 'some' } } },
  'text in a small organization': {
    ways: [{ organizationIds: [mine.organizationId] }],
    filter: {},
    sought: { words: { begin: 'some' } },
  },
  period: { ...everywhere, ...isIn('createdAt') },
};

const asked: Record<'grants' | 'tickets' | 'accounts' | 'role_assignments', Record<string, Asked>> = {
  grants: {
    organizationId: { ways: [{ organizationIds: [mine.organizationId] }], filter: {} },
    siteIds: { ...here, filter: {} },
    productKeys: { ...everywhere, filter: {}, sought: { product: { key: { in: ['rare'] } } } },
    'productKeys that are everywhere': {
      ...everywhere,
      filter: {},
      sought: { product: { key: { in: ['jira'] } } },
    },
    engineerIds: { ...everywhere, filter: { engineerId: { in: [engineerId] } } },
    text: { ...everywhere, filter: {}, sought: { words: { begin: 'min' } } },
    'text that is everywhere': { ...everywhere, filter: {}, sought: { words: { begin: 'slow' } } },
    period: { ...everywhere, ...isIn('requestedAt') },
    'due soonest': { ...everywhere, filter: pending, by: 'due' },
    'due soonest on a large site': { ways: [{ siteIds: [theirs.siteId] }], filter: pending, by: 'due' },
    'due soonest on one site': { ...here, filter: pending, by: 'due' },
    mayDecide: {
      ways: [{ organizationIds: [mine.organizationId], where: { state: 'PENDING_APPROVAL' } }],
      filter: pending,
    },
  },
  tickets: {
    organizationId: { ways: [{ organizationIds: [mine.organizationId] }], filter: {} },
    siteIds: { ...here, filter: {} },
    productKeys: { ...everywhere, filter: {}, sought: { product: { key: { in: ['rare'] } } } },
    assigneeIds: { ...everywhere, filter: { assigneeId: { in: [engineerId] } } },
    text: { ...everywhere, filter: {}, sought: { words: { begin: 'mine 1' } } },
    'text that is everywhere': { ...everywhere, filter: {}, sought: { words: { begin: 'slow' } } },
    period: { ...everywhere, ...isIn('createdAt') },
  },
  accounts: ofHolders,
  role_assignments: ofHolders,
};
const measured = Object.entries(asked).flatMap(([table, questions]) =>
  Object.entries(questions).map(([name, question]) => [table as keyof typeof asked, name, question] as const),
);

test.each(measured)('%s by %s touch few pages, and so does their total', async (table, name, question) => {
  for (const order of ['asc', 'desc'] as const) {
    const listed = counting();
    const window = { below: null, above: null, order, limit: 21 };
    const [ids = []] = await listVisiblePages(listed.pool, table, [{ ...question, window }]);
    expect(ids.length > 0, name).toBe(name !== 'period');
    expect(listed.pages(), order).toBeLessThan(name.includes('everywhere') ? 6_000 : 300);
  }
  const counted = counting();
  const window = { below: null, above: null, order: 'desc', limit: 1_001 } as const;
  await countVisible(counted.pool, table, [{ ...question, window }]);
  // Each row that is counted may be on a page of its own, and so may its ticket and the place of that.
  expect(counted.pages(), 'total').toBeLessThan(12_000);
});
