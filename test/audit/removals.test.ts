/**
 * Of a log that its organization does not keep for ever, the oldest entries are removed: those that may go, in order, and no
 * others, whoever asks for it. What is left is proved as before.
 */
import fc from 'fast-check';
import pg from 'pg';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { detailsByAction } from '../../src/audit/details.ts';
import { readExport, readTileFile } from '../../src/audit/export.ts';
import { logName } from '../../src/audit/log-name.ts';
import { type AuditRecord, leafOf } from '../../src/audit/record.ts';
import { readRecords } from '../../src/audit/record-store.ts';
import {
  createShortener,
  listLogsToShorten,
  readBeginnings,
  removedLine,
  removeEntries,
} from '../../src/audit/removals.ts';
import { longestRetention, shorteningDelay, shortestRetention } from '../../src/audit/retention.ts';
import { readHeads, readProofs } from '../../src/audit/sealed-log.ts';
import { createHeads, createProof, type Proved, parseLine } from '../../src/audit/verify-export.ts';
import { canonicalJson } from '../../src/platform/canonical-json.ts';
import { newId } from '../../src/platform/ids.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { keysOfLog } from '../../src/transparency/log-keys.ts';
import { inclusionRanges, leafHash, provesInclusion } from '../../src/transparency/merkle-tree.ts';
import { generousMs } from '../support/deadlines.ts';
import { giveAllPositions } from '../support/positions.ts';
import { createTestDatabase, gatewayUrl, type TestDatabase } from '../support/postgres.ts';
import { logKeys, sealAll, signingKeys } from '../support/sealing.ts';
import { bySize, seedOf } from '../support/size.ts';

const keys = logKeys(signingKeys());
const never = new AbortController().signal;

let database: TestDatabase;
/** As the owner, and a superuser. */
let owner: pg.Pool;
/** As gateways. */
let pool: pg.Pool;
let [acme, umbra] = ['', ''];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Pool({ connectionString: database.url, max: 4, connectionTimeoutMillis: generousMs });
  const connectionString = gatewayUrl(database.url);
  pool = new pg.Pool({ connectionString, max: 6, connectionTimeoutMillis: generousMs });
  return async () => {
    await Promise.all([owner.end(), pool.end()]);
    await database.dispose();
  };
});

/** Each test has logs of its own; nothing is due in those of the others. */
beforeEach(async () => {
  [acme, umbra] = [newId(), newId()];
  await withoutTriggers('UPDATE organizations SET audit_retention_days = NULL');
  await owner.query('UPDATE audit_removals SET unrecorded = 0');
  await owner.query(
    `INSERT INTO organizations (id, name, has_guard, created_at)
     SELECT id, 'Organization', true, now() FROM unnest($1::uuid[]) AS id`,
    [[acme, umbra]],
  );
});

/** What no rule of the database lets anybody do. */
async function withoutTriggers(text: string, values: unknown[] = []): Promise<void> {
  const client = await owner.connect();
  try {
    await client.query('BEGIN; SET LOCAL session_replication_role = replica');
    await client.query(text, values);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}

/** Writes an entry for each age in days, in this order. */
async function write(log: string, ages: readonly number[], grantId: string | null = null): Promise<void> {
  await owner.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                organization_id, grant_id, details)
     SELECT id, now() - make_interval(secs => 86400 * age), 'organization.create', 'SUCCEEDED', 'SYSTEM', 'Latchkey',
            'Organization', $3, ($3::text)::uuid, $4::uuid, '{}'
       FROM unnest($1::uuid[], $2::float8[]) WITH ORDINALITY AS entry(id, age, place) ORDER BY place`,
    [ages.map(() => newId()), ages, log, grantId],
  );
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** Lets the organization keep its log for so many days, since long ago. */
const keeps = (log: string, days: number | null) =>
  withoutTriggers(
    `UPDATE organizations SET audit_retention_days = $2, audit_retention_days_before = NULL,
            audit_retention_effective_at = now() - interval '1 second' WHERE id = $1`,
    [log, days],
  );

const seal = async () => expect(await sealAll(pool, keys)).toEqual([]);
/** Lets another run begin. */
const nextDay = (log: string) =>
  owner.query(`UPDATE audit_removals SET looked_at = '-infinity' WHERE organization_id = $1`, [log]);
const remove = (log: string, limit?: number) => removeEntries(pool, log, new Date(), limit);

async function recordsOf(log: string): Promise<AuditRecord[]> {
  await giveAllPositions(pool);
  const records: AuditRecord[] = [];
  for (;;) {
    const page = await readRecords(pool, log, records.at(-1)?.position ?? 0, 1_000);
    records.push(...page);
    if (page.length === 0) return records;
  }
}

const positionsOf = async (log: string) => (await recordsOf(log)).map(({ position }) => position);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);
/** What entries say of removals. */
const saidOf = async (log: string) =>
  (await recordsOf(log)).flatMap(({ action, details }) =>
    action === 'organization.remove_audit_entries' ? [details] : [],
  );

function verified(lines: readonly string[], kept: readonly string[] = [], log = acme): Proved {
  const { verifiers } = keysOfLog(keys, logName(log));
  const heads = createHeads(verifiers);
  const read = lines.map((line, at) => parseLine(line, at + 1));
  for (const note of kept) heads.add(note);
  for (const line of read) if ('checkpoint' in line) heads.add(line.checkpoint);
  const proof = createProof(heads.inOrder(), verifiers);
  for (const line of read) proof.read(line);
  return proof.end();
}

test('the bounds of the database are those of the code', async () => {
  const setTo = (days: number) =>
    pool.query('UPDATE organizations SET audit_retention_days = $2 WHERE id = $1', [acme, days]);
  for (const days of [shortestRetention - 1, longestRetention + 1])
    await expect(setTo(days)).rejects.toThrow('organizations_audit_retention_days');
  await setTo(longestRetention);
  await setTo(shortestRetention);
});

test('the oldest entries go, one entry says so, and what proves them stays', async () => {
  await write(acme, [...times(300, 400), ...times(20, 170)]);
  await write(umbra, times(20, 400));
  await seal();
  const [all, heads] = [await recordsOf(acme), await readHeads(pool, [acme])];
  await keeps(acme, 180);
  expect(await listLogsToShorten(pool, 10)).toEqual([acme]);
  expect(await remove(acme)).toEqual({ removed: 300, isOver: true });
  expect(await positionsOf(acme)).toEqual(range(301, 321));
  const said = await saidOf(acme);
  expect(said).toEqual([{ through: 300, entries: 300 }]);
  detailsByAction.get('organization.remove_audit_entries')?.parse(said[0]);
  expect(await positionsOf(umbra)).toEqual(range(1, 20));
  expect(await readBeginnings(pool, [acme, umbra])).toEqual(
    new Map([[acme, { removedThrough: 300, removedUntil: expect.any(Date), removedAt: expect.any(Date) }]]),
  );
  // Not again on the same day, and not for the entry about it.
  await write(acme, times(5, 400));
  await seal();
  expect(await listLogsToShorten(pool, 10)).toEqual([]);
  expect(await remove(acme)).toEqual({ removed: 0, isOver: true });

  const head = heads.get(acme);
  if (head === undefined) throw new Error('The log is not sealed');
  const proofs = await readProofs(
    pool,
    all.map((_, leaf) => ({ log: acme, ranges: inclusionRanges(leaf, head.size) })),
  );
  for (const [leaf, record] of all.entries())
    expect(provesInclusion({ leaf, leafHash: leafHash(leafOf(record)), ...head }, proofs[leaf] ?? [])).toBe(
      true,
    );
});

describe('nothing is removed', () => {
  const sent = async (state: string, position: number) => {
    const [id, account] = [newId(), newId()];
    await owner.query(
      `INSERT INTO accounts (id, kind, email, name, created_at) VALUES ($1, 'OPERATOR', $2, 'Olga', now())`,
      [account, `${account}@vendor.example`],
    );
    await owner.query(
      `INSERT INTO audit_streams (id, organization_id, name, url, format, filter, max_batch_bytes, state, disabled_reason,
                                  created_by_id, created_at, version)
       VALUES ($1, $2, 'SIEM', 'https://siem.example', 'RECORD', '{}', 20000, $3::audit_stream_state,
               CASE WHEN $3 = 'DISABLED' THEN 'GONE' END, $4, now(), 1)`,
      [id, acme, state, account],
    );
    await owner.query(
      `INSERT INTO audit_stream_progress (stream_id, organization_id, position, generation, attempts, batch_ends, due_at)
       VALUES ($1, $2, $3, 1, 0, '{}', now())`,
      [id, acme, position],
    );
  };

  test.each<[string, () => Promise<unknown>, removed: number]>([
    ['that is not sealed', async () => giveAllPositions(pool), 0],
    ['of a log that is kept for ever', async () => [await seal(), await keeps(acme, null)], 0],
    ['that is younger than the retention', async () => [await seal(), await keeps(acme, 401)], 0],
    [
      'within seven days after the retention was shortened',
      async () => {
        await seal();
        await keeps(acme, 500);
        await pool.query('UPDATE organizations SET audit_retention_days = 180 WHERE id = $1', [acme]);
      },
      0,
    ],
    ['that a stream has still to send', async () => [await seal(), await sent('ACTIVE', 4)], 4],
    ['that a paused stream has still to send', async () => [await seal(), await sent('PAUSED', 0)], 0],
    ['only where a stream is not disabled', async () => [await seal(), await sent('DISABLED', 0)], 10],
    ['after an entry that is too young', async () => [await seal(), await younger(3)], 2],
    ['that was written after the last head', async () => [await seal(), await write(acme, [400])], 10],
  ])('%s', async (_, given, removed) => {
    await write(acme, times(10, 400));
    await keeps(acme, 180);
    await given();
    expect(await remove(acme)).toEqual({ removed, isOver: true });
    expect((await positionsOf(acme))[0]).toBe(removed + 1);
    expect(await saidOf(acme)).toEqual(removed === 0 ? [] : [{ through: removed, entries: removed }]);
  });

  /** An entry with a time that is not that of its place, as after a wrong clock. */
  const younger = (position: number) =>
    withoutTriggers(
      `UPDATE audit_entries SET occurred_at = now() - interval '2 days'
        WHERE (txid, seq) = (SELECT txid, seq FROM audit_positions WHERE organization_id = $1 AND position = $2)`,
      [acme, position],
    );

  test('of a log from which somebody has taken entries by hand: it says so', async () => {
    await write(acme, times(10, 400));
    await seal();
    await withoutTriggers(
      `DELETE FROM audit_entries WHERE (txid, seq) = (
         SELECT txid, seq FROM audit_positions WHERE organization_id = $1 AND position = 4)`,
      [acme],
    );
    await keeps(acme, 180);
    await expect(remove(acme)).rejects.toThrow('lacks entries that were sealed');
    expect(await positionsOf(acme)).toEqual([1, 2, 3, ...range(5, 10)]);
    // The others go on, and this one is not tried again at once.
    await write(umbra, times(3, 400));
    await seal();
    await keeps(umbra, 180);
    const shortener = createShortener(pool, () => new Date());
    await expect(shortener.run(never)).rejects.toThrow('1 audit logs were not shortened');
    expect(await positionsOf(umbra)).toEqual([4]);
    await shortener.run(never);
  });

  test('because entries of removals alone are old: each would leave another', async () => {
    await write(acme, times(3, 400));
    await seal();
    await keeps(acme, 180);
    await remove(acme);
    await withoutTriggers(
      `UPDATE audit_entries SET occurred_at = now() - interval '400 days' WHERE organization_id = $1`,
      [acme],
    );
    await seal();
    await nextDay(acme);
    expect(await remove(acme)).toEqual({ removed: 0, isOver: true });
    await write(acme, [300]);
    await seal();
    await nextDay(acme);
    expect(await remove(acme)).toEqual({ removed: 2, isOver: true });
    expect(await saidOf(acme)).toEqual([{ through: 5, entries: 2 }]);
  });
});

describe('with the credentials of a gateway', () => {
  beforeEach(async () => {
    await write(acme, [...times(5, 400), ...times(5, 100)]);
    await seal();
  });

  test('a shorter retention waits for seven days, whatever is written beside it', async () => {
    await pool.query(
      `UPDATE organizations SET audit_retention_days = 180, audit_retention_days_before = 180,
              audit_retention_effective_at = now() - interval '1 day' WHERE id = $1`,
      [acme],
    );
    await pool.query(
      `UPDATE organizations SET audit_retention_effective_at = NULL, audit_retention_days_before = 180 WHERE id = $1`,
      [acme],
    );
    const { rows } = await pool.query<{ wait: number; before: number | null }>(
      `SELECT EXTRACT(EPOCH FROM audit_retention_effective_at - clock_timestamp())::float8 * 1000 AS wait,
              audit_retention_days_before AS before FROM organizations WHERE id = $1`,
      [acme],
    );
    expect(rows).toEqual([{ wait: expect.any(Number), before: null }]);
    // Less the minute that a command may take, and what this test has taken.
    expect(rows[0]?.wait).toBeGreaterThan(shorteningDelay - 60_000 - generousMs);
    expect(await remove(acme)).toEqual({ removed: 0, isOver: true });
    const id = newId();
    await pool.query(
      `INSERT INTO organizations (id, name, has_guard, created_at, audit_retention_days, audit_retention_effective_at)
       VALUES ($1, 'New', false, now(), 180, now() - interval '1 year')`,
      [id],
    );
    const inserted = await pool.query(
      `SELECT audit_retention_effective_at > now() + interval '6 days' AS waits FROM organizations WHERE id = $1`,
      [id],
    );
    expect(inserted.rows).toEqual([{ waits: true }]);
  });

  test('a longer retention counts at once', async () => {
    await keeps(acme, 180);
    await pool.query('UPDATE organizations SET audit_retention_days = 500 WHERE id = $1', [acme]);
    expect(await remove(acme)).toEqual({ removed: 0, isOver: true });
  });

  test.each([
    ['UPDATE audit_removals SET removed_through = 9', 'permission denied'],
    [
      `INSERT INTO audit_removals (organization_id, removed_through, unrecorded, looked_at) VALUES (gen_random_uuid(), 9, 0, now())`,
      'permission denied',
    ],
    ['DELETE FROM audit_entries WHERE organization_id = $1', 'permission denied'],
  ])('nobody may: %s', async (statement, message) => {
    await keeps(acme, 180);
    await expect(pool.query(statement, statement.includes('$1') ? [acme] : [])).rejects.toThrow(message);
  });

  test('nobody but the function removes, not even the owner', async () => {
    await keeps(acme, 180);
    const removeByHand = (condition: string) =>
      owner.query(
        `DELETE FROM audit_entries AS e USING audit_positions AS p
          WHERE p.organization_id = $1 AND p.txid = e.txid AND p.seq = e.seq AND ${condition}`,
        [acme],
      );
    await expect(removeByHand('p.position = 1')).rejects.toThrow('audit_entries is append-only');
    // Once it is said that they are removed, too: only what may go.
    await owner.query(
      `INSERT INTO audit_removals (organization_id, removed_through, unrecorded, looked_at) VALUES ($1, 10, 0, now())`,
      [acme],
    );
    await expect(removeByHand('true')).rejects.toThrow('audit_entries is append-only');
    await expect(removeByHand('p.position = 6')).rejects.toThrow('audit_entries is append-only');
    await keeps(acme, null);
    await expect(removeByHand('p.position = 1')).rejects.toThrow('audit_entries is append-only');
    for (const statement of [
      'UPDATE audit_removals SET removed_through = 1 WHERE organization_id = $1',
      'DELETE FROM audit_removals WHERE organization_id = $1',
    ])
      await expect(owner.query(statement, [acme])).rejects.toThrow(/never becomes less|append-only/);
  });

  test('the log of the vendor is kept for ever', async () => {
    await expect(
      owner.query('UPDATE organizations SET audit_retention_days = 180 WHERE id = $1', [
        vendorOrganizationId,
      ]),
    ).rejects.toThrow('organizations_vendor_is_final');
  });
});

test('a run goes on where another gateway has left it, and leaves one entry', async () => {
  await write(acme, [...times(10, 400), 1]);
  await write(umbra, [...times(4, 400), 1]);
  await seal();
  await keeps(acme, 180);
  await keeps(umbra, 180);
  const stopped = new AbortController();
  const options = { atOnce: 3, pauseMs: 0 };
  expect(await remove(acme, 3)).toEqual({ removed: 3, isOver: false });
  expect(await saidOf(acme)).toEqual([]);
  stopped.abort();
  await createShortener(pool, () => new Date(), options).run(stopped.signal);
  expect((await positionsOf(acme))[0]).toBe(4);
  // Kept for ever meanwhile: nothing more goes, and what went is said.
  await keeps(acme, null);
  await Promise.all(range(1, 3).map(() => createShortener(pool, () => new Date(), options).run(never)));
  expect(await saidOf(acme)).toEqual([{ through: 3, entries: 3 }]);
  await createShortener(pool, () => new Date(), options).run(never);
  expect(await saidOf(umbra)).toEqual([{ through: 4, entries: 4 }]);
  expect(await positionsOf(umbra)).toEqual([5, 6]);
});

test('logs are shortened while they are written, sealed and read', async () => {
  const rounds = bySize(6, 60);
  await write(acme, times(10 * rounds, 400));
  await seal();
  await keeps(acme, 180);
  let isOver = false;
  const reading = (async () => {
    let through = 0;
    while (!isOver) {
      const records = await readRecords(pool, acme, 0, 1_000);
      const [first, last] = [records[0]?.position ?? 0, records.at(-1)?.position ?? 0];
      expect(records.map(({ position }) => position)).toEqual(range(first, last));
      expect(first).toBeGreaterThanOrEqual(through);
      through = first;
      const exported = await readExport(pool, acme, 1);
      verified((exported?.lines ?? []).flatMap((line) => line.trim().split('\n')));
    }
  })();
  onTestFinished(() => {
    isOver = true;
  });
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all([write(acme, times(5, 1)), remove(acme, 10), remove(acme, 10), remove(umbra)]);
    await seal();
  }
  while (!(await remove(acme, 10)).isOver);
  isOver = true;
  await reading;
  expect((await positionsOf(acme))[0]).toBe(10 * rounds + 1);
  expect(await saidOf(acme)).toEqual([{ through: 10 * rounds, entries: 10 * rounds }]);
});

const seed = seedOf('REMOVALS_SEED');

test(`what goes is what a naive evaluation lets go, REMOVALS_SEED=${seed}`, async () => {
  const logs = fc.record({
    ages: fc.array(fc.double({ min: 170, max: 300, noNaN: true }), { minLength: 1, maxLength: 25 }),
    unsealed: fc.nat(3),
    days: fc.integer({ min: 180, max: 240 }),
    atOnce: fc.integer({ min: 1, max: 10 }),
  });
  await fc.assert(
    fc.asyncProperty(logs, async ({ ages, unsealed, days, atOnce }) => {
      const log = newId();
      await owner.query(
        `INSERT INTO organizations (id, name, has_guard, created_at) VALUES ($1, 'Organization', true, now())`,
        [log],
      );
      const sealed = Math.max(0, ages.length - unsealed);
      await write(log, ages.slice(0, sealed));
      await seal();
      await write(log, ages.slice(sealed));
      await giveAllPositions(pool);
      await keeps(log, days);
      const young = ages.findIndex((age) => age < days);
      const expected = Math.min(sealed, young === -1 ? ages.length : young);
      let removed = 0;
      for (let isOver = false; !isOver; ) {
        const done = await remove(log, atOnce);
        expect(done.removed).toBeLessThanOrEqual(atOnce);
        removed += done.removed;
        isOver = done.isOver;
      }
      expect(removed).toBe(expected);
      expect(await positionsOf(log)).toEqual(range(expected + 1, ages.length + (expected === 0 ? 0 : 1)));
    }),
    { seed, numRuns: bySize(5, 100) },
  );
});

describe('what is left of a log', () => {
  const linesOf = async (from: number) =>
    ((await readExport(pool, log, from))?.lines ?? []).flatMap((text) => text.trim().split('\n'));
  let [keptBefore, keptAfter] = ['', ''];
  let before: string[] = [];
  let lines: string[] = [];

  const verifiedHere = (read: readonly string[], kept: readonly string[] = []) => verified(read, kept, log);
  /** Nothing changes it. */
  let log = '';
  beforeEach(async () => {
    if (log !== '') return;
    log = acme;
    await write(acme, times(290, 400));
    await seal();
    keptBefore = (await readHeads(pool, [acme])).get(acme)?.note ?? '';
    await write(acme, [...times(10, 400), ...times(250, 3)]);
    await seal();
    keptAfter = (await readHeads(pool, [acme])).get(acme)?.note ?? '';
    before = await linesOf(1);
    await keeps(acme, 180);
    expect(await remove(acme)).toEqual({ removed: 300, isOver: true });
    await seal();
    lines = await linesOf(1);
  });

  test('is proved, and what was downloaded before as well', async () => {
    expect(verifiedHere(before).entries).toEqual({ first: 1, last: 550 });
    expect(lines[1]).toBe(JSON.stringify(await removedLine(pool, log, 300)));
    expect(verifiedHere(lines)).toMatchObject({
      ...{ entries: { first: 301, last: 551 }, removedThrough: 300, notCompared: [] },
    });
    expect(verifiedHere(lines, [keptBefore, keptAfter])).toMatchObject({ notCompared: [290] });
    // From within what was removed, from within a tile of which a part was, and from after it.
    expect(verifiedHere(await linesOf(200)).removedThrough).toBe(300);
    expect(verifiedHere(await linesOf(400)).removedThrough).toBe(300);
    expect(verifiedHere(await linesOf(520))).toMatchObject({ entries: { first: 513 }, removedThrough: 0 });
  });

  test('is proved as records with a head, as streams have them', async () => {
    const records = (await recordsOf(log)).map((record) => canonicalJson(record));
    const note = (await readHeads(pool, [log])).get(log)?.note ?? '';
    const streamed = [
      JSON.stringify(await removedLine(pool, log, 300)),
      ...records,
      JSON.stringify({ checkpoint: note }),
    ];
    expect(verifiedHere(streamed, [keptAfter]).entries).toEqual({ first: 301, last: 551 });
    expect(() => verifiedHere(streamed.slice(1))).toThrow('Nothing in the file proves entry 301');
    expect(() => verifiedHere(streamed.toSpliced(5, 1))).toThrow('Entry 305 is missing.');
    expect(() => verifiedHere(streamed.with(5, records[4]?.replace('Latchkey', 'Nobody') ?? ''))).toThrow(
      /not what the signed head seals|not at its place/,
    );
  });

  test.each<[string, (lines: string[]) => string[], RegExp]>([
    ['a hole is missing', (lines) => lines.toSpliced(10, 1), /^Entry 308 is missing/],
    ['the first one that is kept', (lines) => lines.toSpliced(3, 1), /^Entry 301 is missing/],
    [
      'the line that says what was removed',
      (lines) => lines.toSpliced(1, 1),
      /^Entries 257 to 300 are missing/,
    ],
    [
      'a line that says that more was removed, with hashes of less',
      (lines) => lines.with(1, (lines[1] ?? '').replace('"through":300', '"through":310')),
      /without the hashes/,
    ],
    [
      'a line with other hashes',
      (lines) => {
        const { removed } = JSON.parse(lines[1] ?? '');
        const hashes = [removed.hashes[0], Buffer.alloc(32, 7).toString('base64')];
        return lines.with(1, JSON.stringify({ removed: { through: 300, hashes } }));
      },
      /not what the signed head seals/,
    ],
    [
      'entries that are removed between two that are there',
      (lines) => lines.toSpliced(10, 2, lines[1] ?? '', lines[11] ?? ''),
      /^Entry 308 is missing|missing/,
    ],
    ['the end', (lines) => lines.slice(0, 100), /missing/],
  ])('is not taken for whole without %s', async (_, change, message) => {
    expect(() => verifiedHere(change(lines))).toThrow(message);
  });

  test('has no bundle of entries of which some are removed', async () => {
    const bundle = (index: number, width: number) => readTileFile(pool, log, { level: null, index, width });
    expect(await bundle(0, 256)).toBeNull();
    expect(await bundle(1, 256)).toBeNull();
    expect(await bundle(2, 39)).not.toBeNull();
  });
});

test('a batch touches as many pages in a long log as in a short one', async () => {
  const [few, many] = [20, bySize(2_000, 50_000)];
  const pagesOf = async (log: string): Promise<number> => {
    const { rows } = await owner.query(
      `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT remove_audit_entries($1, 10, $2)`,
      [log, newId()],
    );
    const { Plan: plan } = rows[0]['QUERY PLAN'][0];
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  };
  await write(acme, times(few, 400));
  await write(umbra, times(many, 400));
  await seal();
  await keeps(acme, 180);
  await keeps(umbra, 180);
  await pagesOf(acme);
  await pagesOf(umbra);
  await keeps(acme, 180);
  const [short, long] = [await pagesOf(acme), await pagesOf(umbra)];
  expect(long).toBeLessThan(short + 300);
  expect(long).toBeLessThan(2_000);
});
