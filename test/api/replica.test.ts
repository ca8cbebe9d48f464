/** Audit logs are read from a real replica: what may lag there, what may not, and when it is not read. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../src/platform/logger.ts';
import { createReplica, type Replica } from '../../src/platform/replica.ts';
import { eventually } from '../support/eventually.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { type OwnPostgres, startOwnPostgresWithReplica } from '../support/postgres.ts';
import { signingKeys } from '../support/sealing.ts';
import { done } from '../support/world.ts';

/** Longer than any machine takes for these tests. */
const mostBehindMs = 3_600_000;

let primary: OwnPostgres;
let server: OwnPostgres;
let gateway: TestGateway;
let replica: Replica;
let onReplica: pg.Pool;
let people: Record<'ada' | 'bob' | 'carl', Person>;
let organizationId: string;
let roleOfBob: string;
/** Milliseconds by which the gateway's clock for the lag was put forward. */
let passed = 0;
const now = () => performance.now() + passed;
const said: { level: number; msg: string; reason?: string }[] = [];

beforeAll(async () => {
  ({ primary, replica: server } = await startOwnPostgresWithReplica());
  const write = (line: string) => void said.push(JSON.parse(line));
  gateway = await startGateway({
    databaseUrl: primary.url,
    config: {
      databaseReplica: { url: server.url, mostBehindMs },
      // Where none is free, nobody waits for one of the replica's.
      databasePoolSize: 10,
      auditSigningKeys: signingKeys(),
    },
    logger: createLogger('info', { write }),
    replicaClock: now,
    onReplicaOpened: (opened) => {
      replica = opened;
    },
  });
  onReplica = new pg.Pool({ connectionString: server.url, max: 1 });
  onReplica.on('error', () => undefined);
  const operator = await gateway.as('operator@vendor.example');
  ({ id: organizationId } = await done(operator, 'createOrganization', { name: 'Acme', hasGuard: true }));
  const role = 'ORGANIZATION_ADMIN';
  const join = async (name: string, by: () => Promise<Person>) => {
    const email = `${name}@acme.example`;
    const { id: userId } = await done(operator, 'addUser', { organizationId, email, name });
    return await done(await by(), 'assignRole', { userId, organizationId, role });
  };
  await join('ada', async () => operator);
  const ada = await gateway.as('ada@acme.example');
  ({ id: roleOfBob } = await join('bob', async () => ada));
  await join('carl', async () => ada);
  people = { ada, bob: await gateway.as('bob@acme.example'), carl: await gateway.as('carl@acme.example') };
  for (const person of Object.values(people)) await person.ask('{ viewer { kind } }');
});
afterAll(async () => {
  await onReplica?.end();
  await gateway?.dispose();
  await server?.dispose();
  await primary?.dispose();
});

const query = `query ($after: String) {
  auditLog(first: 1, after: $after, filter: { actions: [ACCOUNT_INVITE] }) {
    asOf totalCount { count } edges { cursor node { occurredAt details } } }
  auditSummary(groupBy: [ACTION], filter: { actions: [ACCOUNT_INVITE] }) { asOf total { entries } } }`;

/** The invitations that somebody sees: the last one, and how many there are. */
async function seenBy(person: Person, after?: string) {
  const { auditLog, auditSummary }: Json = await person.ask(query, { after });
  const [edge] = auditLog.edges;
  return {
    last: edge?.node.details.email ?? null,
    counted: [auditLog.totalCount.count, auditSummary.total.entries],
    cursor: edge?.cursor ?? '',
    occurredAt: edge?.node.occurredAt ?? null,
    asOf: [auditLog.asOf, auditSummary.asOf],
  };
}

const invite = (name: string) =>
  done(people.ada, 'inviteUser', { organizationId, email: `${name}@new.example`, name });

/** What the gateway has said of the replica, once it has looked until it has said this. */
async function expectSaid(...expected: string[]): Promise<void> {
  await eventually(async () => {
    await replica.look();
    expect(reasons()).toEqual(expected);
  });
}

function reasons(): string[] {
  const about = said.filter(({ msg }) => msg.startsWith('Audit logs are read from'));
  return about.map(({ reason = 'FIT' }) => reason);
}

async function pause(): Promise<void> {
  await onReplica.query('SELECT pg_wal_replay_pause()');
  await eventually(async () => {
    const { rows } = await onReplica.query('SELECT pg_get_wal_replay_pause_state() AS state');
    expect(rows).toEqual([{ state: 'paused' }]);
  });
}
const resume = () => onReplica.query('SELECT pg_wal_replay_resume()');

async function downloaded(path: string, { token }: Person): Promise<string> {
  const response = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return await response.text();
}

test('searches and counts lag for others than those who have written; nothing else does', async () => {
  await expectSaid('FIT');
  const { ada, bob, carl } = people;
  await invite('first');
  // Bob has done nothing: he reads the replica, and it follows.
  await eventually(async () => {
    await replica.look();
    expect((await seenBy(bob)).last).toBe('first@new.example');
  });

  await pause();
  await invite('second');
  await invite('third');
  const byAda = await seenBy(ada);
  expect(byAda).toMatchObject({ last: 'third@new.example', counted: [3, 3] });
  const byBob = await seenBy(bob);
  expect(byBob).toMatchObject({ last: 'first@new.example', counted: [1, 1] });
  for (const asOf of byBob.asOf) expect(Date.parse(asOf)).toBeLessThan(Date.parse(byAda.occurredAt));

  // Between the entry of a cursor and what the replica has, nothing is left out.
  expect(await seenBy(bob, byAda.cursor)).toMatchObject({ last: 'second@new.example' });

  const log = `/audit/log/${organizationId}`;
  for (const path of ['/audit/export.csv', '/audit/stream', `${log}/export`])
    await eventually(async () => expect(await downloaded(path, bob), path).toContain('third@new.example'));

  // The replica still has the role.
  await done(ada, 'removeRole', { roleAssignmentId: roleOfBob });
  const { errors } = await bob.send(query);
  expect(errors.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN', 'FORBIDDEN']);
  expect(await downloaded('/audit/export.csv', bob)).toContain('FORBIDDEN');
  expect((await seenBy(carl)).last).toBe('first@new.example');
});

test('a replica that is further behind than it may be is not read until it has caught up', async () => {
  passed += mostBehindMs + 1;
  // One that had begun before may end first.
  for (let looks = 0; looks < 2; looks += 1) await replica.look();
  expect(reasons()).toEqual(['FIT', 'TOO_FAR_BEHIND']);
  expect(await seenBy(people.carl)).toMatchObject({ last: 'third@new.example', counted: [3, 3] });
  expect(replica.behindSeconds()).toBeNaN();
  await resume();
  await expectSaid('FIT', 'TOO_FAR_BEHIND', 'FIT');
  expect(replica.behindSeconds()).toBeLessThan(mostBehindMs / 1_000);
  expect((await seenBy(people.carl)).last).toBe('third@new.example');
});

test('without the replica the gateway goes on, is ready, and reads it again once it is back', async () => {
  const until = ['FIT', 'TOO_FAR_BEHIND', 'FIT'];
  await server.stop();
  expect((await seenBy(people.carl)).last).toBe('third@new.example');
  await expectSaid(...until, 'UNREACHABLE');
  expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
  await server.start();
  await expectSaid(...until, 'UNREACHABLE', 'FIT');
  for (const line of said) expect(JSON.stringify(line)).not.toContain(new URL(server.url).password);
});

test('nobody waits for a replica that hangs longer than for one statement', async () => {
  const deadlines = { connectionMs: 100, statementMs: 100, answerMs: 100 };
  const options = { url: server.url, primary: gateway.sql, mostBehindMs, poolSize: 2, deadlines };
  const hung = createReplica({ ...options, logger: createLogger('silent') });
  await server.freeze();
  try {
    await hung.look();
    const { found, behindMs } = await hung.read(gateway.sql, 'anybody', async (_, isReplica) => isReplica);
    expect({ found, behindMs }).toEqual({ found: false, behindMs: 0 });
  } finally {
    await server.thaw();
    await hung.dispose();
  }
});

test('what was a replica, and takes writes, is read no more', async () => {
  await onReplica.query('SELECT pg_promote()');
  await expectSaid('FIT', 'TOO_FAR_BEHIND', 'FIT', 'UNREACHABLE', 'FIT', 'NO_REPLICA');
  await invite('fourth');
  expect((await seenBy(people.carl)).last).toBe('fourth@new.example');
});
