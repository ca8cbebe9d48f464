/** What one account does, and what it cannot hold up: turns, limits, rates, and refusals that take no lock. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { whileLocked } from '../support/while-locked.ts';
import {
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
  withPeople,
} from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let engineer: Person;
let admin: Person;
/** An approved grant, whose engineer is the one above. */
let ticketId: string;
let grantId: string;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  engineer = await gateway.as(world.engineer.email);
  admin = world.admins.acme;
  for (const person of [engineer, admin, world.admins.globex]) await person.ask('{ viewer { kind } }');
});
afterAll(() => gateway.dispose());
beforeEach(async () => {
  ({ ticketId, grantId } = await approved('acme'));
});

async function approved(customer: 'acme' | 'globex') {
  const filed = await fileTicket(gateway, world, { customer });
  const by = world.admins[customer];
  await done(by, 'approveDataAccess', { grantId: filed.grantId });
  return { ticketId: filed.ticketId, grantId: filed.grantId ?? '' };
}

/** Until so many statements of commands wait for a lock. */
const untilWaiting = (count: number) =>
  eventually(async () => {
    const { rows } = await gateway.sql.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(rows.length).toBe(count);
  });

/** What is accepted, and so waits for the ticket's lock. */
const assign = `mutation ($ticketId: ID!, $engineerId: ID!) {
  assignTicket(input: { ticketId: $ticketId, engineerId: $engineerId }) { __typename } }`;

const refuse = async (person: Person) =>
  expect(await attempt(person, 'assignTicket', { ticketId, engineerId: world.engineer.id })).toMatchObject({
    code: 'FORBIDDEN',
  });

async function refusals(): Promise<number> {
  const { rows } = await gateway.sql.query(
    `SELECT (SELECT count(*) FROM audit_entries WHERE outcome = 'REFUSED' AND action = 'grant.withdraw')::int
          + (SELECT coalesce(sum(repetitions), 0) FROM repeated_refusals)::int AS count`,
  );
  return rows[0].count;
}

test('what is refused to those who were refused something before is answered and recorded while somebody has the lock of its ticket', async () => {
  await refuse(engineer);
  await refuse(admin);
  const before = await refusals();
  await whileLocked(gateway.sql, ticketId, async () => {
    expect(await attempt(engineer, 'withdrawDataAccessRequest', { grantId })).toMatchObject({
      code: 'ALREADY_ACTIVE',
    });
    const key = { grantId, idempotencyKey: 'refused-once' };
    const first = await attempt(engineer, 'withdrawDataAccessRequest', key);
    expect(await attempt(engineer, 'withdrawDataAccessRequest', key)).toEqual(first);
    const { results } = await attempt(admin, 'denyDataAccessInBulk', { grantIds: [grantId] });
    expect(results[0].result).toMatchObject({ code: 'ALREADY_ACTIVE' });
  });
  expect(await refusals()).toBe(before + 2);
});

test('a bulk locks the tickets of what is not refused, and no others', async () => {
  await refuse(admin);
  const other = await approved('acme');
  await whileLocked(gateway.sql, ticketId, async () => {
    const { results } = await attempt(admin, 'revokeDataAccessInBulk', { grantIds: [other.grantId] });
    expect(results[0].result).toMatchObject({ state: 'REVOKED' });
  });
  const pending = await fileTicket(gateway, world);
  await whileLocked(gateway.sql, ticketId, async () => {
    const { results } = await attempt(admin, 'denyDataAccessInBulk', {
      grantIds: [grantId, pending.grantId],
    });
    expect(results[0].result).toMatchObject({ code: 'ALREADY_ACTIVE' });
    expect(results[1].result).toMatchObject({ state: 'DENIED' });
  });
});

test('one account leaves turns and connections to the others, and none of its work delays an end of access', async () => {
  const globex = await approved('globex');
  const variables = { ticketId, engineerId: world.engineer.id };
  const { answers } = await whileLocked(gateway.sql, ticketId, async () => {
    const waiting = Array.from({ length: 30 }, () => world.operator.send(assign, variables));
    await untilWaiting(2);
    expect(await done(world.admins.globex, 'revokeDataAccess', { grantId: globex.grantId })).toMatchObject({
      state: 'REVOKED',
    });
    // Another account's ordinary work as well.
    expect(await admin.ask('{ viewer { kind } }')).toEqual({ viewer: { kind: 'USER' } });
    await untilWaiting(2);
    return { answers: waiting };
  });
  for (const answer of await Promise.all(answers)) expect(answer.errors).toEqual([]);
});

/** While nobody can read this table. `untilBlocked` resolves when so many statements wait for that. */
async function whileUnreadable(
  table: 'grants' | 'tickets',
  work: (untilBlocked: (count: number) => Promise<void>) => Promise<Promise<{ errors: unknown }>[]>,
): Promise<void> {
  const holder = await gateway.sql.connect();
  try {
    await holder.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    const answers = await work((count) =>
      eventually(async () => {
        const { rows } = await gateway.sql.query(
          `SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        expect(rows.length).toBe(count);
      }),
    );
    await holder.query('ROLLBACK');
    for (const answer of answers) expect((await answer).errors).toEqual([]);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
}

test.each([
  ['lists', 'grants', 'grants { totalCount { count } }'],
  ['rows', 'tickets', 'ticket(key: "NONE-1") { id }'],
] as const)(
  'one operation with many %s leaves connections to the others, and the gateway ready',
  async (_, table, field) => {
    await whileUnreadable(table, async (untilBlocked) => {
      const fields = Array.from({ length: 30 }, (_field, i) => `a${i}: ${field}`);
      const answer = admin.send(`{ ${fields.join(' ')} }`);
      await untilBlocked(4);
      expect(await world.admins.globex.ask('{ viewer { kind } }')).toEqual({ viewer: { kind: 'USER' } });
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
      await untilBlocked(4);
      return [answer];
    });
  },
);

test('of the operations that may return many objects one account runs one at a time, and its small ones go on', async () => {
  await whileUnreadable('grants', async (untilBlocked) => {
    const large =
      '{ tickets(first: 50) { edges { node { id grants(first: 50) { edges { node { id } } } } } } }';
    const answers = [admin.send(large)];
    await untilBlocked(1);
    answers.push(admin.send(large), admin.send(large));
    for (let i = 0; i < 3; i++)
      expect(await admin.ask('{ viewer { kind } }')).toEqual({ viewer: { kind: 'USER' } });
    await untilBlocked(1);
    answers.push(world.admins.globex.send(large));
    await untilBlocked(2);
    return answers;
  });
});

test('beyond its limit an operation gets 429, or its code on its own id, and ends of access have a limit of their own', async () => {
  await using strict = await startGateway({
    ...{ databaseUrl: gateway.databaseUrl, maintenance: false, limits: { operationsPerAccount: 2 } },
  });
  const { operator, admins } = await withPeople(strict, world);
  const variables = { ticketId, engineerId: world.engineer.id };
  const answers = await whileLocked(gateway.sql, ticketId, async () => {
    const waiting = [operator.send(assign, variables), operator.send(assign, variables)];
    await untilWaiting(2);
    const refused = await fetch(`${strict.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${operator.token}` },
      body: JSON.stringify({ query: '{ viewer { kind } }' }),
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    const { errors } = (await refused.json()) as { errors: unknown[] };
    expect(errors).toMatchObject([{ extensions: { code: 'TOO_MANY_OPERATIONS', retryAfterSeconds: 1 } }]);

    const ask = overSocket(operator);
    expect(await ask('{ viewer { kind } }')).toMatchObject([
      { extensions: { code: 'TOO_MANY_OPERATIONS', retryAfterSeconds: 1 } },
    ]);
    // The socket stays open, and what ends access is admitted: here something that does not exist.
    const ending = `mutation { deactivateSite(input: { siteId: "${world.acme.sites.deactivated.id}" }) { __typename } }`;
    expect(await ask(ending)).toMatchObject({ data: { deactivateSite: {} } });
    // What only names it is not.
    expect(await ask('query deactivateSite { viewer { kind } }')).toMatchObject([
      { extensions: { code: 'TOO_MANY_OPERATIONS' } },
    ]);
    expect(await admins.globex.ask('{ viewer { kind } }')).toEqual({ viewer: { kind: 'USER' } });
    return waiting;
  });
  for (const answer of await Promise.all(answers)) expect(answer.errors).toEqual([]);
  // They count no longer.
  await eventually(async () => expect((await operator.send('{ viewer { kind } }')).errors).toEqual([]));
});

/** A WebSocket of the person, on which each operation resolves to its first result or its errors. */
function overSocket(person: Person) {
  const socket = person.socket();
  return (query: string) =>
    new Promise<unknown>((resolve) =>
      socket.subscribe({ query }, { next: resolve, error: resolve, complete: () => undefined }),
    );
}

test.each([
  ['no further before its pause is over', { refusalPauseMs: generousMs, longestPauseMs: generousMs }, 1],
  ['on after the longest pause', { refusalPauseMs: generousMs, longestPauseMs: 1 }, 2],
])(
  'a WebSocket of which an operation was refused is read %s, and the others at once',
  async (_, pauses, answered) => {
    await using strict = await startGateway({
      ...{
        databaseUrl: gateway.databaseUrl,
        maintenance: false,
        limits: { operationsPerAccount: 1, ...pauses },
      },
    });
    const { operator, admins } = await withPeople(strict, world);
    const variables = { ticketId, engineerId: world.engineer.id };
    const { answers } = await whileLocked(gateway.sql, ticketId, async () => {
      const waiting = [operator.send(assign, variables)];
      await untilWaiting(1);
      const refused = expect.arrayContaining([expect.objectContaining({ message: expect.any(String) })]);
      const ask = overSocket(operator);
      let count = 0;
      const counted = async () => {
        expect(await ask('{ viewer { kind } }')).toEqual(refused);
        count += 1;
      };
      await counted();
      const second = counted();
      if (answered === 2) await second;
      else for (let i = 0; i < 3; i++) await admins.globex.ask('{ viewer { kind } }');
      expect(count).toBe(answered);
      return { answers: waiting };
    });
    for (const answer of await Promise.all(answers)) expect(answer.errors).toEqual([]);
  },
);

test('a request that is refused for a limit is answered after a pause, and the others at once', async () => {
  const limits = { operationsPerAccount: 1, refusalPauseMs: generousMs };
  await using strict = await startGateway({
    ...{ databaseUrl: gateway.databaseUrl, maintenance: false, limits },
  });
  const { operator, admins } = await withPeople(strict, world);
  const variables = { ticketId, engineerId: world.engineer.id };
  const { answers } = await whileLocked(gateway.sql, ticketId, async () => {
    const waiting = [operator.send(assign, variables)];
    await untilWaiting(1);
    let isAnswered = false;
    const leaving = new AbortController();
    const request = fetch(`${strict.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${operator.token}` },
      body: JSON.stringify({ query: '{ viewer { kind } }' }),
      signal: leaving.signal,
    }).then(
      () => {
        isAnswered = true;
      },
      () => undefined,
    );
    for (let i = 0; i < 3; i++) await admins.globex.ask('{ viewer { kind } }');
    expect(isAnswered).toBe(false);
    leaving.abort();
    await request;
    return { answers: waiting };
  });
  for (const answer of await Promise.all(answers)) expect(answer.errors).toEqual([]);
});

test('beyond its rate an operation gets 429 and the seconds to wait, and ends of access have a rate of their own', async () => {
  await using strict = await startGateway({
    ...{ databaseUrl: gateway.databaseUrl, maintenance: false, limits: { ratePerAccount: 1 } },
  });
  const { admins } = await withPeople(strict, world);
  const statuses = [];
  for (let i = 0; i < 11; i++) statuses.push((await admins.acme.send('{ viewer { kind } }')).status);
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429]);
  const { errors } = await admins.acme.send('{ viewer { kind } }');
  expect(errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  expect(errors[0]?.extensions['retryAfterSeconds']).toBeGreaterThan(0);
  expect(await done(admins.acme, 'revokeDataAccess', { grantId })).toMatchObject({ state: 'REVOKED' });
});

/** Sends a document and leaves once so many of its statements wait for a lock; waits until the gateway has noticed. */
async function sendAndLeave(person: Person, query: string): Promise<void> {
  const request = httpRequest(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${person.token}` },
  });
  request.on('error', () => undefined);
  request.end(JSON.stringify({ query }));
  await untilWaiting(1);
  request.destroy();
  await new Promise((resolve) => request.once('close', resolve));
  // Answered after the gateway has read that the other connection was closed.
  for (let i = 0; i < 3; i++) await world.operator.ask('{ viewer { kind } }');
}

const statusOf = async (id: string): Promise<string> =>
  (
    await world.operator.ask(
      'query ($id: ID!) { node(id: $id) { ... on Ticket { status } ... on Grant { state } } }',
      {
        id,
      },
    )
  ).node;

test('once the client has gone, a mutation that has begun sends no further statement, but an end of access does', async () => {
  const update = (status: string) =>
    `updateTicketStatus(input: { ticketId: "${ticketId}", status: ${status} }) { __typename }`;
  await whileLocked(gateway.sql, ticketId, () =>
    sendAndLeave(engineer, `mutation { a: ${update('WAITING_FOR_CUSTOMER')} b: ${update('RESOLVED')} }`),
  );
  await untilWaiting(0);
  // Takes the ticket's lock after that mutation.
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
  expect(await statusOf(ticketId)).toEqual({ status: 'OPEN' });
  await whileLocked(gateway.sql, ticketId, () =>
    sendAndLeave(admin, `mutation { revokeDataAccess(input: { grantId: "${grantId}" }) { __typename } }`),
  );
  await eventually(async () => expect(await statusOf(grantId)).toEqual({ state: 'REVOKED' }));
});
