/** A command that is refused again and again leaves one entry at once, and one for the rest of the minute. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createReadings, type Reading, recordRepeatedReadings } from '../../src/audit/readings.ts';
import { recordRepetitions } from '../../src/audit/repeated-refusals.ts';
import { approveDataAccess } from '../../src/commands/approve-data-access.ts';
import { type Dependencies, executeAndLook } from '../../src/commands/execute.ts';
import { executeEach } from '../../src/commands/execute-each.ts';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { noSource } from '../../src/platform/request-source.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { rawId } from '../support/rows.ts';
import { fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

const minute = 60_000;
let gateway: TestGateway;
let world: World;
let dependencies: Dependencies;
let stranger: string;
let other: string;
/** By the clock of these commands. */
let now: Date;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const logger = createLogger('silent');
  const database = openDatabase({
    ...{ url: gateway.databaseUrl, logger, poolSize: 8, deadlines: generousDatabaseDeadlines },
  });
  dependencies = { database, clock: () => now, announce: () => undefined, logger };
  const accountOf = async (email: string): Promise<string> =>
    (await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email])).rows[0].id;
  stranger = await accountOf(world.globex.emails.organizationAdmin);
  other = await accountOf(world.acme.emails.confluenceAdmin);
  now = new Date(Math.floor(Date.now() / minute) * minute + 1_000);
});
afterAll(async () => {
  await dependencies.database.dispose();
  await gateway.dispose();
});

async function pendingGrant(): Promise<string> {
  const { grantId } = await fileTicket(gateway, world);
  return Buffer.from(grantId ?? '', 'base64')
    .toString()
    .replace('Grant:', '');
}

const inputOf = (grantId: string) => ({ grantId, path: 'ADMIN_CONSOLE' as const, ...nothingSaid });
const nothingSaid = { expiresAt: null, reason: null, expectedVersion: null };

async function refused(
  grantId: string,
  accountId = stranger,
  idempotencyKey: string | null = null,
  clientAddress: string | null = null,
) {
  const { answer } = await executeAndLook(dependencies, approveDataAccess, inputOf(grantId), {
    ...{
      accountId,
      idempotencyKey,
      source: { ...noSource, clientAddress, requestId: randomUUID(), userAgent: 'Portal/2.1' },
    },
  });
  return 'refused' in answer ? answer.refused.code : 'accepted';
}

/** The refusals of the grant on the audit log, the oldest first. */
async function entriesOf(grantId: string) {
  const { rows } = await gateway.sql.query(
    `SELECT action, refusal_code AS code, actor_id AS by, count, details, occurred_at AS at FROM audit_entries
      WHERE resource_id = $1 AND outcome = 'REFUSED' ORDER BY txid, seq`,
    [grantId],
  );
  return rows;
}

const record = (at: number) => recordRepetitions(dependencies.database.pool, new Date(at), 100);

test('the first is an entry at once, and the rest of the minute is one, however many come at the same time', async () => {
  const grantId = await pendingGrant();
  const codes = await Promise.all(Array.from({ length: 12 }, () => refused(grantId)));
  expect(new Set(codes)).toEqual(new Set(['NOT_FOUND']));
  const first = { action: 'grant.approve', code: 'NOT_FOUND', by: stranger, count: 1, details: {}, at: now };
  expect(await entriesOf(grantId)).toEqual([first]);

  const since = now.getTime();
  now = new Date(since + 30_000);
  expect(await refused(grantId)).toBe('NOT_FOUND');
  expect(await record(since + 40_000)).toBe(0);
  const recordedAt = since + minute;
  expect((await Promise.all([record(recordedAt), record(recordedAt)])).toSorted()).toEqual([0, 1]);
  const rest = {
    ...{ ...first, count: 12, at: new Date(recordedAt) },
    details: { since: new Date(since).toISOString(), until: now.toISOString() },
  };
  expect(await entriesOf(grantId)).toEqual([first, rest]);

  now = new Date(recordedAt);
  expect(await refused(grantId)).toBe('NOT_FOUND');
  expect(await record(recordedAt + minute)).toBe(1);
  expect(await entriesOf(grantId)).toEqual([first, rest, { ...first, at: now }]);
});

test('each command, resource, person and code has a first one', async () => {
  const [one, two] = [await pendingGrant(), await pendingGrant()];
  const revoke = (grantId: string) =>
    executeAndLook(
      dependencies,
      revokeDataAccess,
      { grantId, reason: null, expectedVersion: null },
      { accountId: stranger, idempotencyKey: null },
    );
  for (let round = 0; round < 2; round += 1) {
    for (const grantId of [one, two]) await refused(grantId);
    await refused(one, other);
    await revoke(one);
  }
  // What a repetition with the same key is answered is not refused once more.
  const key = randomUUID();
  for (let round = 0; round < 2; round += 1) await refused(one, stranger, key);
  await record(now.getTime() + minute);
  const seen = (await entriesOf(one)).map(({ action, code, by, count }) => ({ action, code, by, count }));
  const approve = { action: 'grant.approve', code: 'NOT_FOUND', by: stranger };
  const notEligible = { action: 'grant.approve', code: 'NOT_ELIGIBLE', by: other };
  const revocation = { action: 'grant.revoke', code: 'NOT_FOUND', by: stranger };
  expect(seen.slice(0, 3)).toEqual([approve, notEligible, revocation].map((each) => ({ ...each, count: 1 })));
  expect(new Set(seen.slice(3))).toEqual(
    new Set([
      { ...approve, count: 2 },
      { ...notEligible, count: 1 },
      { ...revocation, count: 1 },
    ]),
  );
  expect((await entriesOf(two)).map(({ count }) => count)).toEqual([1, 1]);
  expect(
    (await entriesOf(one)).find(
      ({ code, count, details }) => code === 'NOT_ELIGIBLE' && details.since !== undefined && count === 1,
    )?.details,
  ).toEqual({ obstacles: expect.any(Array), since: expect.any(String), until: expect.any(String) });
});

test('who changes addresses leaves no more entries, and those that are counted have one only if it is that of all', async () => {
  const [one, two] = [await pendingGrant(), await pendingGrant()];
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) await refused(one, stranger, null, address);
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1']) await refused(two, stranger, null, address);
  await record(now.getTime() + minute);
  const addressesOf = async (grantId: string) =>
    (
      await gateway.sql.query(
        'SELECT count, client_address AS address, request_id AS request, user_agent AS program FROM audit_entries WHERE resource_id = $1 AND refusal_code IS NOT NULL ORDER BY txid, seq',
        [grantId],
      )
    ).rows;
  expect(await addressesOf(one)).toEqual([
    { count: 1, address: '192.0.2.1', request: expect.any(String), program: 'Portal/2.1' },
    { count: 2, address: null, request: null, program: 'Portal/2.1' },
  ]);
  expect(await addressesOf(two)).toEqual([
    { count: 1, address: '192.0.2.1', request: expect.any(String), program: 'Portal/2.1' },
    { count: 2, address: '192.0.2.1', request: null, program: 'Portal/2.1' },
  ]);
});

test('the items of a bulk are counted as well, and one that is taken back is not', async () => {
  const [one, two] = [await pendingGrant(), await pendingGrant()];
  const items = [one, two, one].map((grantId) => ({ input: inputOf(grantId), idempotencyKey: null }));
  const run = { accountId: stranger, stop: new AbortController().signal, msLeft: () => 60_000 };
  await executeEach(dependencies, approveDataAccess, items, { ...run, onViewer: () => undefined });
  await gateway.sql.query(`ALTER TABLE audit_entries ADD CONSTRAINT no_more CHECK (false) NOT VALID`);
  try {
    await expect(
      executeAndLook(
        dependencies,
        revokeDataAccess,
        { grantId: two, reason: null, expectedVersion: null },
        { accountId: stranger, idempotencyKey: null },
      ),
    ).rejects.toThrow();
  } finally {
    await gateway.sql.query('ALTER TABLE audit_entries DROP CONSTRAINT no_more');
  }
  await record(now.getTime() + minute);
  expect((await entriesOf(one)).map(({ count }) => count)).toEqual([1, 1]);
  expect((await entriesOf(two)).map(({ action, count }) => [action, count])).toEqual([['grant.approve', 1]]);
});

test('readers of the audit log see the count', async () => {
  const grantId = await pendingGrant();
  for (let round = 0; round < 3; round += 1) await refused(grantId, other);
  await record(now.getTime() + minute);
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const { auditLog } = await admin.ask(`{
    auditLog(first: 1, filter: { action: GRANT_APPROVE, outcome: REFUSED }) {
      edges { node { count refusalCode details } }
    }
  }`);
  expect(auditLog.edges).toEqual([
    {
      node: {
        count: 2,
        refusalCode: 'NOT_ELIGIBLE',
        details: expect.objectContaining({ since: now.toISOString(), until: now.toISOString() }),
      },
    },
  ]);
});

describe('readings of the audit log', () => {
  const hour = 60 * minute;
  const start = Date.parse('2041-03-01T10:00:10.000Z');

  const readingsAt = (reader: string, text = '', from = '192.0.2.1'): Reading => ({
    action: 'audit_entries.search',
    reader: { kind: 'USER', id: reader, email: 'ada@acme.example', name: 'Ada' },
    source: { ...noSource, clientAddress: from },
    logId: rawId(world.acme.organizationId),
    details: text === '' ? {} : { conditions: ['text'], filter: { text } },
  });
  const open = (pool: Pick<pg.Pool, 'query'> = dependencies.database.pool) =>
    createReadings({ pool: pool as pg.Pool, clock: () => now });
  const entriesOf = async (reader: string) =>
    (
      await gateway.sql.query(
        `SELECT count, details, host(client_address) AS "from" FROM audit_entries WHERE actor_id = $1 ORDER BY occurred_at, seq`,
        [reader],
      )
    ).rows;
  const recordAt = (at: number) => recordRepeatedReadings(dependencies.database.pool, new Date(at), 100);

  test('the first of an hour has its entry at once, and the others one together, of whichever gateway they are', async () => {
    const reader = randomUUID();
    now = new Date(start);
    const [one, other] = [open(), open()];
    await Promise.all([one.record([readingsAt(reader)]), one.record([readingsAt(reader)])]);
    await other.record([readingsAt(reader, '', '192.0.2.2')]);
    expect(await entriesOf(reader)).toHaveLength(1);
    now = new Date(start + 5 * minute);
    await one.record([readingsAt(reader)]);
    await other.record([readingsAt(reader)]);
    await Promise.all([one.save(), other.save()]);
    expect(await recordAt(start + hour)).toBe(0);
    expect(await recordAt(start + hour + minute)).toBe(1);
    const [first, ...others] = await entriesOf(reader);
    expect(first).toEqual({ count: 1, details: {}, from: '192.0.2.1' });
    expect(others).toEqual([
      {
        ...{ count: 4, from: null },
        details: { since: new Date(start).toISOString(), until: now.toISOString() },
      },
    ]);
    // What a gateway counts in the last second of an hour is not lost when the others have been recorded.
    await one.record([readingsAt(reader)]);
    now = new Date(start + hour + 2 * minute);
    await one.save();
    await recordAt(start + hour + 3 * minute);
    expect((await entriesOf(reader)).map(({ count }) => count)).toEqual([1, 4, 1]);
  });

  test('a reading costs no statement but the first, and an hour begins anew', async () => {
    const reader = randomUUID();
    let statements = 0;
    const { pool } = dependencies.database;
    const query = ((...given: Parameters<pg.Pool['query']>) => {
      statements += 1;
      return pool.query(...given);
    }) as pg.Pool['query'];
    const readings = open({ query });
    now = new Date(start);
    for (let n = 0; n < 100; n += 1) await readings.record([readingsAt(reader)]);
    expect(statements).toBe(1);
    now = new Date(start + hour);
    await readings.record([readingsAt(reader)]);
    expect(statements).toBe(2);
    await readings.save();
    await recordAt(start + 3 * hour);
    expect((await entriesOf(reader)).map(({ count }) => count)).toEqual([1, 1, 99]);
  });

  test('searches are told apart, up to twenty of an hour', async () => {
    const reader = randomUUID();
    now = new Date(start);
    const readings = open();
    for (let n = 0; n < 60; n += 1) await readings.record([readingsAt(reader, `word ${n}`)]);
    const entries = await entriesOf(reader);
    expect(entries).toHaveLength(21);
    expect(entries.at(19).details).toEqual({ conditions: ['text'], filter: { text: 'word 19' } });
    expect(entries.at(20).details).toEqual({});
    await readings.save();
    await recordAt(start + 3 * hour);
    expect((await entriesOf(reader)).reduce((sum, { count }) => sum + count, 0)).toBe(60);
  });

  test('what cannot be put on record is not read, and is tried again', async () => {
    const reader = randomUUID();
    now = new Date(start);
    let isAway = true;
    const { pool } = dependencies.database;
    const query = ((...given: Parameters<pg.Pool['query']>) =>
      isAway ? Promise.reject(new Error('away')) : pool.query(...given)) as pg.Pool['query'];
    const readings = open({ query });
    await expect(readings.record([readingsAt(reader)])).rejects.toThrow('away');
    isAway = false;
    await readings.record([readingsAt(reader)]);
    await readings.record([readingsAt(reader)]);
    isAway = true;
    await expect(readings.save()).rejects.toThrow('away');
    await readings.record([readingsAt(reader)]);
    isAway = false;
    await readings.save();
    await recordAt(start + 3 * hour);
    expect((await entriesOf(reader)).map(({ count }) => count)).toEqual([1, 2]);
  });
});
