import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Dependencies } from '../../src/commands/execute.ts';
import type { PreparedTab } from '../../src/http/graphiql.ts';
import { createDatabaseClock } from '../../src/platform/clock.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { prepareTabs } from '../../src/sample-data/graphiql-tabs.ts';
import { loadSampleData } from '../../src/sample-data/load.ts';
import { personas } from '../../src/sample-data/personas.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';

const logger = createLogger('silent');

async function openTestDatabase(): Promise<{ database: Database; url: string }> {
  const { url, dispose } = await createTestDatabase();
  const database = openDatabase({ url, logger, deadlines: generousDatabaseDeadlines });
  onTestFinished(async () => {
    await database.dispose();
    await dispose();
  });
  return { database, url };
}

function dependenciesOn(database: Database): Dependencies {
  return { database, clock: createDatabaseClock(new Date()), logger, announce: () => undefined };
}

/** The database, with a count of its transactions; it fails after the given number. */
function countingCommands(database: Database, most = Number.POSITIVE_INFINITY) {
  let commands = 0;
  const counting: Database = {
    ...database,
    transaction: (work) => {
      commands += 1;
      if (commands > most) throw new Error('interrupted');
      return database.transaction(work);
    },
  };
  return { database: counting, count: () => commands };
}

/** How many there are of everything, and in which state the grants are. */
async function contents({ prisma, pool }: Database) {
  const { rows } = await pool.query('SELECT state::text, count(*)::int FROM grants GROUP BY 1 ORDER BY 1');
  return {
    accounts: await prisma.account.count(),
    sites: await prisma.site.count(),
    roles: await prisma.roleAssignment.count(),
    tickets: await prisma.ticket.count(),
    audited: await prisma.auditEntry.count(),
    refused: await prisma.auditEntry.count({ where: { outcome: 'REFUSED' } }),
    grants: Object.fromEntries(rows.map(({ state, count }) => [state, count])),
  };
}

describe('the sample organizations', () => {
  test('are loaded once, with every persona and without a refusal', async () => {
    const { database } = await openTestDatabase();
    expect(await loadSampleData(dependenciesOn(database))).toBe(true);
    const loaded = await contents(database);
    expect(loaded).toMatchObject({
      ...{ accounts: personas.length, sites: 5, tickets: 10, refused: 0 },
      grants: { PENDING_APPROVAL: 3, PENDING_GUARD_APPROVAL: 1, ACTIVE: 2, REVOKED: 2, DENIED: 1 },
    });
    const emails = await database.prisma.account.findMany({ select: { email: true } });
    expect(emails.map(({ email }) => email).sort()).toEqual(personas.map(({ email }) => email).sort());

    expect(await loadSampleData(dependenciesOn(database))).toBe(true);
    expect(await contents(database)).toEqual(loaded);
  });

  test('are completed when loading was interrupted, early or late', async () => {
    const whole = await openTestDatabase();
    const wholeLoad = countingCommands(whole.database);
    await loadSampleData(dependenciesOn(wholeLoad.database));
    const expected = await contents(whole.database);
    const total = wholeLoad.count();
    expect(total).toBeGreaterThan(50);

    for (const most of [1, Math.round(total / 2), total - 1]) {
      const { database } = await openTestDatabase();
      const interrupted = countingCommands(database, most);
      await expect(loadSampleData(dependenciesOn(interrupted.database))).rejects.toThrow('interrupted');
      await loadSampleData(dependenciesOn(database));
      expect(await contents(database)).toEqual(expected);
    }
  });

  test('are not loaded into a database with another organization', async () => {
    const { database } = await openTestDatabase();
    await database.prisma.organization.create({
      data: { id: newId(), name: 'Initech', hasGuard: false, createdAt: new Date() },
    });
    expect(await loadSampleData(dependenciesOn(database))).toBe(false);
    expect(await contents(database)).toMatchObject({ accounts: 0, tickets: 0 });
    expect(await prepareTabs(database)).toEqual([]);
  });
});

describe('every prepared tab shows its step', () => {
  let gateway: TestGateway;
  let database: Database;
  beforeEach(async () => {
    const { url } = await createTestDatabase();
    database = openDatabase({ url, logger, deadlines: generousDatabaseDeadlines });
    await loadSampleData(dependenciesOn(database));
    gateway = await startGateway({ databaseUrl: url });
  });
  afterEach(async () => {
    await gateway.dispose();
    await database.dispose();
  });

  test.each([
    ['in their order', (tabs: readonly PreparedTab[]) => tabs],
    ['in the opposite order', (tabs: readonly PreparedTab[]) => tabs.toReversed()],
  ])('%s, and the engineer receives the events', async (_order, inOrder) => {
    const [watching, ...others] = await prepareTabs(database);
    const events = (await gateway.as(watching?.email ?? ''))
      .socket()
      .iterate({ query: watching?.query ?? '' });
    expect((await events.next()).value?.data?.['grantEvents']).toMatchObject({
      type: 'STARTED',
      grant: null,
    });
    const results: Record<string, unknown> = {};
    for (const { email, query, variables } of inOrder(others)) {
      const name = /(?:query|mutation) (\w+)/.exec(query)?.[1] ?? query;
      const data = await (await gateway.as(email)).ask(query, { ...variables });
      [results[name]] = Object.values(data);
    }
    expect(results).toMatchObject({
      JackLooks: { accessEligibility: { allowed: true } },
      CarlaTries: { code: 'NOT_ELIGIBLE', eligibility: { obstacles: [{ code: 'WRONG_PRODUCT' }] } },
      JackApproves: { state: 'ACTIVE', engineer: { email: 'erin@vendor.example' } },
      RitaCloses: { status: 'CLOSED', grants: { edges: [{ node: { state: 'REVOKED' } }] } },
      RitaReopens: {
        ...{ status: 'OPEN', grants: { edges: [{ node: { state: 'REVOKED' } }] } },
        timeline: { edges: expect.arrayContaining([{ node: { summary: 'Rita reopened the ticket.' } }]) },
      },
      GinaApproves: { state: 'ACTIVE' },
      OliviaLists: {
        edges: expect.arrayContaining([{ node: expect.objectContaining({ state: 'PENDING_APPROVAL' }) }]),
      },
      OliviaAudits: { edges: expect.arrayContaining([expect.anything()]) },
    });
    const received: unknown[] = [];
    for await (const { data } of events) {
      const event = data?.['grantEvents'] as { type: string } | undefined;
      received.push(event?.type);
      if (received.length === 3) break;
    }
    expect(received.sort()).toEqual(['ACTIVATED', 'ACTIVATED', 'REVOKED']);
  });
});
