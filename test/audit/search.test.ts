/**
 * A search of the audit log finds what a look at every entry finds, whatever the times of the entries are and however
 * they were written, and reads a bounded number of pages however many entries there are.
 */
import fc from 'fast-check';
import { isInputObjectType } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { auditActions } from '../../src/audit/actions.ts';
import type { AuditFilter, AuditPlace } from '../../src/audit/filter.ts';
import { type AuditPosition, type AuditWindow, searchAuditEntries } from '../../src/audit/search.ts';
import { type Grouping, summarizeAuditEntries } from '../../src/audit/summary.ts';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { asRestored } from '../support/restored.ts';
import { bySize, everyNth, seedOf } from '../support/size.ts';

type Entry = AuditPosition & { id: string; occurred_at: Date } & Record<string, unknown>;

const seed = seedOf('SEARCH_SEED');
const everything = { values: {}, from: null, until: null } as const;

/** The actors of entries. */
async function insertAccounts(
  pool: pg.Pool,
  accounts: readonly { id: string; email: string }[],
): Promise<void> {
  await pool.query(
    `INSERT INTO accounts (id, kind, email, name, created_at)
     SELECT id, 'USER', email, email, now() FROM jsonb_to_recordset($1) AS account(id uuid, email text)`,
    [JSON.stringify(accounts)],
  );
}

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
    refusal: fc.constantFrom('FORBIDDEN', 'NOT_FOUND'),
    resource: fc.constantFrom(['Grant', grant], ['work_item', 'ONE-1'], ['work_item', 'ONE-2']),
    /** In a column, or in the details, as earlier versions wrote it. */
    product: fc.constantFrom(['jira', null], [null, 'jira'], ['confluence', 'jira'], [null, null]),
    country: fc.constantFrom('DE', 'FR', undefined),
    client_address: fc.constantFrom('192.0.2.1', '192.0.2.200', '198.51.100.7', '2001:db8::1', null),
    actor_name: fc.constantFrom('Ada Lovelace', 'Zoë O’Neill'),
    count: fc.constantFrom(1, 1, 7),
    note: fc.constantFrom('To read the BOARD', 'board_42, and Zürich', '', undefined),
    /** Which of the writers, whose transactions are open at the same time, and whether it commits then. */
    writer: fc.integer({ min: 0, max: 2 }),
    commits: fc.boolean(),
  });
  type AnyEntry = typeof anyEntry extends fc.Arbitrary<infer One> ? One : never;

  const addressOf = (actorId: string) => (actorId === a ? 'ada@acme.example' : 'bob_1@contractor.example');
  const row = ({
    offset,
    writer: _,
    commits: __,
    refusal,
    resource,
    product,
    country,
    note,
    ...entry
  }: AnyEntry) => ({
    ...{
      ...entry,
      id: newId(),
      actor_email: entry.actor_id === null ? null : addressOf(entry.actor_id),
      occurred_at: new Date(Date.now() + offset),
      product_key: product[0],
      // Ids are no words.
      details: { country, product: product[1] ?? undefined, engineerId: b, scope: { notes: [note] } },
    },
    ...{
      resource_type: resource[0],
      resource_id: resource[1],
      refusal_code: entry.outcome === 'REFUSED' ? refusal : null,
    },
  });
  const insertSql =
    'INSERT INTO audit_entries SELECT * FROM jsonb_populate_recordset(NULL::audit_entries, $1::jsonb)';

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 4 });
    await insertAccounts(pool, [
      { id: a, email: addressOf(a) },
      { id: b, email: addressOf(b) },
    ]);
    const number = bySize(150, 1_000);
    const [given = [], restored = []] = fc.sample(
      fc.array(anyEntry, { minLength: number, maxLength: number, size: 'max' }),
      { seed, numRuns: 2 },
    );
    // Of a cluster that had come further: what is written afterwards gets higher numbers than these.
    if (kind === 'a log that was restored')
      await asRestored(pool, insertSql, [
        JSON.stringify(
          restored.slice(0, 40).map((entry, at) => ({
            ...row({ ...entry, offset: (at - 50_000) * second }),
            ...{ txid: 1_000_000_000 + at, seq: 1_000_000 + at },
          })),
        ),
      ]);
    // The first writer would do that, and hold up the others until it commits.
    await pool.query('SELECT renumber_audit_log()');
    const writers = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    try {
      for (const writer of writers) await writer.query('BEGIN');
      for (const entry of given) await write(writers[entry.writer], entry);
      for (const writer of writers) await writer.query('COMMIT');
    } finally {
      for (const writer of writers) writer.release();
    }
    entries = await readEntries();
  });
  afterAll(async () => {
    await pool?.end();
    await database?.dispose();
  });

  async function readEntries(): Promise<Entry[]> {
    const all = await pool.query('SELECT * FROM audit_entries ORDER BY txid DESC, seq DESC');
    return all.rows.map((one) => ({ ...one, txid: BigInt(one.txid), seq: BigInt(one.seq) }));
  }

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
      ...{ actor_email: some(addressOf(a), addressOf(b)), actor_kind: some('USER', 'OPERATOR') },
      ...{ action: some('grant.approve', 'grant.deny'), outcome: some('SUCCEEDED', 'REFUSED') },
      ...{ refusal_code: some('FORBIDDEN', 'NOT_FOUND'), resource_type: some('Grant', 'work_item') },
      ...{ resource_id: some('ONE-1', 'ONE-2', grant), product: some('jira', 'confluence') },
      country: some('DE', 'FR'),
    })
    // A few of them at a time, so that something fits.
    .chain((values) => fc.subarray(Object.entries(values), { maxLength: 4 }))
    .map((values) => Object.fromEntries(values.filter(([, one]) => one !== undefined)));
  const anyMore: fc.Arbitrary<Omit<AuditFilter, 'values' | 'from' | 'until'>> = fc
    .record({
      actorPrefixes: some('ad', 'bob_', '@contr', '@acme.example', 'x', '%'),
      text: fc.option(fc.constantFrom('board', 'ada', 'boa REA', 'one 2', 'zür', 'neill 42', 'b', `${b}`), {
        ...{ nil: undefined, freq: 2 },
      }),
      clientAddresses: fc.option(
        fc.record({
          ranges: fc.subarray(['192.0.2.0/25', '198.51.100.7/32', '2001:db8::/32'], { minLength: 1 }),
          seen: fc.record({
            ownId: fc.constantFrom(a, b, acme),
            others: fc.constantFrom('USERS', 'VENDOR', 'NOBODY'),
          }),
        }),
        { nil: undefined, freq: 2 },
      ),
    })
    .map((more) => Object.fromEntries(Object.entries(more).filter(([, one]) => one !== undefined)));
  const anyDate = fc.option(
    fc.record({ at: fc.nat(), shift: fc.constantFrom(0, 0, 1, -1, 5 * second, -20_000 * second) }),
    { freq: 2 },
  );
  const anySearch = fc.record({
    places: anyPlaces,
    values: anyValues,
    more: anyMore,
    from: anyDate,
    until: anyDate,
    size: fc.integer({ min: 1, max: 40 }),
    mayExamine: fc.integer({ min: 1, max: 60 }),
    order: fc.constantFrom<AuditWindow['order']>('asc', 'desc'),
    /** What is written between two pages. */
    arriving: fc.array(anyEntry, { maxLength: 2 }),
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
  const readColumn = (entry: Entry, column: string) => {
    const { country, product } = entry['details'] as { country?: string; product?: string };
    if (column === 'country') return country;
    return column === 'product' ? (entry['product_key'] ?? product) : entry[column];
  };
  const beginsAs = (address: unknown) => (prefix: string) =>
    prefix.startsWith('@')
      ? String(address).split('@').at(-1)?.startsWith(prefix.slice(1))
      : String(address).startsWith(prefix);
  const wordsOf = (text: string) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  const says = (entry: Entry, text: string) => {
    const { country, product, scope } = entry['details'] as Record<string, string> & {
      scope: { notes: string[] };
    };
    const resource = entry['resource_type'] === 'work_item' ? entry['resource_id'] : '';
    const texts = [entry['actor_name'], entry['actor_email'], resource, country, product, ...scope.notes];
    const said = wordsOf(texts.join(' '));
    return wordsOf(text).every((begin) => said.some((word) => word.startsWith(begin)));
  };
  const ranges: Record<string, string[]> = {
    '192.0.2.0/25': ['192.0.2.1'],
    '198.51.100.7/32': ['198.51.100.7'],
    '2001:db8::/32': ['2001:db8::1'],
  };
  const isFrom = (entry: Entry, { ranges: given, seen }: NonNullable<AuditFilter['clientAddresses']>) => {
    const isSeen =
      entry['actor_id'] === seen.ownId ||
      (seen.others === 'USERS' && entry['actor_kind'] === 'USER') ||
      (seen.others === 'VENDOR' && (entry['actor_kind'] !== 'USER' || entry['organization_id'] === null));
    return isSeen && given.some((range) => ranges[range]?.includes(String(entry['client_address'])));
  };
  const passes = (entry: Entry, filter: AuditFilter) =>
    Object.entries(filter.values).every(([column, among]) =>
      among?.includes(String(readColumn(entry, column))),
    ) &&
    (filter.from === null || entry.occurred_at >= filter.from) &&
    (filter.until === null || entry.occurred_at < filter.until) &&
    (filter.actorPrefixes === undefined || filter.actorPrefixes.some(beginsAs(entry['actor_email']))) &&
    (filter.text === undefined || says(entry, filter.text)) &&
    (filter.clientAddresses === undefined || isFrom(entry, filter.clientAddresses));

  test(`every search returns each entry that fits exactly once, page by page (SEARCH_SEED=${seed})`, async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(
        anySearch,
        async ({ places, values, more, size, mayExamine, order, arriving, ...dates }) => {
          const filter: AuditFilter = {
            values,
            ...more,
            from: dateOf(dates.from),
            until: dateOf(dates.until),
          };
          const given = new Set(entries.map(({ id }) => id));
          const read: string[] = [];
          for (let beyond: AuditPosition | null = null; ; ) {
            const window: AuditWindow = {
              ...{ order, limit: size, below: null, above: null },
              ...(order === 'desc' ? { below: beyond } : { above: beyond }),
            };
            const { rows, stoppedAt } = await searchAuditEntries(pool, places, filter, window, mayExamine);
            read.push(...rows.map(({ id }) => id));
            if (rows.length < size && stoppedAt === null) break;
            const arrived = arriving.splice(0).map(row);
            if (arrived.length > 0) {
              await pool.query(insertSql, [JSON.stringify(arrived)]);
              entries = await readEntries();
            }
            const last = stoppedAt ?? rows.at(-1)?.id;
            beyond = entries.find(({ id }) => id === last) ?? null;
          }
          const expected = entries.filter((one) => places.some(isIn(one)) && passes(one, filter));
          if (order === 'asc') expected.reverse();
          const ids = expected.map(({ id }) => id);
          // What has arrived meanwhile is found where it stands after what was read, and never twice.
          expect(read.filter((id) => given.has(id))).toEqual(ids.filter((id) => given.has(id)));
          expect(read).toEqual(ids.filter((id) => read.includes(id)));
          found += read.length;
        },
      ),
      { seed, numRuns: bySize(30, 3_000) },
    );
    expect(found).toBeGreaterThan(0);
  });

  /** What a summary says, from a look at every entry. The clocks of the zone are those of the runtime. */
  function summarize(fitting: readonly Entry[], by: readonly Grouping[], timeZone: string) {
    const clock = new Intl.DateTimeFormat('en', { timeZone, minute: 'numeric', second: 'numeric' });
    const calendar = new Intl.DateTimeFormat('en-CA', { timeZone });
    const hourOf = (at: Date) => {
      const past = (type: string) =>
        Number(clock.formatToParts(at).find((part) => part.type === type)?.value ?? 0);
      const begin = at.getTime() - (past('minute') * 60 + past('second')) * second;
      return new Date(begin - (begin % second)).toISOString().replace('.000', '');
    };
    const keys: Record<Grouping, (entry: Entry) => object> = {
      ACTOR: (entry) => ({ actorKind: entry['actor_kind'], actorEmail: entry['actor_email'] }),
      ACTION: (entry) => ({ action: entry['action'] }),
      OUTCOME: (entry) => ({ outcome: entry['outcome'] }),
      PRODUCT: (entry) => ({ product: readColumn(entry, 'product') ?? null }),
      SITE: (entry) => ({ siteId: entry['site_id'] }),
      HOUR: (entry) => ({ hour: hourOf(entry.occurred_at) }),
      DAY: (entry) => ({ day: calendar.format(entry.occurred_at) }),
    };
    const groups = Map.groupBy(fitting, (entry) =>
      JSON.stringify(Object.assign({}, ...by.map((grouping) => keys[grouping](entry)))),
    );
    const countsOf = (some: readonly Entry[]) => ({
      entries: some.length,
      attempts: some.reduce((sum, entry) => sum + Number(entry['count']), 0),
    });
    return {
      total: countsOf(fitting),
      groups: [...groups].map(([text, some]) => ({ by: JSON.parse(text), ...countsOf(some) })),
    };
  }

  const groupings: Grouping[] = ['ACTOR', 'ACTION', 'OUTCOME', 'PRODUCT', 'SITE', 'HOUR', 'DAY'];
  const zones = ['UTC', 'Europe/Berlin', 'America/Havana', 'Asia/Kolkata', 'Australia/Lord_Howe'];

  test(`every summary counts as a look at every entry does, or says that there may be more (SEARCH_SEED=${seed})`, async () => {
    const anyQuestion = fc.record({
      search: anySearch,
      by: fc.subarray(groupings, { minLength: 1, maxLength: 3 }),
      top: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(1_000)),
      timeZone: fc.constantFrom(...zones),
      mayExamine: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined, freq: 3 }),
    });
    const seen = { exact: 0, more: 0 };
    await fc.assert(
      fc.asyncProperty(anyQuestion, async ({ search, by, top, timeZone, mayExamine }) => {
        const { places, values, more, ...dates } = search;
        const filter: AuditFilter = { values, ...more, from: dateOf(dates.from), until: dateOf(dates.until) };
        const how = { by, top, timeZone };
        const summary = await summarizeAuditEntries(pool, places, filter, how, mayExamine);
        const fitting = entries.filter((one) => places.some(isIn(one)) && passes(one, filter));
        const expected = summarize(fitting, by, timeZone);
        const sizes = summary.groups.map((group) => group.entries);
        expect(sizes).toEqual(sizes.toSorted((one, other) => other - one));
        const counted = new Map(expected.groups.map((group) => [JSON.stringify(group.by), group]));
        expect(new Set(summary.groups.map((group) => JSON.stringify(group.by))).size).toBe(sizes.length);
        for (const group of summary.groups) {
          const all = counted.get(JSON.stringify(group.by));
          if (summary.isExact) expect(group).toEqual(all);
          expect(group.entries).toBeLessThanOrEqual(all?.entries ?? 0);
          expect(group.attempts).toBeLessThanOrEqual(all?.attempts ?? 0);
        }
        if (mayExamine === undefined) expect(summary.isExact).toBe(true);
        if (!summary.isExact) {
          expect(summary.total.entries).toBeLessThanOrEqual(expected.total.entries);
          seen.more += 1;
          return;
        }
        seen.exact += 1;
        expect(summary.total).toEqual(expected.total);
        expect(sizes).toEqual(
          expected.groups
            .map((group) => group.entries)
            .toSorted((one, other) => other - one)
            .slice(0, top),
        );
        expect(summary.otherGroups).toBe(Math.max(0, expected.groups.length - top));
      }),
      { seed, numRuns: bySize(40, 2_000) },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
  });

  test('what a summary says of a bound is what the newest entries say', async () => {
    const how = { by: ['ACTION'], top: 10, timeZone: 'UTC' } as const;
    const { total, isExact } = await summarizeAuditEntries(pool, [{}], everything, how, 17);
    expect({ entries: total.entries, isExact }).toEqual({ entries: 17, isExact: false });
    await expect(
      summarizeAuditEntries(pool, [{}], everything, { ...how, by: ['DAY'], timeZone: 'Nowhere/At_All' }),
    ).rejects.toMatchObject({ code: '22023' });
  });

  test('hours and days are those of the clocks there, on days of 23 and of 25 hours too', async () => {
    const organizationId = newId();
    const days = ['2026-03-07', '2026-03-28', '2026-04-04', '2026-10-03', '2026-10-24', '2026-10-31'];
    const moments = days.flatMap((day) =>
      Array.from({ length: 4 * 60 }, (_, at) => new Date(Date.parse(day) + at * 900 * second + 59_999)),
    );
    const { rows } = await asRestored<Record<string, unknown>>(pool, `${insertSql} RETURNING *`, [
      JSON.stringify(
        moments.map((occurred_at, at) => ({
          ...{
            id: newId(),
            txid: 1_000,
            seq: -at - 1,
            occurred_at,
            action: 'page.read',
            outcome: 'SUCCEEDED',
          },
          ...{ actor_kind: 'SYSTEM', actor_name: 'Latchkey', resource_type: 'page', resource_id: 'ONE' },
          ...{ organization_id: organizationId, details: {}, count: 1 },
        })),
      ),
    ]).then((inserted) => ({ rows: inserted as Entry[] }));
    const lengths = new Set<number>();
    for (const timeZone of zones) {
      for (const by of [['DAY'], ['HOUR']] as const) {
        const how = { by, top: 1_000, timeZone };
        const { groups, isExact } = await summarizeAuditEntries(pool, [{ organizationId }], everything, how);
        const inOrder = (some: readonly object[]) => some.map((one) => JSON.stringify(one)).sort();
        expect(isExact).toBe(true);
        expect(inOrder(groups), `${timeZone} ${by}`).toEqual(inOrder(summarize(rows, by, timeZone).groups));
        if (by[0] === 'DAY') for (const { entries: quarters } of groups) lengths.add(quarters / 4);
      }
    }
    // Of a day and a half around each change, some days are whole.
    for (const hours of [23, 24, 25]) expect(lengths).toContain(hours);
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
      await insertAccounts(pool, [
        { id: seldom ?? '', email: 'rare@acme.example' },
        { id: often ?? '', email: 'often@vendor.example' },
      ]);
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
                                  resource_type, resource_id, organization_id, site_id, ticket_id, grant_id, session_id, details, product_key, client_address)
       SELECT gen_random_uuid(), 1000 + n / 3, n, $2::timestamptz + n * interval '1 second',
              CASE WHEN is_old AND n % 50 = 0 THEN 'site.deactivate' ELSE 'work_item.read' END,
              (CASE WHEN is_old AND n % 50 = 0 THEN 'REFUSED' ELSE 'SUCCEEDED' END)::audit_outcome,
              CASE WHEN is_old AND n % 50 = 0 THEN 'FORBIDDEN' END,
              (CASE WHEN is_old AND n % 50 = 0 THEN $10 ELSE $11 END)::uuid,
              CASE WHEN is_old AND n % 50 = 0 THEN 'rare@acme.example' ELSE 'often@vendor.example' END,
              CASE WHEN is_old AND n % 50 = 0 THEN 'USER' ELSE 'SUPPORT_ENGINEER' END, 'Somebody', CASE WHEN is_old AND n % 50 = 0 THEN 'page' ELSE 'work_item' END,
              CASE WHEN is_old AND n % 50 = 0 THEN 'RARE-1' ELSE 'ONE-' || n % 1000 END,
              (CASE WHEN n % 2 = 0 THEN $3 WHEN is_old AND n % 50 = 1 THEN $4 ELSE $5 END)::uuid,
              CASE WHEN n % 2 = 0 THEN $6::uuid END, CASE WHEN is_old AND n % 50 = 0 THEN $7::uuid END,
              CASE WHEN is_old AND n % 50 = 0 THEN $8::uuid END, CASE WHEN is_old AND n % 50 = 0 THEN $9::uuid END,
              CASE WHEN is_old AND n % 50 = 0 THEN '{"country": "AQ", "note": "It is rare"}' ELSE '{"country": "DE"}' END::jsonb,
              CASE WHEN is_old AND n % 50 = 0 THEN 'rovo' ELSE 'jira' END, CASE WHEN is_old AND n % 50 = 0 THEN inet '192.0.2.1' END
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
  const byName: Record<string, Partial<AuditFilter>> = {
    ...Object.fromEntries(
      [
        ['supportSessionId', 'session_id', session ?? ''] as const,
        ['supportSessionIds', 'session_id', session ?? '', newId()] as const,
        ['grantId', 'grant_id', grant ?? ''] as const,
        ['grantIds', 'grant_id', grant ?? '', newId()] as const,
        ['ticketId', 'ticket_id', ticket ?? ''] as const,
        ['ticketIds', 'ticket_id', ticket ?? '', newId()] as const,
        // Keys are looked up, and tickets are looked for.
        ['ticketKeys', 'ticket_id', ticket ?? '', newId()] as const,
        ['resourceIds', 'resource_id', 'RARE-1', 'RARE-2'] as const,
        ['resourceTypes', 'resource_type', 'page', 'Grant'] as const,
        ['actorEmail', 'actor_email', 'rare@acme.example'] as const,
        ['actorEmails', 'actor_email', 'rare@acme.example', 'nobody@acme.example'] as const,
        ['actorKind', 'actor_kind', 'USER'] as const,
        ['actorKinds', 'actor_kind', 'USER', 'OPERATOR'] as const,
        ['action', 'action', 'site.deactivate'] as const,
        ['actions', 'action', 'site.deactivate', 'grant.approve'] as const,
        ['actionsOn', 'action', ...auditActions.filter((one) => one.startsWith('site.'))] as const,
        ['outcome', 'outcome', 'REFUSED'] as const,
        ['productKeys', 'product', 'rovo'] as const,
        ['engineerCountries', 'country', 'AQ', 'FR'] as const,
      ].map(([name, column, ...among]) => [name, { values: { [column]: among } }]),
    ),
    refusalCodes: { values: { outcome: ['REFUSED'], refusal_code: ['FORBIDDEN'] } },
    actorEmailPrefixes: { actorPrefixes: ['rar', '@acme.'] },
    clientAddresses: {
      clientAddresses: { ranges: ['192.0.2.1/32'], seen: { ownId: newId(), others: 'USERS' } },
    },
    text: { text: 'rare' },
  };
  const addressesInRange = {
    clientAddresses: { ranges: ['192.0.2.0/24'], seen: { ownId: newId(), others: 'USERS' } },
  } as const;
  const filters: Partial<AuditFilter>[] = [
    {},
    ...Object.values(byName),
    ...[{ actor_email: ['often@vendor.example'] }, { action: ['work_item.read'] }].map((values) => ({
      values,
    })),
    { values: { outcome: ['REFUSED'], action: ['work_item.read'] } },
    addressesInRange,
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
  type Period = keyof typeof periods;
  const searches = filters.flatMap((filter) =>
    (Object.keys(periods) as Period[]).flatMap((when) => [
      [filter, when, 'desc'] as const,
      [filter, when, 'asc'] as const,
    ]),
  );
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
  function isIndexed(place: AuditPlace, { values = {}, ...more }: Partial<AuditFilter>): boolean {
    const isWhole = place.siteId === undefined && place.actor === undefined;
    const [first, ...others] = [...Object.keys(values), ...Object.keys(more)];
    if (first === undefined) return true;
    // Others have entries in a session as well: of a page of one actor's, each is looked at.
    if (['session_id', 'grant_id', 'ticket_id'].includes(first))
      return others.length === 0 && place.actor === undefined;
    if (first === 'resource_id') return isWhole && place.organizationId !== undefined;
    if (first === 'clientAddresses')
      return (
        isWhole &&
        place.organizationId !== undefined &&
        more.clientAddresses !== addressesInRange.clientAddresses
      );
    return (
      isWhole && others.length === 0 && ['actor_email', 'actorPrefixes', 'action', 'outcome'].includes(first)
    );
  }

  test.each(Object.keys(places))(
    `a page of %s touches few pages, whatever is asked for (SEARCH_SEED=${seed})`,
    async (name) => {
      const place = places[name] ?? {};
      for (const [filter, when, order] of everyNth(searches, seed, 3)) {
        const asked = { values: {}, ...filter, ...periods[when] };
        const { pages, rows, stoppedAt } = await pagesOf([place], asked, order);
        const what = `${JSON.stringify(filter)} ${when} ${order}`;
        // Of a session, ticket or grant of somebody else, each entry is looked at and none is shown.
        const isElsewhere =
          place.organizationId === rare &&
          Object.keys(filter.values ?? {}).some((one) => one.endsWith('_id'));
        const most = isIndexed(place, filter) && !isElsewhere ? 500 : 25_000;
        if (isElsewhere) expect(rows, what).toEqual([]);
        expect(pages, what).toBeLessThan(most);
        if (most === 500) expect(stoppedAt, what).toBeNull();
      }
    },
  );

  test('actors are looked up by the beginnings of their addresses and domains in indexes', async () => {
    const client = await pool.connect();
    try {
      // The table has few rows.
      await client.query('BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off');
      const explained: string[] = [];
      const explaining = {
        query: async ({ text, values }: { text: string; values: unknown[] }) => {
          const { rows } = await client.query(`EXPLAIN ${text}`, values);
          explained.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
          return await client.query(text, values);
        },
      } as unknown as pg.Pool;
      const filter = { ...everything, actorPrefixes: ['rar', '@acme.'] };
      await searchAuditEntries(explaining, [{}], filter, {
        order: 'desc',
        limit: 1,
        below: null,
        above: null,
      });
      for (const index of ['accounts_email_beginning_idx', 'accounts_domain_beginning_idx'])
        expect(explained[0]).toMatch(new RegExp(`Index (Only )?Scan using ${index}`));
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });

  test('a search that gives up goes on from there, and finds what is rare', async () => {
    const filter = { ...everything, values: { country: ['AQ'] } };
    const first = await pagesOf([{}], filter, 'desc');
    expect(first.rows).toEqual([]);
    expect(first.stoppedAt).not.toBeNull();
    const old = await pagesOf([{}], filter, 'asc');
    expect(old.rows.length).toBeGreaterThan(0);
  });
});
