/**
 * The audit logs are sealed: every entry becomes a leaf of its log's tree, once, and every signed head follows the one before,
 * whoever seals, whatever is killed, and whatever was written before logs were sealed.
 */
import pg from 'pg';
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { logName } from '../../src/audit/log-name.ts';
import { leafOf } from '../../src/audit/record.ts';
import { readRecords } from '../../src/audit/record-store.ts';
import { readHeads, readProofs } from '../../src/audit/sealed-log.ts';
import { createSealer, readSealingLag } from '../../src/audit/sealing.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Logger } from '../../src/platform/logger.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { openCheckpoint } from '../../src/transparency/checkpoint.ts';
import { keysOfLog } from '../../src/transparency/log-keys.ts';
import {
  consistencyRanges,
  type Hash,
  inclusionRanges,
  leafHash,
  provesConsistency,
  provesInclusion,
} from '../../src/transparency/merkle-tree.ts';
import { appendLeaves, emptyEdge, rootOf } from '../../src/transparency/tiles.ts';
import { generousMs } from '../support/deadlines.ts';
import { giveAllPositions } from '../support/positions.ts';
import { createTestDatabase, gatewayUrl, type TestDatabase } from '../support/postgres.ts';
import { runProgram } from '../support/program.ts';
import { insertAuditEntries } from '../support/rows.ts';
import { logKeys, sealAll, signingKeys, sizesOfHeads } from '../support/sealing.ts';
import { bySize } from '../support/size.ts';

const texts = signingKeys();
const keys = logKeys(texts);

let database: TestDatabase;
/** As the owner. */
let owner: pg.Pool;
/** As gateways: what they may do is enough to seal. */
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

/** Each test has logs of its own. */
beforeEach(async () => {
  [acme, umbra] = [newId(), newId()];
  await owner.query(
    `INSERT INTO organizations (id, name, has_guard, created_at)
     SELECT id, 'Organization', false, now() FROM unnest($1::uuid[]) AS id`,
    [[acme, umbra]],
  );
});

const write = (log: string, count: number) => insertAuditEntries({ sql: owner }, log, count);

/** The hashes of the entries of a log, as they are in the database now. */
async function leavesOf(log: string): Promise<Hash[]> {
  const leaves: Hash[] = [];
  for (;;) {
    const records = await readRecords(pool, log, leaves.length, 1_000);
    leaves.push(...records.map((record) => leafHash(leafOf(record))));
    if (records.length === 0) return leaves;
  }
}

/** Checks all heads of a log beside its entries. Returns their sizes. */
async function expectSealed(log: string): Promise<number[]> {
  const leaves = await leavesOf(log);
  const { rows } = await pool.query<{ size: number; previous: number; note: string }>(
    `SELECT size::int, previous_size::int AS previous, note FROM audit_checkpoints
      WHERE organization_id = $1 ORDER BY size`,
    [log],
  );
  const sizes = rows.map(({ size }) => size);
  expect(rows.map(({ previous }) => previous)).toEqual([0, ...sizes.slice(0, -1)]);
  expect(sizes.at(-1)).toBe(leaves.length);
  let [edge, done] = [emptyEdge, 0];
  const { origin, verifiers } = keysOfLog(keys, logName(log));
  for (const { size, note } of rows) {
    edge = appendLeaves(edge, leaves.slice(done, size)).edge;
    done = size;
    expect(openCheckpoint(note, verifiers)).toEqual({ origin, size, root: rootOf(edge) });
  }
  return sizes;
}

test('each log has its tree, and any entry and any earlier head is proved from its tiles', async () => {
  await write(acme, 3);
  await write(umbra, 1);
  expect(await sealAll(pool, keys)).toEqual([]);
  await write(acme, 600);
  expect(await readSealingLag(pool)).toBe(0);
  await giveAllPositions(pool);
  expect(await readSealingLag(pool)).toBeGreaterThan(0);
  expect(await sealAll(pool, keys)).toEqual([]);
  expect(await readSealingLag(pool)).toBe(0);
  expect(await expectSealed(acme)).toEqual([3, 503, 603]);
  expect(await expectSealed(umbra)).toEqual([1]);

  const [leaves, heads] = [await leavesOf(acme), await readHeads(pool, [acme, umbra])];
  const head = heads.get(acme) as { size: number; root: Hash };
  const places = [0, 2, 255, 256, 511, 512, 602];
  const asked = places.map((leaf) => ({ log: acme, ranges: inclusionRanges(leaf, head.size) }));
  const proofs = await readProofs(pool, [...asked, { log: acme, ranges: consistencyRanges(3, 603) }]);
  for (const [at, leaf] of places.entries())
    expect(provesInclusion({ leaf, leafHash: leaves[leaf] as Hash, ...head }, proofs[at] ?? [])).toBe(true);
  const earlier = { size: 3, root: rootOf(appendLeaves(emptyEdge, leaves.slice(0, 3)).edge) };
  expect(provesConsistency(earlier, head, proofs.at(-1) ?? [])).toBe(true);
});

test('gateways that seal at once seal each entry once', async () => {
  await write(acme, bySize(300, 5_000));
  await write(umbra, 20);
  await giveAllPositions(pool);
  const logged: string[] = [];
  const logger = { error: (_: unknown, message: string) => logged.push(message) } as unknown as Logger;
  await Promise.all(
    Array.from({ length: 3 }, async () => {
      const sealer = createSealer({ pool, keys, clock: () => new Date(), logger });
      while (await sealer.seal());
    }),
  );
  await sealAll(pool, keys);
  expect(logged).toEqual([]);
  await expectSealed(acme);
  await expectSealed(umbra);
});

test('a gateway that could not look at all logs looks at them the next time', async () => {
  await write(acme, 1);
  await giveAllPositions(pool);
  const sealer = createSealer({ pool, keys, clock: () => new Date(), logger: {} as Logger });
  const { rows } = await pool.query<{ role: string }>('SELECT quote_ident(current_user) AS role');
  await owner.query(`REVOKE SELECT ON audit_checkpoints FROM ${rows[0]?.role}`);
  await expect(sealer.seal()).rejects.toThrow('permission denied');
  await owner.query(`GRANT SELECT ON audit_checkpoints TO ${rows[0]?.role}`);
  while (await sealer.seal());
  await expectSealed(acme);
});

test('a gateway that is killed leaves nothing by half, and nothing unsealed for ever', async () => {
  await write(acme, bySize(1_600, 20_000));
  await write(umbra, 7);
  await giveAllPositions(pool);
  for (let kills = bySize(1, 10); kills > 0; kills -= 1) {
    const program = runProgram('test/support/sealing-process.ts', gatewayUrl(database.url), texts.join(','));
    await program.printed('sealed');
    program.kill();
    expect((await program.ended).code).toBeNull();
  }
  expect(await sealAll(pool, keys)).toEqual([]);
  await expectSealed(acme);
  await expectSealed(umbra);
});

test('keys are changed one after the other, and each head is signed with all that there are', async () => {
  const [old = '', next = ''] = signingKeys(2);
  const retired = logKeys([old]);
  await write(acme, 1);
  await sealAll(pool, retired);
  await write(acme, 1);
  await sealAll(pool, logKeys([old, next]));
  const head = (await readHeads(pool, [acme])).get(acme);
  for (const one of [retired, logKeys([next])])
    expect(openCheckpoint(head?.note ?? '', keysOfLog(one, logName(acme)).verifiers)).toMatchObject({
      size: 2,
    });
  await write(acme, 1);
  // Of a key that has signed nothing here.
  expect(await sealAll(pool, keys)).toEqual([
    'An audit log cannot be sealed: It is not signed with a key that is trusted.',
  ]);
  await sealAll(pool, logKeys([next]));
  expect((await sizesOfHeads(pool))[acme]).toBe(3);
});

test.each([
  [
    'its last hash is another',
    `UPDATE audit_tiles SET hashes = overlay(hashes PLACING '\\x00' FROM octet_length(hashes)) WHERE organization_id = $1`,
    'The hashes of the log are not those of its last head',
  ],
  [
    'a hash was added',
    `UPDATE audit_tiles SET hashes = hashes || sha256('') WHERE organization_id = $1`,
    'The hashes of the log are not those of its last head',
  ],
  ['a tile is gone', 'DELETE FROM audit_tiles WHERE organization_id = $1', 'The hashes of the log are not'],
  [
    'its head states another root',
    `UPDATE audit_checkpoints SET root_hash = sha256('') WHERE organization_id = $1`,
    'The last head of the log is not the one that was signed',
  ],
  [
    'a tile is in the way',
    `INSERT INTO audit_tiles VALUES ($1, 0, 1, sha256(''))`,
    'The tiles of an audit log',
  ],
  [
    'an entry is gone',
    `DELETE FROM audit_positions WHERE organization_id = $1 AND position = 4`,
    'The log lacks entries that had positions',
  ],
])('a log is left as it is where %s, and the others are sealed', async (_, tampering, said) => {
  await write(acme, 3);
  await sealAll(pool, keys);
  await write(acme, 300);
  await write(umbra, 1);
  await giveAllPositions(pool);
  const client = await owner.connect();
  await client.query(`SET session_replication_role = 'replica'`);
  await client.query(tampering, [acme]);
  client.release(true);
  expect(await sealAll(pool, keys)).toEqual([expect.stringContaining(said)]);
  const sizes = await sizesOfHeads(pool);
  expect(sizes[umbra]).toBe(1);
  expect(sizes[acme]).toBeLessThan(303);
  await owner.query('DELETE FROM organizations WHERE id = $1', [acme]);
});

test('a log that cannot be sealed is tried again, sooner and then later, and each reason is said once', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const said: string[] = [];
  const log = ({ err }: { err?: Error }, message: string) => said.push(err?.message ?? message);
  const logger = { error: log, info: log } as unknown as Logger;
  const sealer = createSealer({ pool, keys, clock: () => new Date(), logger });
  const sealAfter = async (ms: number) => {
    vi.advanceTimersByTime(ms);
    while (await sealer.seal());
  };
  const inTheWay = (level: number) =>
    owner.query(`INSERT INTO audit_tiles VALUES ($1, $2, 0, sha256(''))`, [acme, level]);
  const clear = async () => {
    const client = await owner.connect();
    await client.query(`SET session_replication_role = 'replica'`);
    await client.query('DELETE FROM audit_tiles WHERE organization_id = $1', [acme]);
    client.release(true);
  };
  await write(acme, 3);
  await giveAllPositions(pool);
  await inTheWay(0);
  const reason = 'The tiles of an audit log are not those of its last head';
  // It is tried at 0, 500 and 1,500, and next at 3,500: what is put right before is seen only then.
  for (const ms of [0, 499, 1, 999, 1]) await sealAfter(ms);
  expect(said).toEqual([reason]);
  await clear();
  await sealAfter(1_999);
  expect((await readHeads(pool, [acme])).size).toBe(0);
  await sealAfter(1);
  expect(said).toEqual([reason, 'An audit log is sealed again']);
  await expectSealed(acme);
  // Another fault is told anew.
  await clear();
  await write(acme, 1);
  await giveAllPositions(pool);
  for (const ms of [0, 500]) await sealAfter(ms);
  expect(said.slice(2)).toEqual(['The hashes of the log are not those of its last head']);
  await owner.query('DELETE FROM organizations WHERE id = $1', [acme]);
});

test('the database refuses to gateways what would change a sealed log', async () => {
  await write(acme, 2);
  await sealAll(pool, keys);
  for (const statement of [
    'DELETE FROM audit_tiles WHERE organization_id = $1',
    'DELETE FROM audit_checkpoints WHERE organization_id = $1',
    'UPDATE audit_checkpoints SET size = size + 1 WHERE organization_id = $1',
  ])
    await expect(pool.query(statement, [acme])).rejects.toThrow('permission denied');
  for (const db of [pool, owner]) {
    for (const hashes of [`'\\x'`, `sha256('')`, 'hashes || hashes || hashes || sha224(hashes)'])
      await expect(
        db.query(`UPDATE audit_tiles SET hashes = ${hashes} WHERE organization_id = $1`, [acme]),
      ).rejects.toThrow(/never changed|audit_tiles_hashes/);
    const fork = `INSERT INTO audit_checkpoints SELECT organization_id, size + 1, previous_size, root_hash, note, signed_at
                    FROM audit_checkpoints WHERE organization_id = $1`;
    await expect(db.query(fork, [acme])).rejects.toThrow(
      'audit_checkpoints_organization_id_previous_size_key',
    );
  }
  await expect(owner.query('TRUNCATE audit_checkpoints')).rejects.toThrow('append-only');
  expect(vendorOrganizationId in (await sizesOfHeads(pool))).toBe(false);
});
