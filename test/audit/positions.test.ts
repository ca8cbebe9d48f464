/**
 * Positions in the audit log: dense for each organization, in the order of the log, final; nothing appears before an entry that
 * has one, whoever writes, whatever is interrupted, and wherever the database is restored.
 */
import fc from 'fast-check';
import pg from 'pg';
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { AuditEntry as AuditRow } from '../../prisma/generated/client/client.ts';
import type { AuditFilter } from '../../src/audit/filter.ts';
import { givePositions } from '../../src/audit/positions.ts';
import { readRecords, recordsSql } from '../../src/audit/record-store.ts';
import { searchAuditEntries } from '../../src/audit/search.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { newId } from '../../src/platform/ids.ts';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { giveAllPositions } from '../support/positions.ts';
import { createTestDatabase, gatewayUrl, type TestDatabase } from '../support/postgres.ts';
import { asRestored } from '../support/restored.ts';
import { bySize, seedOf } from '../support/size.ts';

const vendor = '00000000-0000-0000-0000-000000000000';
const all = 1_000;

let database: TestDatabase | undefined;
let pool: pg.Pool;
/** Each test has logs of its own, except the vendor's. */
let acme: string;
let umbra: string;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 12, connectionTimeoutMillis: generousMs });
  return async () => {
    await pool.end();
    await database?.dispose();
  };
});
beforeEach(() => {
  [acme, umbra] = [newId(), newId()];
});

type Client = Pick<pg.ClientBase, 'query'>;

const insertSql = `
  INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                             organization_id, details)
  VALUES ($1, $2, 'organization.create', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Organization', 'any', $3, '{}')`;

async function write(client: Client, organizationId: string | null = acme, at = new Date()): Promise<string> {
  const id = newId();
  await client.query(insertSql, [id, at, organizationId]);
  return id;
}

async function begin(): Promise<pg.PoolClient> {
  const client = await pool.connect();
  onTestFinished(() => client.release(true));
  await client.query('BEGIN');
  return client;
}

/** The ids of the entries of a log, by position: dense, or this fails. */
async function positioned(organizationId: string | null = acme): Promise<string[]> {
  const { rows } = await pool.query<{ id: string; position: string }>(
    `SELECT e.id, p.position FROM audit_positions p JOIN audit_entries e USING (txid, seq)
      WHERE p.organization_id = $1 AND e.organization_id IS NOT DISTINCT FROM $2 ORDER BY p.position`,
    [organizationId ?? vendor, organizationId],
  );
  expect(rows.map(({ position }) => Number(position))).toEqual(rows.map((_, at) => at + 1));
  return rows.map(({ id }) => id);
}

/** The ids of all entries of a log in its order. */
async function inOrder(organizationId: string | null = acme): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM audit_entries WHERE organization_id IS NOT DISTINCT FROM $1 ORDER BY txid, seq',
    [organizationId],
  );
  return rows.map(({ id }) => id);
}

const onlyPositioned: AuditFilter = { values: {}, from: null, until: null, isPositioned: true };
const seed = seedOf('POSITIONS_SEED');

test(`writers that commit in any order leave dense logs, of which a reader of the tail gets each entry once (POSITIONS_SEED=${seed})`, async () => {
  const anyStep = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        what: fc.constant('WRITE' as const),
        writer: fc.integer({ min: 0, max: 4 }),
        log: fc.constantFrom(acme, umbra, null),
        // The log does not go by the clock.
        offset: fc.integer({ min: -1_000_000, max: 1_000_000 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constantFrom('COMMIT' as const, 'ROLLBACK' as const),
        writer: fc.integer({ min: 0, max: 4 }),
      }),
    },
    { weight: 3, arbitrary: fc.constant({ what: 'READ' as const }) },
    {
      weight: 3,
      arbitrary: fc.record({ what: fc.constant('GIVE' as const), most: fc.integer({ min: 1, max: 6 }) }),
    },
  );
  const [steps = []] = fc.sample(
    fc.array(anyStep, { minLength: bySize(150, 3_000), maxLength: bySize(150, 3_000), size: 'max' }),
    { seed, numRuns: 1 },
  );
  const writers = await Promise.all(Array.from({ length: 5 }, begin));
  const before = new Map<string | null, string[]>([acme, umbra, null].map((log) => [log, []]));
  /** What somebody has read who goes on from the last entry, page by page. */
  const tail: AuditRow[] = [];
  const readOn = async () => {
    const { rows } = await searchAuditEntries(pool, [{ organizationId: acme }], onlyPositioned, {
      ...{ above: tail.at(-1) ?? null, below: null, order: 'asc', limit: 3 },
    });
    tail.push(...rows);
    return rows.length > 0;
  };
  for (const step of steps) {
    if (step.what === 'READ') await readOn();
    else if (step.what === 'GIVE') {
      await givePositions(pool, step.most);
      for (const [log, known] of before) {
        const now = await positioned(log);
        expect(now.slice(0, known.length)).toEqual(known);
        before.set(log, now);
      }
    } else {
      const writer = writers[step.writer];
      if (writer === undefined) throw new Error('There are five writers');
      if (step.what === 'WRITE') await write(writer, step.log, new Date(Date.now() + step.offset));
      else await writer.query(`${step.what}; BEGIN`);
    }
  }
  for (const writer of writers) await writer.query('COMMIT');
  await giveAllPositions(pool, 50);
  for (const log of before.keys()) expect(await positioned(log)).toEqual(await inOrder(log));
  while (await readOn());
  expect(tail.map(({ id }) => id)).toEqual(await inOrder(acme));
});

test('entries wait for an older transaction to end, and come after what it has written', async () => {
  const older = await begin();
  const first = await write(older);
  const second = await write(pool);
  expect(await givePositions(pool, all)).toEqual({ given: 0, waiting: true });
  const tail = await searchAuditEntries(pool, [{ organizationId: acme }], onlyPositioned, {
    ...{ above: null, below: null, order: 'asc', limit: all },
  });
  expect(tail.rows).toEqual([]);
  await older.query('COMMIT');
  await giveAllPositions(pool);
  expect(await positioned()).toEqual([first, second]);
});

test('several gateways at once give each entry one position', async () => {
  const writing = Array.from({ length: 4 }, async () => {
    for (let count = 0; count < 25; count += 1) await write(pool);
  });
  let isWritten = false;
  const giving = Array.from({ length: 4 }, async () => {
    while (!isWritten) await givePositions(pool, 3);
  });
  await Promise.all(writing);
  isWritten = true;
  await Promise.all(giving);
  await giveAllPositions(pool, 7);
  expect(await positioned()).toEqual(await inOrder());
});

test('a gateway that dies while it gives positions leaves them to the next one', async () => {
  const entry = await write(pool);
  const dying = await begin();
  await eventually(async () => expect((await givePositions(dying as unknown as pg.Pool, all)).given).toBe(1));
  expect(await givePositions(pool, all)).toEqual({ given: 0, waiting: true });
  const { rows } = await dying.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  dying.on('error', () => undefined);
  await pool.query('SELECT pg_terminate_backend($1, 60000)', [rows[0]?.pid]);
  await giveAllPositions(pool);
  expect(await positioned()).toEqual([entry]);
});

test('nobody changes a position, and gateways cannot even choose one', async () => {
  await write(pool);
  await giveAllPositions(pool);
  for (const table of ['audit_positions', 'audit_renumberings'])
    for (const change of [`DELETE FROM ${table}`, `TRUNCATE ${table}`])
      await expect(pool.query(change)).rejects.toThrow('append-only');
  await expect(pool.query('UPDATE audit_positions SET position = 2')).rejects.toThrow('append-only');
  const gateway = new pg.Pool({ connectionString: gatewayUrl(database?.url ?? ''), max: 1 });
  onTestFinished(() => gateway.end());
  await expect(gateway.query('INSERT INTO audit_positions VALUES ($1, 1, 1, 1)', [umbra])).rejects.toThrow(
    'permission denied',
  );
  const entry = await write(gateway);
  await giveAllPositions(gateway);
  expect((await positioned()).at(-1)).toBe(entry);
});

/** Loads entries, and positions of the first ones, as a dump of a cluster that has come further has them. */
async function restore(numbers: readonly bigint[], given: number): Promise<string[]> {
  const rows = numbers.map((txid, at) => ({
    id: newId(),
    txid: String(txid),
    seq: at + 1,
    position: at + 1,
  }));
  await asRestored(
    pool,
    `WITH rows AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, txid bigint, seq bigint, position bigint)),
          given AS (INSERT INTO audit_positions SELECT $2::uuid, position, txid, seq FROM rows WHERE position <= $3)
     INSERT INTO audit_entries (id, txid, seq, occurred_at, action, outcome, actor_kind, actor_name, resource_type,
                                resource_id, organization_id, details)
     SELECT id, txid, seq, now(), 'organization.create', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Organization', 'any', $2, '{}'
       FROM rows`,
    [JSON.stringify(rows), acme, given],
  );
  return rows.map(({ id }) => id);
}

/** The number in the log of the transaction that comes next. */
async function nextNumber(): Promise<bigint> {
  const { rows } = await pool.query<{ next: string }>(
    'SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + shift AS next FROM audit_numbering',
  );
  return BigInt(rows[0]?.next ?? 0);
}

/** Lets transactions of others have the next numbers. */
async function skipNumbers(count: number): Promise<bigint> {
  const next = await nextNumber();
  for (let at = 0; at < count; at += 1) await pool.query('SELECT pg_current_xact_id()');
  return next;
}

test('where transaction numbers are higher than those of the dump, they stay as they are', async () => {
  const next = await skipNumbers(3);
  const restored = await restore([next, next + 1n, next + 2n], 2);
  const last = await write(pool);
  await giveAllPositions(pool);
  expect(await positioned()).toEqual([...restored, last]);
  expect((await pool.query('SELECT FROM audit_renumberings')).rowCount).toBe(0);
});

test('a transaction that would write before entries with positions has to begin again', async () => {
  const older = await begin();
  const { rows } = await older.query<{ number: string }>(
    'SELECT pg_current_xact_id()::text::bigint + shift AS number FROM audit_numbering',
  );
  await skipNumbers(3);
  await restore([BigInt(rows[0]?.number ?? 0) + 1n], 1);
  await expect(write(older)).rejects.toMatchObject({ code: '40001' });
  await older.query('ROLLBACK');
  await write(pool);
  await giveAllPositions(pool);
  expect(await positioned()).toHaveLength(2);
});

test('what is written after a restore into a cluster with lower numbers comes after what was restored', async () => {
  const next = await nextNumber();
  const restored = await restore([next + 900n, next + 5_000n, next + 5_000n, next + 9_000n], 2);
  const writers = await Promise.all([begin(), begin(), begin()]);
  await Promise.all(writers.map((writer) => write(writer).then(() => writer.query('COMMIT'))));
  await giveAllPositions(pool);
  // Restored once more, further on: also what was written since comes first.
  const again = await restore([(await nextNumber()) + 1_000_000n], 0);
  await giveAllPositions(pool);
  const last = await write(pool);
  await giveAllPositions(pool);
  const order = await inOrder();
  expect(await positioned()).toEqual(order);
  expect(order.slice(0, 4)).toEqual(restored);
  expect(order.slice(7)).toEqual([...again, last]);
});

test('records are read by position, page by page, without the entries that have none yet', async () => {
  const written: string[] = [];
  for (let n = 0; n < 5; n += 1) written.push(await write(pool));
  await giveAllPositions(pool);
  const late = await write(pool);
  expect(await readRecords(pool, acme, 5, 10)).toEqual([]);
  const first = await readRecords(pool, acme, 0, 2);
  expect(first.map(({ position }) => position)).toEqual([1, 2]);
  await giveAllPositions(pool);
  const rest = await readRecords(pool, acme, 2, 10);
  expect(rest.map(({ position }) => position)).toEqual([3, 4, 5, 6]);
  expect([...first, ...rest].map(({ id }) => id)).toEqual(
    [...written, late].map((id) => encodeGlobalId('AuditEntry', id)),
  );
  expect(await readRecords(pool, umbra, 0, 10)).toEqual([]);
  const own = await write(pool, null);
  await giveAllPositions(pool);
  const { rows } = await pool.query<{ last: number }>(
    'SELECT max(position)::int AS last FROM audit_positions WHERE organization_id = $1',
    [vendor],
  );
  const before = (rows[0]?.last ?? 0) - 1;
  for (const log of [null, vendor])
    expect(await readRecords(pool, log, before, 10)).toMatchObject([
      { id: encodeGlobalId('AuditEntry', own), position: before + 1 },
    ]);
});

test('a page of records walks the key of positions, whatever is known of the tables', async () => {
  await write(pool);
  await giveAllPositions(pool);
  const client = await begin();
  // The plan of large tables.
  await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off');
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${recordsSql}`, [acme, 0, 1_000]);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  // What was removed of the log is looked up once, by its key.
  expect(plan).toMatch(/InitPlan 1\n\s*->\s+Index Scan using audit_removals_pkey on audit_removals/);
  const planOfPage = plan.replace(/\s*InitPlan 1\n.*\n.*/, '');
  expect(planOfPage).toMatch(/Limit.*\n\s*->\s+Index Scan using audit_positions_pkey on audit_positions/);
  expect(plan).toMatch(/Index Scan using audit_entries_txid_seq_key on audit_entries e/);
});
