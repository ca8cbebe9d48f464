/** Decisions on many grants in one mutation: each on its own terms, in order, within the time of the operation. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { whileLocked } from '../support/while-locked.ts';
import {
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
  withPeople,
} from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

let gateway: TestGateway;
let world: World;
let admin: Person;
let guardAdmin: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  admin = world.admins.acme;
  guardAdmin = world.guardAdmins.acme;
});
afterAll(() => gateway.dispose());

const outcomes = ({ results }: Json): string[] =>
  results.map(({ result }: Json) => result.state ?? result.code);
const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString();

async function requests(count: number, options: Parameters<typeof fileTicket>[2] = {}) {
  const filed = [];
  for (let index = 0; index < count; index += 1) filed.push(await fileTicket(gateway, world, options));
  return filed.map(({ ticketId, grantId }) => ({ ticketId, grantId: grantId ?? '' }));
}

async function read(grantId: string): Promise<Json> {
  const { node } = await admin.ask(
    'query ($id: ID!) { node(id: $id) { ... on Grant { state version expiresAt decisions { stage outcome reason } } } }',
    { id: grantId },
  );
  return node;
}

describe('each item', () => {
  test('has its own reason and end, and what is said of all where it has none', async () => {
    const [one, two] = await requests(2);
    const [own, ofAll] = [hours(1), hours(2)];
    const answer = await done(admin, 'approveDataAccessInBulk', {
      items: [{ grantId: one?.grantId, reason: 'Its own', expiresAt: own }, { grantId: two?.grantId }],
      ...{ reason: 'For all', expiresAt: ofAll },
    });
    expect(outcomes(answer)).toEqual(['ACTIVE', 'ACTIVE']);
    expect(await read(one?.grantId ?? '')).toMatchObject({
      expiresAt: own,
      decisions: [{ reason: 'Its own' }],
    });
    expect(await read(two?.grantId ?? '')).toMatchObject({
      expiresAt: ofAll,
      decisions: [{ reason: 'For all' }],
    });
  });

  test('is refused alone if its grant has changed since the page showed it', async () => {
    const [one, two, three] = (await requests(3)).map(({ grantId }) => ({ grantId, expectedVersion: 2 }));
    await done(admin, 'denyDataAccess', { grantId: two?.grantId });
    for (const name of ['approveDataAccessInBulk', 'denyDataAccessInBulk']) {
      const answer = await done(admin, name, { items: [two] });
      expect(outcomes(answer)).toEqual(['VERSION_CONFLICT']);
    }
    const answer = await done(admin, 'approveDataAccessInBulk', { items: [one, two, three] });
    expect(outcomes(answer)).toEqual(['ACTIVE', 'VERSION_CONFLICT', 'ACTIVE']);
    const revoked = await done(admin, 'revokeDataAccessInBulk', {
      items: [one, { grantId: three?.grantId, expectedVersion: 3 }],
    });
    expect(outcomes(revoked)).toEqual(['VERSION_CONFLICT', 'REVOKED']);
  });

  test('names its grant once, and either by its id or as an item', async () => {
    const [one] = await requests(1);
    const { grantId } = one ?? {};
    for (const input of [
      {},
      { grantIds: [grantId], items: [{ grantId }] },
      { items: [{ grantId }, { grantId, reason: 'Again' }] },
      { items: [] },
      { items: Array.from({ length: 201 }, () => ({ grantId })) },
      { items: [{ grantId: 'garbage' }] },
      { items: [{ grantId, expectedVersion: 0 }] },
    ])
      expect((await attempt(admin, 'denyDataAccessInBulk', input)).code, JSON.stringify(input)).toBe(
        'INVALID_INPUT',
      );
    expect(await read(grantId ?? '')).toMatchObject({ state: 'PENDING_APPROVAL', version: 2 });
  });

  test('of one ticket is decided on what those before it have left', async () => {
    const [one] = await requests(1);
    const engineer = await gateway.as(world.engineer.email);
    const { id: conversations } = await done(engineer, 'requestDataAccess', {
      ...{ ticketId: one?.ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] },
    });
    const grantIds = [conversations, one?.grantId];
    expect(outcomes(await done(admin, 'approveDataAccessInBulk', { grantIds }))).toEqual([
      'ACTIVE',
      'ACTIVE',
    ]);
    expect(outcomes(await done(admin, 'revokeDataAccessInBulk', { grantIds }))).toEqual([
      'REVOKED',
      'REVOKED',
    ]);
  });
});

test('a Guard admin approves and denies many, and may bring the end forward but not put it off', async () => {
  const grants = await requests(5, { site: 'restricted' });
  const [one, two, three, four, five] = grants.map(({ grantId }) => grantId);
  const end = hours(4);
  const approval = { grantIds: [one, two, three, four], expiresAt: end };
  expect(outcomes(await done(admin, 'approveDataAccessInBulk', approval))).toEqual(
    Array.from({ length: 4 }, () => 'PENDING_GUARD_APPROVAL'),
  );
  const sooner = hours(1);
  const answer = await done(guardAdmin, 'approveGuardRequestInBulk', {
    items: [
      { grantId: one, expiresAt: sooner },
      { grantId: two },
      { grantId: three, expiresAt: hours(5) },
      { grantId: five },
    ],
  });
  expect(outcomes(answer)).toEqual(['ACTIVE', 'ACTIVE', 'EXPIRES_AT_BEYOND_APPROVAL', 'NOT_AWAITING_GUARD']);
  expect((await read(one ?? '')).expiresAt).toBe(sooner);
  expect((await read(two ?? '')).expiresAt).toBe(end);
  const denied = await done(guardAdmin, 'denyGuardRequestInBulk', { grantIds: [three, four, one] });
  expect(outcomes(denied)).toEqual(['DENIED', 'DENIED', 'ALREADY_ACTIVE']);
  expect(outcomes(await done(admin, 'denyDataAccessInBulk', { grantIds: [five] }))).toEqual(['DENIED']);
});

const waiting = async (): Promise<number> => {
  const { rows } = await gateway.sql.query(
    `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return rows.length;
};

const document = `mutation ($input: ApproveDataAccessInBulkInput!) { result: approveDataAccessInBulk(input: $input) {
  ... on BulkPayload { results { result { ... on Grant { state } ... on Error { code message } } } } } }`;

test('at the deadline every item has an outcome, and the same key goes on with the rest', async () => {
  const grants = await requests(27);
  const input = { items: grants.map(({ grantId }) => ({ grantId })), idempotencyKey: 'through-the-deadline' };
  await using hurried = await startGateway({
    ...{ databaseUrl: gateway.databaseUrl, maintenance: false, limits: { operationMs: 4_000 } },
  });
  const { admins } = await withPeople(hurried, world);
  await admins.acme.send('{ viewer { kind } }');
  const { data, errors } = await whileLocked(gateway.sql, grants[0]?.ticketId ?? '', () =>
    eventually(async () => {
      const answer = await admins.acme.send(document, { input });
      // On a slow machine, signing in may take all the time.
      expect(answer.data?.result).toBeDefined();
      return answer;
    }),
  );
  expect(errors).toEqual([]);
  expect(outcomes(data.result).slice(25)).toEqual(['NOT_BEGUN', 'NOT_BEGUN']);
  expect(data.result.results[26].result.message).toContain('same idempotency key');
  for (const outcome of outcomes(data.result).slice(0, 25))
    expect(['SERVICE_UNAVAILABLE', 'NOT_BEGUN']).toContain(outcome);
  const again = await admin.ask(document, { input });
  expect(outcomes(again.result)).toEqual(grants.map(() => 'ACTIVE'));
});

test('once the client has gone, nothing more is begun', async () => {
  const grants = await requests(2);
  const [first] = grants;
  await whileLocked(gateway.sql, first?.ticketId ?? '', async () => {
    const request = httpRequest(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin.token}` },
    });
    request.on('error', () => undefined);
    const query = document;
    const variables = { input: { grantIds: grants.map(({ grantId }) => grantId) } };
    request.end(JSON.stringify({ query, variables }));
    await eventually(async () => expect(await waiting()).toBe(1));
    request.destroy();
    // The gateway has noticed once it has answered a request that came later.
    await admin.ask('{ viewer { kind } }');
  });
  await eventually(async () => expect(await waiting()).toBe(0));
  for (const { grantId } of grants)
    expect(await read(grantId)).toMatchObject({ state: 'PENDING_APPROVAL', version: 2 });
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
