/** A repetition with the same key changes nothing and returns the first answer; an outdated version is a conflict. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answersKeptFor, forgetAnswers } from '../../src/commands/idempotency.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  assignRole,
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';
import { expectLegalHistories, tryTo } from './races-history.ts';

let gateway: TestGateway;
let other: TestGateway;
let world: World;
let reporter: Person;
let admin: Person;
let jiraAdmin: Person;
let engineer: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  other = await startGateway({ databaseUrl: gateway.databaseUrl, maintenance: false });
  reporter = await gateway.as(world.acme.emails.reporter);
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  jiraAdmin = await gateway.as(world.acme.emails.jiraAdmin);
  engineer = await gateway.as(world.engineer.email);
});
afterAll(async () => {
  expect(await expectLegalHistories(gateway)).toBeGreaterThan(0);
  await other.dispose();
  await gateway.dispose();
});

let keys = 0;
const newKey = () => {
  keys += 1;
  return `key-${keys}`;
};

/** The numbers of rows that mutations add. */
async function traces(): Promise<Json> {
  const { rows } = await gateway.sql.query(
    `SELECT (SELECT count(*)::int FROM audit_entries) AS record, (SELECT count(*)::int FROM events) AS events,
            (SELECT count(*)::int FROM tickets) AS tickets, (SELECT count(*)::int FROM grants) AS grants`,
  );
  return rows[0];
}

/** Runs the mutation several times; expects that every repetition returns the first answer and writes nothing. */
async function repeat(by: Person, name: string, input: Record<string, unknown>): Promise<Json> {
  const first = await attempt(by, name, input);
  const before = await traces();
  const onOther = { ...(await other.as(by.email)) };
  for (const again of [by, onOther, by]) expect(await attempt(again, name, input)).toEqual(first);
  expect(await traces()).toEqual(before);
  return first;
}

describe('a repetition', () => {
  test('returns the first answer and does nothing', async () => {
    const { jira } = world.acme.sites.main.products;
    const ticket = { productId: jira, summary: 'It is slow', grantDataAccess: false };
    const { id: ticketId } = await repeat(reporter, 'createTicket', { ...ticket, idempotencyKey: newKey() });
    const { id: engineerId } = world.engineer;
    await repeat(world.operator, 'assignTicket', { ticketId, engineerId, idempotencyKey: newKey() });
    const approved = await repeat(admin, 'approveDataAccess', { ticketId, idempotencyKey: newKey() });
    expect(approved).toMatchObject({ state: 'ACTIVE' });
    const grantId: string = approved.id;
    await repeat(engineer, 'releaseDataAccess', { grantId, idempotencyKey: newKey() });
    await repeat(engineer, 'requestDataAccess', { ticketId, idempotencyKey: newKey() });
    await repeat(reporter, 'closeTicket', { ticketId, idempotencyKey: newKey() });
    await repeat(reporter, 'reopenTicket', { ticketId, idempotencyKey: newKey() });
    await repeat(world.operator, 'addSupportEngineer', {
      ...{ email: 'una@vendor.example', name: 'Una', idempotencyKey: newKey() },
    });
  });

  test('returns the first answer even if the state has changed since', async () => {
    const { grantId } = await fileTicket(gateway, world);
    const approval = {
      grantId,
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      idempotencyKey: newKey(),
    };
    const approved = await done(admin, 'approveDataAccess', approval);
    await done(reporter, 'revokeDataAccess', { grantId });
    const before = await traces();
    expect(await attempt(admin, 'approveDataAccess', approval)).toEqual(approved);
    expect(await traces()).toEqual(before);
  });

  test.each([
    ['NOT_ELIGIBLE', () => gateway.as(world.acme.emails.confluenceAdmin), {}],
    ['FORBIDDEN', () => gateway.as(world.engineer.email), {}],
    ['NOT_FOUND', () => gateway.as(world.globex.emails.organizationAdmin), {}],
    ['VERSION_CONFLICT', () => gateway.as(world.acme.emails.jiraAdmin), { expectedVersion: 77 }],
    [
      'EXPIRES_AT_IN_THE_PAST',
      () => gateway.as(world.acme.emails.jiraAdmin),
      { expiresAt: '2020-01-01T00:00:00.000Z' },
    ],
  ])('answers a refusal too, and records it once: %s', async (code, as, more) => {
    const { grantId } = await fileTicket(gateway, world);
    const refused = await repeat(await as(), 'approveDataAccess', {
      grantId,
      ...more,
      idempotencyKey: newKey(),
    });
    expect(refused).toMatchObject({ code });
    expect(await attempt(jiraAdmin, 'approveDataAccess', { grantId })).toMatchObject({ state: 'ACTIVE' });
  });

  test('at the same time through two gateways is executed once', async () => {
    const { jira } = world.acme.sites.main.products;
    const reporters = [reporter, await other.as(reporter.email)];
    for (let round = 0; round < 10; round += 1) {
      const ticket = {
        ...{ productId: jira, summary: `Once ${round}`, grantDataAccess: false, idempotencyKey: newKey() },
      };
      const filed = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          attempt(reporters[index % 2] ?? reporter, 'createTicket', ticket),
        ),
      );
      expect(new Set(filed.map(({ key }) => key)).size).toBe(1);
      const { rows } = await gateway.sql.query(
        'SELECT count(*)::int AS tickets FROM tickets WHERE summary = $1',
        [ticket.summary],
      );
      expect(rows).toEqual([{ tickets: 1 }]);
    }
  });

  test('with another input is refused and does nothing', async () => {
    const one = await fileTicket(gateway, world);
    const two = await fileTicket(gateway, world);
    const idempotencyKey = newKey();
    await done(admin, 'approveDataAccess', { grantId: one.grantId, idempotencyKey });
    const before = await traces();
    const reused = { code: 'IDEMPOTENCY_KEY_REUSED', currentVersion: null };
    for (const [name, input] of [
      ['approveDataAccess', { grantId: two.grantId }],
      ['approveDataAccess', { ticketId: one.ticketId }],
      ['approveDataAccess', { grantId: one.grantId, reason: 'Go on.' }],
      ['approveDataAccess', { grantId: one.grantId, expectedVersion: 2 }],
      ['denyDataAccess', { grantId: one.grantId }],
      ['revokeDataAccess', { grantId: one.grantId }],
    ] as const)
      expect(await attempt(admin, name, { ...input, idempotencyKey })).toMatchObject(reused);
    expect(await traces()).toEqual(before);
  });

  test('with another mutation of the same input is refused and does nothing', async () => {
    const { grantId } = await fileTicket(gateway, world);
    await done(admin, 'approveDataAccess', { grantId });
    const input = { grantId, reason: 'No', idempotencyKey: newKey() };
    expect(await attempt(admin, 'denyDataAccess', input)).toMatchObject({ code: 'ALREADY_ACTIVE' });
    const before = await traces();
    expect(await attempt(admin, 'revokeDataAccess', input)).toMatchObject({
      ...{ code: 'IDEMPOTENCY_KEY_REUSED', currentVersion: null },
    });
    expect(await traces()).toEqual(before);
    expect(await done(admin, 'revokeDataAccess', { grantId })).toMatchObject({ state: 'REVOKED' });
  });

  test('at the same time with another input: one is executed, the other refused', async () => {
    for (let round = 0; round < 10; round += 1) {
      const [one, two] = [await fileTicket(gateway, world), await fileTicket(gateway, world)];
      const idempotencyKey = newKey();
      const codes = await Promise.all(
        [one, two].map(async ({ grantId }, index) => {
          const by = index === 0 ? admin : await other.as(admin.email);
          return (await attempt(by, 'approveDataAccess', { grantId, idempotencyKey })).code ?? 'done';
        }),
      );
      expect(codes.toSorted()).toEqual(['IDEMPOTENCY_KEY_REUSED', 'done']);
    }
  });

  test('by another account is a new command', async () => {
    const [one, two] = [await fileTicket(gateway, world), await fileTicket(gateway, world)];
    const idempotencyKey = newKey();
    const first = await done(admin, 'approveDataAccess', { grantId: one.grantId, idempotencyKey });
    const second = await done(jiraAdmin, 'approveDataAccess', { grantId: two.grantId, idempotencyKey });
    expect([first.id, second.id]).toEqual([one.grantId, two.grantId]);
  });

  test('returns nothing to an account that may no longer see the result', async () => {
    const { organizationId } = world.acme;
    const email = 'passing@acme.example';
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Passing' });
    const held = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
    const { id: roleAssignmentId } = await assignRole(world, held);
    const passing = await gateway.as(email);
    const { grantId } = await fileTicket(gateway, world);
    const denial = { grantId, idempotencyKey: newKey() };
    const removal = { roleAssignmentId, idempotencyKey: newKey() };
    expect(await repeat(passing, 'denyDataAccess', denial)).toMatchObject({ state: 'DENIED' });
    // The removal of one's own role is still returned.
    expect(await repeat(passing, 'removeRole', removal)).toEqual({
      __typename: 'RoleAssignment',
      id: roleAssignmentId,
    });
    expect(await attempt(passing, 'denyDataAccess', denial)).toMatchObject({ code: 'NOT_FOUND' });
    await assignRole(world, held);
    expect(await attempt(passing, 'denyDataAccess', denial)).toMatchObject({ state: 'DENIED' });
  });

  test('of a bulk mutation returns the first result of each item', async () => {
    const tickets = [];
    for (let index = 0; index < 6; index += 1) tickets.push(await fileTicket(gateway, world));
    const grantIds = tickets.map(({ grantId }) => grantId);
    await done(admin, 'denyDataAccess', { grantId: grantIds[2] });
    const bulk = { grantIds, idempotencyKey: newKey() };
    const { results } = await repeat(jiraAdmin, 'approveDataAccessInBulk', bulk);
    expect(results.map(({ result }: Json) => result.state ?? result.code)).toEqual([
      ...['ACTIVE', 'ACTIVE', 'ALREADY_OVER', 'ACTIVE', 'ACTIVE', 'ACTIVE'],
    ]);
    const revoked = await repeat(admin, 'revokeDataAccessInBulk', { grantIds, idempotencyKey: newKey() });
    expect(revoked.results.map(({ result }: Json) => result.state ?? result.code)).toEqual([
      ...['REVOKED', 'REVOKED', 'ALREADY_OVER', 'REVOKED', 'REVOKED', 'REVOKED'],
    ]);
  });

  test('of a bulk mutation with another input is refused as a whole and does nothing', async () => {
    const [a, b, c] = [
      await fileTicket(gateway, world),
      await fileTicket(gateway, world),
      await fileTicket(gateway, world),
    ].map(({ grantId }) => grantId);
    const idempotencyKey = newKey();
    await done(admin, 'approveDataAccessInBulk', { grantIds: [a], idempotencyKey });
    const used = newKey();
    await done(admin, 'approveDataAccess', { grantId: c, idempotencyKey: used });
    const before = await traces();
    const reused = { __typename: 'ConflictError', code: 'IDEMPOTENCY_KEY_REUSED', currentVersion: null };
    for (const [name, input] of [
      ['approveDataAccessInBulk', { grantIds: [b] }],
      ['approveDataAccessInBulk', { grantIds: [a, b] }],
      ['approveDataAccessInBulk', { grantIds: [a], reason: 'Go on.' }],
      ['approveDataAccessInBulk', { grantIds: [a], path: 'SUPPORT_PORTAL' }],
      ['revokeDataAccessInBulk', { grantIds: [a] }],
      ['approveDataAccess', { grantId: b }],
      ['revokeDataAccess', { grantId: a }],
      ['approveDataAccessInBulk', { grantIds: [b], idempotencyKey: used }],
    ] as const)
      expect(await attempt(admin, name, { idempotencyKey, ...input })).toMatchObject(reused);
    expect(await traces()).toEqual(before);
  });

  test('of a bulk mutation at the same time with another input: one is executed, the other refused', async () => {
    for (let round = 0; round < 5; round += 1) {
      const grants = [await fileTicket(gateway, world), await fileTicket(gateway, world)];
      const idempotencyKey = newKey();
      const codes = await Promise.all(
        grants.map(async ({ grantId }, index) => {
          const by = index === 0 ? admin : await other.as(admin.email);
          const answer = await attempt(by, 'approveDataAccessInBulk', {
            grantIds: [grantId],
            idempotencyKey,
          });
          return answer.code ?? answer.results[0].result.state;
        }),
      );
      expect(codes.toSorted()).toEqual(['ACTIVE', 'IDEMPOTENCY_KEY_REUSED']);
    }
  });

  test('shows a role only to those who may see it now', async () => {
    const { organizationId } = world.acme;
    const email = 'former@acme.example';
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Former' });
    const { id: otherId } = await done(world.operator, 'addUser', {
      ...{ organizationId, email: 'member@acme.example', name: 'Member' },
    });
    const held = { organizationId, role: 'ORGANIZATION_ADMIN' };
    const own = await assignRole(world, { ...held, userId });
    const former = await gateway.as(email);
    const { id: siteId } = world.acme.sites.main;
    const role = { userId: otherId, organizationId, role: 'USER_ACCESS_ADMIN', siteId };
    const assigning = { ...role, idempotencyKey: newKey() };
    const assigned = await done(former, 'assignRole', assigning);
    const removing = { roleAssignmentId: assigned.id, idempotencyKey: newKey() };
    await done(former, 'removeRole', removing);
    const leaving = { roleAssignmentId: own.id, idempotencyKey: newKey() };
    await done(former, 'removeRole', leaving);
    const notFound = { code: 'NOT_FOUND' };

    // A member still: of the roles, only their own.
    expect(await attempt(former, 'assignRole', assigning)).toMatchObject(notFound);
    expect(await attempt(former, 'removeRole', removing)).toMatchObject(notFound);
    expect(await attempt(former, 'removeRole', leaving)).toMatchObject({ id: own.id });

    // No member any more: the role would lead to the present policy of its site.
    await done(world.operator, 'removeUser', { organizationId, userId });
    expect(await attempt(former, 'removeRole', leaving)).toMatchObject(notFound);
    expect(await attempt(former, 'removeRole', removing)).toMatchObject(notFound);
  });

  test('after the first was cut off before its commit is executed once', async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    const approval = { grantId, idempotencyKey: newKey() };
    const blocker = await gateway.sql.connect();
    try {
      // The approval claims its key and waits for this to write the grant; then its connection is gone.
      await blocker.query('BEGIN; LOCK TABLE grants IN EXCLUSIVE MODE');
      const cutOff = tryTo(admin, 'approveDataAccess', approval);
      await terminateWhoWaitsForGrants(blocker);
      expect(await cutOff).toEqual({ unavailable: 'SERVICE_UNAVAILABLE' });
    } finally {
      await blocker.query('ROLLBACK');
      blocker.release();
    }
    const { rows } = await gateway.sql.query('SELECT 1 FROM idempotency_keys WHERE key = $1', [
      approval.idempotencyKey,
    ]);
    expect(rows).toEqual([]);
    expect(await repeat(admin, 'approveDataAccess', approval)).toMatchObject({
      state: 'ACTIVE',
      id: grantId,
    });
    expect(await attempt(admin, 'approveDataAccess', { ticketId })).toMatchObject({ code: 'ALREADY_ACTIVE' });
  });

  test('is recognized for at least a day, and executed again once its key was deleted', async () => {
    const { jira } = world.acme.sites.main.products;
    const ticket = { productId: jira, summary: 'Long ago', grantDataAccess: false, idempotencyKey: newKey() };
    const first = await done(reporter, 'createTicket', ticket);
    const database = openDatabase({
      url: gateway.databaseUrl,
      logger: createLogger('silent'),
      poolSize: 1,
      deadlines: generousDatabaseDeadlines,
    });
    try {
      const filedAt = Date.now();
      await forgetAnswers(database.prisma, new Date(filedAt + answersKeptFor - 60_000), 5_000);
      expect(await done(reporter, 'createTicket', ticket)).toEqual(first);
      await forgetAnswers(database.prisma, new Date(filedAt + answersKeptFor + 60_000), 5_000);
      expect((await done(reporter, 'createTicket', ticket)).key).not.toBe(first.key);
    } finally {
      await database.dispose();
    }
  });
});

/** Ends the connection that waits for the table of grants, as soon as one does. */
async function terminateWhoWaitsForGrants(sql: {
  query(text: string): Promise<{ rows: Json[] }>;
}): Promise<void> {
  for (;;) {
    const { rows } = await sql.query(
      `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE c.relname = 'grants' AND NOT l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    if (rows.length > 0) return;
  }
}

describe('expectedVersion', () => {
  test('must be the present version, for every decision', async () => {
    const restricted = await fileTicket(gateway, world, { site: 'restricted' });
    const guardAdmin = await gateway.as(world.acme.emails.guardAdmin);
    const { grantId } = restricted;
    const conflict = (currentVersion: number) => ({ code: 'VERSION_CONFLICT', currentVersion });
    // Requested, and assigned since: version 2.
    for (const [name, by] of [
      ['approveDataAccess', admin],
      ['denyDataAccess', admin],
      ['withdrawDataAccessRequest', engineer],
    ] as const)
      for (const expectedVersion of [1, 3])
        expect(await attempt(by, name, { grantId, expectedVersion })).toMatchObject(conflict(2));
    expect(
      await attempt(admin, 'approveDataAccess', { ticketId: restricted.ticketId, expectedVersion: 1 }),
    ).toMatchObject(conflict(2));
    await done(admin, 'approveDataAccess', { ticketId: restricted.ticketId, expectedVersion: 2 });
    for (const name of ['approveGuardRequest', 'denyGuardRequest', 'revokeDataAccess'])
      expect(await attempt(guardAdmin, name, { grantId, expectedVersion: 2 })).toMatchObject(conflict(3));
    await done(guardAdmin, 'approveGuardRequest', { grantId, expectedVersion: 3 });
    expect(await attempt(engineer, 'releaseDataAccess', { grantId, expectedVersion: 3 })).toMatchObject(
      conflict(4),
    );
    expect(await done(engineer, 'releaseDataAccess', { grantId, expectedVersion: 4 })).toMatchObject({
      version: 5,
    });
  });

  test('never fits if the approval would have to open a request', async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    await done(admin, 'denyDataAccess', { grantId });
    expect(await attempt(jiraAdmin, 'approveDataAccess', { ticketId, expectedVersion: 2 })).toMatchObject({
      ...{ code: 'VERSION_CONFLICT', currentVersion: null },
    });
    expect(await attempt(jiraAdmin, 'approveDataAccess', { ticketId })).toMatchObject({ state: 'ACTIVE' });
  });

  test.each([0, -1])('must be at least 1: %s', async (expectedVersion) => {
    const { grantId } = await fileTicket(gateway, world);
    expect(await attempt(admin, 'approveDataAccess', { grantId, expectedVersion })).toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});
