/**
 * On a log as customers leave it: every documented filter is read from an index, and from a bounded number of pages, wherever a
 * page begins and whoever asks. test/audit/search.test.ts has the same on a log whose rare values are all at one end.
 */
import { isInputObjectType } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type GeneratedLog, generateAuditLog } from '../../bench/audit/generate.ts';
import { openKeptLog } from '../../bench/audit/kept-log.ts';
import { auditActions } from '../../src/audit/actions.ts';
import type { AuditFilter, AuditPlace } from '../../src/audit/filter.ts';
import { type PositionedEntry, recordOf } from '../../src/audit/record.ts';
import { problemsOf } from '../../src/audit/record-schema.ts';
import { readRecords, stretchOfPeriod } from '../../src/audit/record-store.ts';
import { type AuditPosition, countAuditEntries, searchAuditEntries } from '../../src/audit/search.ts';
import { entryColumns } from '../../src/audit/store.ts';
import { summarizeAuditEntries } from '../../src/audit/summary.ts';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import { giveAllPositions } from '../support/positions.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { bySize, everyNth, fullSize, seedOf } from '../support/size.ts';

const seed = seedOf('GENERATED_SEED');
const entries = Number(process.env['GENERATED_ENTRIES'] ?? bySize(10_000, 3_000_000));
/** The folder of a log that `npm run bench:log -- --folder` has made, which takes long. */
const kept = process.env['GENERATED_LOG'];
/** Of a short log, a search that compares up to 10,000 entries may read the whole. */
let isLong = fullSize;

let database: { dispose(): Promise<void> };
let pool: pg.Pool;
let log: GeneratedLog;
/** In the middle of the log of the largest organization. */
let middle: AuditPosition;

beforeAll(async () => {
  const opened = kept === undefined ? await generate() : await open(kept);
  ({ database, log } = opened);
  isLong ||= log.entries >= 1_000_000;
  pool = new pg.Pool({ connectionString: opened.url, max: 2 });
  const { rows } = await pool.query<{ txid: string; seq: string }>(
    `SELECT txid, seq FROM audit_positions WHERE organization_id = $1
      AND position = (SELECT max(position) / 2 FROM audit_positions WHERE organization_id = $1)`,
    [log.largest],
  );
  middle = { txid: BigInt(rows[0]?.txid ?? 0), seq: BigInt(rows[0]?.seq ?? 0) };
  // Millions of entries take minutes to write.
}, 3_600_000);
afterAll(async () => {
  await pool?.end();
  await database?.dispose();
});

async function generate() {
  const created = await createTestDatabase();
  return { url: created.url, database: created, log: await generateAuditLog(created.url, { entries }) };
}

async function open(folder: string) {
  const { url, log: found, stop } = await openKeptLog(folder);
  return { url, database: { dispose: stop }, log: found };
}

test('the records are as documented, and of every step of a ticket', async () => {
  const { rows } = await pool.query<PositionedEntry>(
    `SELECT 1 AS position, ${entryColumns} FROM audit_entries AS e WHERE seq <= 2000`,
  );
  expect([...new Set(rows.flatMap((row) => problemsOf(recordOf(row))))]).toEqual([]);
  // Others are about who has read a log that is kept.
  const { rows: groups } = await pool.query<{ actions: number; refusals: number }>(
    'SELECT count(DISTINCT action)::int AS actions, count(DISTINCT refusal_code)::int AS refusals FROM audit_entries WHERE seq <= $1',
    [log.entries],
  );
  expect(groups).toEqual([{ actions: 12, refusals: 2 }]);
});

test('every entry has a position, in the order of the log, and what comes next goes on from there', async () => {
  await giveAllPositions(pool);
  const { rows } = await pool.query(
    `SELECT count(*)::int AS given,
            count(*) FILTER (WHERE position <> expected)::int AS wrong,
            (SELECT count(*)::int FROM audit_entries) AS entries
       FROM (SELECT position, row_number() OVER (PARTITION BY organization_id ORDER BY txid, seq) AS expected
               FROM audit_positions) AS counted`,
  );
  // A log that is kept has more with each use of it.
  const length = kept === undefined ? log.entries : expect.toSatisfy((n: number) => n >= log.entries);
  expect(rows).toEqual([{ given: length, wrong: 0, entries: rows[0].given }]);
  await pool.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id, organization_id, details)
     VALUES ($1, now(), 'organization.set_guard', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Organization', $2::text, $2::uuid, '{"hasGuard": true}')`,
    [newId(), log.smallest],
  );
  const before = await lengthOf(log.smallest);
  await expect
    .poll(async () => {
      await pool.query('SELECT give_audit_positions(10)');
      return await lengthOf(log.smallest);
    })
    .toBe(before + 1);
});

async function lengthOf(organizationId: string): Promise<number> {
  const { rows } = await pool.query<{ length: string }>(
    'SELECT max(position) AS length FROM audit_positions WHERE organization_id = $1',
    [organizationId],
  );
  return Number(rows[0]?.length);
}

const Plan = z.looseObject({
  'Node Type': z.string(),
  'Relation Name': z.string().optional(),
  'Shared Hit Blocks': z.number(),
  'Shared Read Blocks': z.number(),
  'Rows Removed by Filter': z.number().default(0),
  get Plans() {
    return z.array(Plan).default([]);
  },
});
type Plan = z.infer<typeof Plan>;

const nodesOf = (plan: Plan): Plan[] => [plan, ...plan.Plans.flatMap(nodesOf)];

type Cost = {
  pages: number;
  /** The tables of the log that are read as a whole. */
  scanned: string[];
  /** Entries that were read and left out, because they are somebody else's. */
  leftOut: number;
};

/** What the work takes from the database. */
async function costOf(work: (db: pg.Pool) => Promise<unknown>): Promise<Cost> {
  const cost: Cost = { pages: 0, scanned: [], leftOut: 0 };
  const explaining = {
    query: async (asked: string | { text: string; values: unknown[] }, given?: unknown[]) => {
      const { text, values } = typeof asked === 'string' ? { text: asked, values: given ?? [] } : asked;
      const { rows } = await pool.query(
        `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${text}`,
        values,
      );
      const plan = Plan.parse(rows[0]['QUERY PLAN'][0].Plan);
      cost.pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
      for (const node of nodesOf(plan)) {
        if (node['Relation Name'] === 'audit_entries') cost.leftOut += node['Rows Removed by Filter'];
        const { 'Relation Name': table } = node;
        // What is removed of a log is one row, and no log here has one: PostgreSQL scans the empty table.
        if (node['Node Type'] === 'Seq Scan' && table?.startsWith('audit_') && table !== 'audit_removals')
          cost.scanned.push(table);
      }
      return await pool.query(text, values);
    },
  } as unknown as pg.Pool;
  await work(explaining);
  return cost;
}

/** A filter, and whether its conditions are compared on the way, because no index has them. */
type Asked = { readonly filter: Partial<AuditFilter>; readonly isCompared?: boolean };

/** By the name of the filter in the schema. Places and periods are below. */
function filtersOf({ entry }: GeneratedLog): Record<string, Asked> {
  const { sessionId, grantId, ticketId, resourceId, engineer, admin, clientAddress } = entry;
  const having = (column: string, ...among: string[]): Asked => ({ filter: { values: { [column]: among } } });
  const compared = (asked: Asked): Asked => ({ ...asked, isCompared: true });
  const seen = { ownId: newId(), others: 'USERS' } as const;
  return {
    supportSessionId: having('session_id', sessionId),
    supportSessionIds: having('session_id', sessionId, newId()),
    grantId: having('grant_id', grantId),
    grantIds: having('grant_id', grantId, newId()),
    ticketId: having('ticket_id', ticketId),
    ticketIds: having('ticket_id', ticketId, newId()),
    ticketKeys: having('ticket_id', ticketId, newId()),
    resourceIds: having('resource_id', resourceId, 'NOTHING-1'),
    resourceTypes: compared(having('resource_type', 'page', 'attachment')),
    actorEmail: having('actor_email', engineer.email),
    actorEmails: having('actor_email', engineer.email, admin.email),
    actorEmailPrefixes: { filter: { actorPrefixes: ['engineer-1', '@customer-1'] } },
    actorKind: compared(having('actor_kind', 'SYSTEM')),
    actorKinds: compared(having('actor_kind', 'SYSTEM', 'OPERATOR')),
    action: having('action', 'grant.approve'),
    actions: having('action', 'grant.approve', 'site.deactivate'),
    actionsOn: having('action', ...auditActions.filter((one) => one.startsWith('grant.'))),
    outcome: having('outcome', 'REFUSED'),
    refusalCodes: compared({ filter: { values: { outcome: ['REFUSED'], refusal_code: ['NO_SUCH_CODE'] } } }),
    productKeys: compared(having('product', 'confluence')),
    engineerCountries: compared(having('country', 'AQ')),
    clientAddresses: { filter: { clientAddresses: { ranges: [`${clientAddress}/32`], seen } } },
    text: compared({ filter: { text: 'nowhere' } }),
  };
}

test('every documented filter is explained', () => {
  const input = schema.getType('AuditLogFilter');
  expect(
    [...Object.keys(filtersOf(log)), 'organizationId', 'siteId', 'siteIds', 'from', 'until'].sort(),
  ).toEqual(isInputObjectType(input) ? Object.keys(input.getFields()).sort() : []);
});

/** Ids lead to few entries, wherever they are looked for. */
const byId = /^(ticket|grant|supportSession)/;

test(`a page by any filter touches few pages, and scans nothing (GENERATED_SEED=${seed})`, async () => {
  const { largest, smallest, entry, begin, end } = log;
  const at = (share: number) => new Date(begin.getTime() + share * (end.getTime() - begin.getTime()));
  const places: [string, AuditPlace[], isIndexed: boolean][] = [
    ['the whole log', [{}], true],
    ['the largest organization', [{ organizationId: largest }], true],
    ['the smallest organization', [{ organizationId: smallest }], true],
    ['both', [{ organizationId: largest }, { organizationId: smallest }], true],
    ['a site', [{ siteId: entry.siteId }], false],
    ['an engineer', [{ actor: entry.engineer }], false],
  ];
  const none = { from: null, until: null };
  const windows = {
    'the first page': { ...none, beyond: null },
    'from the middle on': { ...none, beyond: 'middle' },
    'a month long ago': { from: at(0.2), until: at(0.3), beyond: null },
    'a minute': { from: at(0.5), until: new Date(at(0.5).getTime() + 60_000), beyond: null },
  } as const;
  const named: [string, Asked][] = [['nothing', { filter: {} }], ...Object.entries(filtersOf(log))];
  const searches = named.flatMap(([name, asked]) =>
    places.flatMap((place) =>
      Object.entries(windows).flatMap(([when, window]) =>
        (['desc', 'asc'] as const).map((order) => ({ name, asked, place, when, window, order })),
      ),
    ),
  );
  const most = new Map<string, { pages: number; compared: number }>();
  for (const { name, asked, place, when, window, order } of everyNth(searches, seed, 19)) {
    const [where, inPlaces, isIndexedPlace] = place;
    const { from, until, beyond } = window;
    const filter = { values: {}, ...asked.filter, from, until };
    const bound = beyond === null ? null : middle;
    const { pages, scanned, leftOut } = await costOf((db) =>
      searchAuditEntries(db, inPlaces, filter, {
        ...{
          order,
          limit: 101,
          below: order === 'desc' ? bound : null,
          above: order === 'asc' ? bound : null,
        },
      }),
    );
    const what = `${name} in ${where}, ${when}, ${order}`;
    const isInOrganization = inPlaces.every(({ organizationId }) => organizationId !== undefined);
    const isIndexed =
      asked.isCompared !== true &&
      (name === 'nothing' ||
        byId.test(name) ||
        (isIndexedPlace && (!['resourceIds', 'clientAddresses'].includes(name) || isInOrganization)));
    expect(pages, what).toBeLessThan(isIndexed ? 500 : 25_000);
    if (isIndexed || isLong) {
      expect(scanned, what).toEqual([]);
      // Others have entries about the same ticket, at most.
      expect(leftOut, what).toBeLessThan(100);
    }
    const kept = most.get(name) ?? { pages: 0, compared: 0 };
    most.set(
      name,
      isIndexed
        ? { ...kept, pages: Math.max(kept.pages, pages) }
        : { ...kept, compared: Math.max(kept.compared, pages) },
    );
  }
  if (isLong)
    process.stdout.write(
      `${JSON.stringify({ entries: log.entries, ...Object.fromEntries(most) }, null, 1)}\n`,
    );
}, 3_600_000);

test('the newest entries of a large customer who has left are found at once, whatever others did since', async () => {
  const everything = { values: {}, from: null, until: null };
  const newest = { order: 'desc', limit: 101, below: null, above: null } as const;
  const { pages, leftOut } = await costOf((db) =>
    searchAuditEntries(db, [{ organizationId: log.largest }], everything, newest),
  );
  expect({ leftOut, pages }).toEqual({ leftOut: 0, pages: expect.toSatisfy((some: number) => some < 300) });
});

test('what goes by position, counts and summaries touch a bounded number of pages', async () => {
  const { largest, begin, end } = log;
  const length = await lengthOf(largest);
  const at = (share: number) => new Date(begin.getTime() + share * (end.getTime() - begin.getTime()));
  const everything = { values: {}, from: null, until: null };
  // A tenth of a short log is read as a whole.
  const records = isLong ? 1_000 : 100;
  const costs = {
    first: await costOf((db) => readRecords(db, largest, 0, records)),
    middle: await costOf((db) => readRecords(db, largest, Math.floor(length / 2), records)),
    stretch: await costOf((db) => stretchOfPeriod(db, largest, { from: at(0.2), until: at(0.3) })),
    count: await costOf((db) => countAuditEntries(db, [{ organizationId: largest }], everything, 10_001)),
    summary: await costOf((db) =>
      summarizeAuditEntries(
        db,
        [{ organizationId: largest }],
        { ...everything, from: at(0.2), until: at(0.3) },
        { by: ['DAY', 'ACTION'], top: 10, timeZone: 'Europe/Berlin' },
      ),
    ),
  };
  if (isLong) process.stdout.write(`${JSON.stringify(costs)}\n`);
  // A page of the entry, and of two indexes the way from the root, for each record.
  for (const { pages } of [costs.first, costs.middle]) expect(pages).toBeLessThan(10_000);
  expect(costs.stretch.pages).toBeLessThan(1_000);
  expect(costs.count.pages).toBeLessThan(25_000);
  expect(costs.summary.pages).toBeLessThan(250_000);
  for (const { scanned } of [costs.first, costs.middle, costs.stretch]) expect(scanned).toEqual([]);
}, 600_000);
