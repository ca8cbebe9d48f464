/**
 * A person who sees few tickets among very many lists them at the same cost: what is read does not grow with the rows of
 * others. Each person sees what they see in another way.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import {
  visibleGrants,
  visibleTickets,
  waysToSeeGrants,
  waysToSeeTickets,
} from '../../src/authorization/visibility.ts';
import { listVisibleIds, listVisibleTicketIds } from '../../src/authorization/visible-pages.ts';
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
      const product = { key: 'jira', name: 'Jira', licensed: true };
      await prisma.product.create({ data: { ...product, id: productId, siteId, createdAt } });
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
    await pool.query('VACUUM (ANALYZE) tickets, grants');
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
    `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, assignee_id, created_at)
     SELECT ${ids}, $6 || '-' || n, 'Slow', $2, $3, $4, $7, now() FROM generate_series(1, $1::int) AS n`,
    [
      ...[number, place.siteId, place.productId, reporter, series],
      ...(place === mine ? ['MINE', engineerId] : ['THEIRS', otherEngineerId]),
    ],
  );
  await asRestored(
    pool,
    `INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at, approval_due_at,
                         path, customer_approved_at, customer_approved_by_id, activated_at, ended_at, end_reason, ended_by_id, version)
     SELECT ${ids}, ${ids}, $2, 'PRODUCT_DATA', '{}', 'REVOKED', $3, now(), now() + interval '1 day',
            'SUPPORT_PORTAL', now(), $4, now(), now(), 'REVOKED_BY_CUSTOMER', $4, 3 FROM generate_series(1, $1::int) AS n`,
    [number, place.siteId, reporter, approver, series],
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
