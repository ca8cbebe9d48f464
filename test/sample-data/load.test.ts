import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Dependencies } from '../../src/commands/execute.ts';
import type { PreparedTab } from '../../src/http/graphiql.ts';
import { createDatabaseClock } from '../../src/platform/clock.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { prepareTabs } from '../../src/sample-data/graphiql-tabs.ts';
import { loadSampleData } from '../../src/sample-data/load.ts';
import { personas } from '../../src/sample-data/personas.ts';
import { ticketOfStep } from '../../src/sample-data/tickets.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { Json, TestGateway } from '../support/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startSampleGateway } from '../support/sample-gateway.ts';
import { bySize, seedOf } from '../support/size.ts';

const logger = createLogger('silent');

const seed = seedOf('LOAD_SEED');

async function openTestDatabase() {
  const { url, dispose: drop } = await createTestDatabase();
  const database = openDatabase({ url, logger, deadlines: generousDatabaseDeadlines });
  const dispose = async () => {
    await database.dispose();
    await drop();
  };
  return { database, dispose, [Symbol.asyncDispose]: dispose };
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
  let whole: Awaited<ReturnType<typeof openTestDatabase>>;
  let commands: number;
  let loaded: Awaited<ReturnType<typeof contents>>;
  beforeAll(async () => {
    whole = await openTestDatabase();
    const counting = countingCommands(whole.database);
    expect(await loadSampleData(dependenciesOn(counting.database))).toBe(true);
    commands = counting.count();
    loaded = await contents(whole.database);
  });
  afterAll(() => whole.dispose());

  test('are loaded once, with every persona and without a refusal', async () => {
    const { database } = whole;
    expect(loaded).toMatchObject({
      ...{ accounts: personas.length, sites: 5, tickets: 11, refused: 0 },
      grants: { PENDING_APPROVAL: 3, PENDING_GUARD_APPROVAL: 1, ACTIVE: 3, REVOKED: 2, DENIED: 1 },
    });
    const emails = await database.prisma.account.findMany({ select: { email: true } });
    expect(emails.map(({ email }) => email).sort()).toEqual(personas.map(({ email }) => email).sort());

    expect(await loadSampleData(dependenciesOn(database))).toBe(true);
    expect(await contents(database)).toEqual(loaded);
  });

  test(`are completed when loading was interrupted, LOAD_SEED=${seed}`, async () => {
    expect(commands).toBeGreaterThan(50);
    const anywhere = 1 + (seed % (commands - 1));
    const places = bySize([], [1, Math.round(commands / 2), commands - 1]);
    for (const most of [anywhere, ...places]) {
      await using opened = await openTestDatabase();
      const interrupted = countingCommands(opened.database, most);
      await expect(loadSampleData(dependenciesOn(interrupted.database))).rejects.toThrow('interrupted');
      await loadSampleData(dependenciesOn(opened.database));
      expect(await contents(opened.database), `after ${most} commands`).toEqual(loaded);
    }
  });

  test('are not loaded into a database with another organization', async () => {
    await using opened = await openTestDatabase();
    const { database } = opened;
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
    gateway = await startSampleGateway();
    database = openDatabase({ url: gateway.databaseUrl, logger, deadlines: generousDatabaseDeadlines });
  });
  afterEach(async () => {
    await database.dispose();
    await gateway.dispose();
  });

  test.each([
    ['in their order', (tabs: readonly PreparedTab[]) => tabs],
    ['in the opposite order', (tabs: readonly PreparedTab[]) => tabs.toReversed()],
  ])('%s, and the engineer receives the events', async (_order, inOrder) => {
    const tabs = await prepareTabs(database);
    const [watching = [], others = []] = [true, false].map((watches) =>
      tabs.filter(({ query }) => query.startsWith('subscription') === watches),
    );
    const [events, ofSessions] = await Promise.all(
      watching.map(async ({ email, query }) => (await gateway.as(email)).socket().iterate({ query })),
    );
    if (events === undefined || ofSessions === undefined) throw new Error('Two tabs watch');
    const started = await Promise.all([events.next(), ofSessions.next()]);
    expect(started.map(({ value }) => value?.data)).toMatchObject([
      { grantEvents: { type: 'STARTED', grant: null } },
      { sessionEvents: { type: 'STARTED', session: null } },
    ]);
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
      ErinStarts: { state: 'OPEN', actions: actionsOf('SUPPORT_SESSION_START') },
      ErinEnds: {
        ...{ state: 'ENDED', endReason: 'ENDED_BY_ENGINEER' },
        actions: actionsOf('SUPPORT_SESSION_END', 'SUPPORT_SESSION_START'),
      },
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
    expect(await typesOf(events, 'grantEvents', 3)).toEqual(['ACTIVATED', 'ACTIVATED', 'REVOKED']);
    expect(await typesOf(ofSessions, 'sessionEvents', 4)).toEqual([
      ...['CURRENT', 'CURRENT_COMPLETE', 'SESSION_ENDED', 'SESSION_STARTED'],
    ]);
  });
});

test('sample data of an earlier version has fewer tabs', async () => {
  await using gateway = await startSampleGateway();
  const database = openDatabase({ url: gateway.databaseUrl, logger, deadlines: generousDatabaseDeadlines });
  onTestFinished(() => database.dispose());
  const whole = await prepareTabs(database);
  await gateway.sql.query(
    `UPDATE tickets SET summary = 'Another', version = version + 1 WHERE summary = $1`,
    [ticketOfStep.startSession],
  );
  expect(await prepareTabs(database)).toEqual(whole.filter(({ query }) => !query.includes('ErinStarts')));
});

const actionsOf = (...actions: string[]) => ({
  edges: actions.map((action) => ({ node: expect.objectContaining({ action }) })),
});

/** The types of the next events, sorted. */
async function typesOf(events: AsyncIterable<Json>, field: string, count: number): Promise<string[]> {
  const types: string[] = [];
  for await (const { data } of events) {
    types.push(data[field].type);
    if (types.length === count) break;
  }
  return types.toSorted();
}
