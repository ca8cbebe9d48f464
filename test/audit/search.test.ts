/**
 * A search of the audit log finds what a look at every entry finds, whatever the times of the entries are and however
 * they were written, and reads a bounded number of pages however many entries there are.
 */
import fc from 'fast-check';
import { isInputObjectType } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  type AuditFilter,
  type AuditPlace,
  type AuditPosition,
  type AuditWindow,
  searchAuditEntries,
} from '../../src/audit/search.ts';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { asRestored } from '../support/restored.ts';
import { bySize, seedOf } from '../support/size.ts';

type Entry = AuditPosition & { id: string; occurred_at: Date } & Record<string, unknown>;

const seed = seedOf('SEARCH_SEED');
const everything = { values: {}, from: null, until: null } as const;

describe.each(['a log', 'a log that was restored'])('%s beside a look at every entry', (kind) => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let entries: Entry[];

  const ids = Array.from({ length: 9 }, () => newId());
  const [
    acme = '',
    umbra = '',
    main = '',
    other = '',
    ticket = '',
    grant = '',
    session = '',
    a = '',
    b = '',
  ] = ids;
  const second = 1_000;

  /** How far an entry's time is from the clock: mostly a little, sometimes far. */
  const anyOffset = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -3 * second, max: 0 }) },
    { weight: 2, arbitrary: fc.integer({ min: -60 * second, max: 60 * second }) },
    { weight: 1, arbitrary: fc.integer({ min: -100_000 * second, max: 100_000 * second }) },
  );
  const anyEntry = fc.record({
    offset: anyOffset,
    organization_id: fc.constantFrom(acme, umbra, null),
    site_id: fc.constantFrom(main, other, null),
    ticket_id: fc.constantFrom(ticket, null),
    grant_id: fc.constantFrom(grant, null),
    session_id: fc.constantFrom(session, null),
    actor_id: fc.constantFrom(a, b, null),
    actor_kind: fc.constantFrom('USER', 'OPERATOR'),
    action: fc.constantFrom('grant.approve', 'grant.deny', 'grant.revoke'),
    outcome: fc.constantFrom('SUCCEEDED', 'REFUSED'),
    /** Which of the writers, whose transactions are open at the same time, and whether it commits then. */
    writer: fc.integer({ min: 0, max: 2 }),
    commits: fc.boolean(),
  });
  type AnyEntry = typeof anyEntry extends fc.Arbitrary<infer One> ? One : never;

  const addressOf = (actorId: string) => (actorId === a ? 'a@acme.example' : 'b@acme.example');
  const row = ({ offset, writer: _, commits: __, ...entry }: AnyEntry) => ({
    ...{
      ...entry,
      id: newId(),
      actor_email: entry.actor_id === null ? null : addressOf(entry.actor_id),
      count: 1,
      occurred_at: new Date(Date.now() + offset),
      actor_name: 'Somebody',
      details: {},
    },
    ...{
      resource_type: 'Grant',
      resource_id: grant,
      refusal_code: entry.outcome === 'REFUSED' ? 'FORBIDDEN' : null,
    },
  });
  const insertSql =
    'INSERT INTO audit_entries SELECT * FROM jsonb_populate_recordset(NULL::audit_entries, $1::jsonb)';

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 4 });
    const number = bySize(150, 1_000);
    const [given = [], restored = []] = fc.sample(
      fc.array(anyEntry, { minLength: number, maxLength: number, size: 'max' }),
      { seed, numRuns: 2 },
    );
    // Of a cluster that had come further: what is written afterwards is before these entries.
    if (kind === 'a log that was restored')
      await asRestored(pool, insertSql, [
        JSON.stringify(
          restored.slice(0, 40).map((entry, at) => ({
            ...row({ ...entry, offset: (at - 50_000) * second }),
            ...{ txid: 1_000_000_000 + at, seq: 1_000_000 + at },
          })),
        ),
      ]);
    const writers = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    try {
      for (const writer of writers) await writer.query('BEGIN');
      for (const entry of given) await write(writers[entry.writer], entry);
      for (const writer of writers) await writer.query('COMMIT');
    } finally {
      for (const writer of writers) writer.release();
    }
    const all = await pool.query('SELECT * FROM audit_entries ORDER BY txid DESC, seq DESC');
    entries = all.rows.map((one) => ({ ...one, txid: BigInt(one.txid), seq: BigInt(one.seq) }));
  });
  afterAll(async () => {
    await pool?.end();
    await database?.dispose();
  });

  async function write(writer: pg.PoolClient | undefined, entry: AnyEntry): Promise<void> {
    await writer?.query(insertSql, [JSON.stringify([row(entry)])]);
    if (entry.commits) await writer?.query('COMMIT; BEGIN');
  }

  const anyPlaces: fc.Arbitrary<AuditPlace[]> = fc.oneof(
    fc.constant<AuditPlace[]>([{}]),
    fc.subarray<AuditPlace>([{ organizationId: acme }, { organizationId: umbra }]),
    fc.subarray<AuditPlace>([{ siteId: main }, { siteId: other }]),
    fc.constant<AuditPlace[]>([{ organizationId: acme, siteId: main }, { organizationId: umbra }]),
    fc
      .record({
        organizationId: fc.constantFrom(acme, undefined),
        onSites: fc.constantFrom([main], [main, other], [], undefined),
      })
      .map(({ organizationId, onSites }): AuditPlace[] => [
        {
          actor: { id: a, email: addressOf(a) },
          ...(organizationId === undefined ? {} : { organizationId }),
          ...(onSites === undefined ? {} : { onSites }),
        },
      ]),
  );
  const some = (...values: string[]) =>
    fc.option(fc.subarray(values, { minLength: 1 }), { nil: undefined, freq: 3 });
  const anyValues = fc
    .record({
      ...{ session_id: some(session), grant_id: some(grant), ticket_id: some(ticket, newId()) },
      ...{ actor_email: some('a@acme.example', 'b@acme.example'), actor_kind: some('USER', 'OPERATOR') },
      ...{ action: some('grant.approve', 'grant.deny'), outcome: some('SUCCEEDED', 'REFUSED') },
    })
    .map((values) => Object.fromEntries(Object.entries(values).filter(([, one]) => one !== undefined)));
  const anyDate = fc.option(
    fc.record({ at: fc.nat(), shift: fc.constantFrom(0, 0, 1, -1, 5 * second, -20_000 * second) }),
    { freq: 2 },
  );
  const anySearch = fc.record({
    places: anyPlaces,
    values: anyValues,
    from: anyDate,
    until: anyDate,
    size: fc.integer({ min: 1, max: 40 }),
    mayExamine: fc.integer({ min: 1, max: 60 }),
    order: fc.constantFrom<AuditWindow['order']>('asc', 'desc'),
  });

  const dateOf = (date: { at: number; shift: number } | null) =>
    date === null
      ? null
      : new Date((entries[date.at % entries.length]?.occurred_at.getTime() ?? 0) + date.shift);

  const isIn = (entry: Entry) => (place: AuditPlace) =>
    (place.organizationId === undefined || entry['organization_id'] === place.organizationId) &&
    (place.siteId === undefined || entry['site_id'] === place.siteId) &&
    (place.onSites === undefined || place.onSites.includes(String(entry['site_id']))) &&
    (place.actor === undefined ||
      (entry['actor_id'] === place.actor.id && entry['organization_id'] !== null));
  const passes = (entry: Entry, { values, from, until }: AuditFilter) =>
    Object.entries(values).every(([column, among]) => among?.includes(String(entry[column]))) &&
    (from === null || entry.occurred_at >= from) &&
    (until === null || entry.occurred_at < until);

  test(`every search returns each entry that fits exactly once, page by page (SEARCH_SEED=${seed})`, async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(anySearch, async ({ places, values, size, mayExamine, order, ...dates }) => {
        const filter: AuditFilter = { values, from: dateOf(dates.from), until: dateOf(dates.until) };
        const expected = entries.filter((one) => places.some(isIn(one)) && passes(one, filter));
        if (order === 'asc') expected.reverse();
        const read: string[] = [];
        for (let beyond: AuditPosition | null = null; ; ) {
          const window: AuditWindow = {
            ...{ order, limit: size, below: null, above: null },
            ...(order === 'desc' ? { below: beyond } : { above: beyond }),
          };
          const { rows, stoppedAt } = await searchAuditEntries(pool, places, filter, window, mayExamine);
          read.push(...rows.map(({ id }) => id));
          if (rows.length < size && stoppedAt === null) break;
          const last = stoppedAt ?? rows.at(-1)?.id;
          beyond = entries.find(({ id }) => id === last) ?? null;
        }
        expect(read).toEqual(expected.map(({ id }) => id));
        found += read.length;
      }),
      { seed, numRuns: bySize(30, 3_000) },
    );
    expect(found).toBeGreaterThan(0);
  });

  test('entries that are not displaced are at most 30 seconds out of order', async () => {
    const { rows } = await pool.query<{ id: string }>('SELECT id FROM displaced_audit_entries');
    const displaced = new Set(rows.map(({ id }) => id));
    const inStep = entries.filter(({ id }) => !displaced.has(id)).reverse();
    if (kind === 'a log') expect(inStep.length).toBeGreaterThan(0);
    let latest = 0;
    for (const { occurred_at } of inStep) {
      latest = Math.max(latest, occurred_at.getTime());
      expect(latest - occurred_at.getTime()).toBeLessThanOrEqual(30 * second);
    }
  });
});

describe('on a long log', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  const count = bySize(20_000, 3_000_000);
  const [large, rare, foreign, site, ticket, grant, session, often, seldom] = Array.from({ length: 9 }, () =>
    newId(),
  );
  const begin = Date.parse('2025-01-01T00:00:00Z');
  const length = count * 1_000;

  beforeAll(
    async () => {
      database = await createTestDatabase();
      pool = new pg.Pool({ connectionString: database.url, max: 4 });
      // Building the indexes afterwards takes a fraction of the time.
      const { rows: indexes } = await pool.query<{ name: string; definition: string }>(
        `SELECT indexname AS name, indexdef AS definition FROM pg_indexes
        WHERE tablename = 'audit_entries' AND indexname <> 'audit_entries_pkey'`,
      );
      for (const { name } of indexes) await pool.query(`DROP INDEX ${name}`);
      // An entry a second. The oldest hundredth has every rare value, which the rest has not.
      await asRestored(
        pool,
        `INSERT INTO audit_entries (id, txid, seq, occurred_at, action, outcome, refusal_code, actor_id, actor_email, actor_kind, actor_name,
                                  resource_type, resource_id, organization_id, site_id, ticket_id, grant_id, session_id, details)
       SELECT gen_random_uuid(), 1000 + n / 3, n, $2::timestamptz + n * interval '1 second',
              CASE WHEN is_old AND n % 50 = 0 THEN 'site.deactivate' ELSE 'work_item.read' END,
              (CASE WHEN is_old AND n % 50 = 0 THEN 'REFUSED' ELSE 'SUCCEEDED' END)::audit_outcome,
              CASE WHEN is_old AND n % 50 = 0 THEN 'FORBIDDEN' END,
              (CASE WHEN is_old AND n % 50 = 0 THEN $10 ELSE $11 END)::uuid,
              CASE WHEN is_old AND n % 50 = 0 THEN 'rare@acme.example' ELSE 'often@vendor.example' END,
              CASE WHEN is_old AND n % 50 = 0 THEN 'USER' ELSE 'SUPPORT_ENGINEER' END, 'Somebody', 'work_item', 'one',
              (CASE WHEN n % 2 = 0 THEN $3 WHEN is_old AND n % 50 = 1 THEN $4 ELSE $5 END)::uuid,
              CASE WHEN n % 2 = 0 THEN $6::uuid END, CASE WHEN is_old AND n % 50 = 0 THEN $7::uuid END,
              CASE WHEN is_old AND n % 50 = 0 THEN $8::uuid END, CASE WHEN is_old AND n % 50 = 0 THEN $9::uuid END, '{}'
         FROM generate_series(1, $1::int) AS n, LATERAL (SELECT n < $1 / 100 AS is_old) AS age`,
        [count, new Date(begin), large, rare, foreign, site, ticket, grant, session, seldom, often],
      );
      for (const { definition } of indexes) await pool.query(definition);
      await pool.query('VACUUM (ANALYZE) audit_entries');
      // Millions of entries take minutes to write.
    },
    bySize(300_000, 3_600_000),
  );
  afterAll(async () => {
    await pool?.end();
    await database?.dispose();
  });

  const Plan = z.looseObject({ 'Shared Hit Blocks': z.number(), 'Shared Read Blocks': z.number() });

  /** The pages that PostgreSQL touches for a search, and how many entries it finds. */
  async function pagesOf(places: AuditPlace[], filter: AuditFilter, order: AuditWindow['order']) {
    let pages = 0;
    const explaining = {
      query: async ({ text, values }: { text: string; values: unknown[] }) => {
        const { rows } = await pool.query(
          `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${text}`,
          values,
        );
        const plan = Plan.parse(rows[0]['QUERY PLAN'][0].Plan);
        pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
        return await pool.query(text, values);
      },
    } as unknown as pg.Pool;
    const found = await searchAuditEntries(explaining, places, filter, {
      ...{ order, limit: 101, below: null, above: null },
    });
    return { pages, ...found };
  }

  /** What is asked for, by the name of the filter in the schema. Places and periods are below. */
  const byName: Record<string, AuditFilter['values']> = {
    supportSessionId: { session_id: [session ?? ''] },
    grantId: { grant_id: [grant ?? ''] },
    ticketId: { ticket_id: [ticket ?? ''] },
    actorEmail: { actor_email: ['rare@acme.example'] },
    actorEmails: { actor_email: ['rare@acme.example', 'nobody@acme.example'] },
    action: { action: ['site.deactivate'] },
    actions: { action: ['site.deactivate', 'grant.approve'] },
    actorKind: { actor_kind: ['USER'] },
    outcome: { outcome: ['REFUSED'] },
  };
  const filters: AuditFilter['values'][] = [
    {},
    ...Object.values(byName),
    { actor_email: ['often@vendor.example'] },
    { action: ['work_item.read'] },
    { outcome: ['REFUSED'], action: ['work_item.read'] },
  ];

  test('every documented filter is measured', () => {
    const input = schema.getType('AuditLogFilter');
    expect([...Object.keys(byName), 'organizationId', 'siteId', 'siteIds', 'from', 'until'].sort()).toEqual(
      isInputObjectType(input) ? Object.keys(input.getFields()).sort() : [],
    );
  });

  const periods = {
    always: { from: null, until: null },
    'all but the last moments': { from: null, until: new Date(begin + length * 0.96) },
    'long ago': { from: new Date(begin + length * 0.1), until: new Date(begin + length * 0.2) },
    'a minute in the middle': {
      from: new Date(begin + length / 2),
      until: new Date(begin + length / 2 + 60_000),
    },
  };
  const places: Record<string, AuditPlace> = {
    'the whole log': {},
    'a large organization': { organizationId: large ?? '' },
    'an organization with a few old entries': { organizationId: rare ?? '' },
    'one site': { siteId: site ?? '' },
    'what an actor did often': { actor: { id: often ?? '', email: 'often@vendor.example' } },
    'what an actor did on a site long ago': {
      ...{ actor: { id: seldom ?? '', email: 'rare@acme.example' }, onSites: [site ?? ''] },
    },
  };

  /** Whether an index has what is looked for, so that nothing else is looked at. */
  const isIndexed = (place: AuditPlace, given: string[]) =>
    given.every(
      (column) =>
        column.endsWith('_id') ||
        (place.siteId === undefined &&
          place.actor === undefined &&
          given.length === 1 &&
          ['actor_email', 'action'].includes(column)),
    );

  test.each(Object.keys(places))('a page of %s touches few pages, whatever is asked for', async (name) => {
    const place = places[name] ?? {};
    for (const values of filters) {
      for (const [when, period] of Object.entries(periods)) {
        for (const order of ['desc', 'asc'] as const) {
          const { pages, rows, stoppedAt } = await pagesOf([place], { values, ...period }, order);
          const what = `${JSON.stringify(values)} ${when} ${order}`;
          // Of a session, ticket or grant of somebody else, each entry is looked at and none is shown.
          const isElsewhere =
            place.organizationId === rare && Object.keys(values).some((one) => one.endsWith('_id'));
          const most = isIndexed(place, Object.keys(values)) && !isElsewhere ? 500 : 25_000;
          if (isElsewhere) expect(rows, what).toEqual([]);
          expect(pages, what).toBeLessThan(most);
          if (most === 500) expect(stoppedAt, what).toBeNull();
        }
      }
    }
  });

  test('a search that gives up goes on from there, and finds what is rare', async () => {
    const filter = { ...everything, values: { outcome: ['REFUSED'] } };
    const first = await pagesOf([{}], filter, 'desc');
    expect(first.rows).toEqual([]);
    expect(first.stoppedAt).not.toBeNull();
    const old = await pagesOf([{}], filter, 'asc');
    expect(old.rows.length).toBeGreaterThan(0);
  });
});
