/**
 * The database becomes unavailable while clients send mutations. Clients that repeat with the same idempotency key
 * until they have an answer lose no change and make none twice, and the gateway recovers by itself.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';
import { dumpOf, restoreInto } from '../support/dump.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/postgres.ts';
import { bySize, rotating, seedOf } from '../support/size.ts';
import { createDatabaseWithWorld, type WorldContents } from '../support/world.ts';
import { expectLegalHistories } from './races-history.ts';

/** Milliseconds for the database to give a connection, or to answer a statement: longer than a busy machine needs. */
const databaseDeadline = 5_000;
/** A request meets each of those once; a busy machine adds some time, but much less than the rest. */
const answerDeadline = 60_000;
const disturbances = bySize(1, 2);
const clients = 6;
/** How many answers each client has received before the database is disturbed, and after it. */
const answersOfEach = bySize(4, 8);

let postgres: OwnPostgres;
let gateway: TestGateway;
let world: WorldContents;
let people: Record<'reporter' | 'admin' | 'operator' | 'engineer', Person>;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  const filled = await createDatabaseWithWorld();
  await restoreInto(postgres.url, await dumpOf(filled.url));
  await filled.dispose();
  world = filled.contents;
  gateway = await startGateway({
    databaseUrl: postgres.url,
    databaseDeadlines: {
      ...generousDatabaseDeadlines,
      connectionMs: databaseDeadline,
      answerMs: databaseDeadline,
    },
  });
  people = {
    reporter: await gateway.as(world.acme.emails.reporter),
    admin: await gateway.as(world.acme.emails.organizationAdmin),
    operator: await gateway.as('operator@vendor.example'),
    engineer: await gateway.as(world.engineer.email),
  };
});
afterAll(async () => {
  await gateway.dispose();
  await postgres.dispose();
});

/** An answer that a client has received. */
type Acknowledged = { client: string; name: string; id: string; state: string; version: number };

class Run {
  readonly acknowledged: Acknowledged[] = [];
  /** Requests without a result, by the code of the error or the failure of the connection. */
  readonly failures = new Map<string, number>();
  slowest = 0;
  #stop = false;
  #running: Promise<unknown>;
  #listeners = new Set<() => void>();

  constructor(name: string) {
    this.#running = Promise.all(
      Array.from({ length: clients }, (_, index) => this.#work(`${name} ${index}`, index)),
    );
    this.#running.catch(() => undefined);
  }

  /** Resolves when this many more answers have arrived. */
  async answers(more: number): Promise<void> {
    const enough = this.acknowledged.length + more;
    while (this.acknowledged.length < enough) {
      await Promise.race([new Promise<void>((resolve) => this.#listeners.add(resolve)), this.#running]);
    }
  }

  /** Resolves when this many more requests have failed. */
  async failuresSeen(more: number): Promise<void> {
    const count = () => [...this.failures.values()].reduce((sum, times) => sum + times, 0);
    const enough = count() + more;
    while (count() < enough) {
      await Promise.race([new Promise<void>((resolve) => this.#listeners.add(resolve)), this.#running]);
    }
  }

  /** Lets every client finish its present ticket. */
  async finish(): Promise<void> {
    this.#stop = true;
    await this.#running;
  }

  /** Takes one ticket after another from its creation to the end of access, which comes about in three ways. */
  async #work(client: string, firstWay: number): Promise<void> {
    const { jira } = world.acme.sites.main.products;
    const { admin, engineer, operator, reporter } = people;
    for (let number = 0; !this.#stop; number += 1) {
      const name = `${client}.${number}`;
      const run = (by: Person, what: string, input: object) => this.#insist(name, by, what, input);
      const summary = `${name}.`;
      const { id: ticketId } = await run(reporter, 'createTicket', {
        ...{ productId: jira, summary, grantDataAccess: false },
      });
      await run(operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
      const { id: grantId } = await run(admin, 'approveDataAccess', { ticketId });
      const way = (firstWay + number) % 3;
      if (way === 0) await run(engineer, 'releaseDataAccess', { grantId });
      else if (way === 1) await run(admin, 'revokeDataAccess', { grantId });
      else await run(reporter, 'closeTicket', { ticketId });
    }
  }

  /** Repeats with the same key until there is an answer. */
  async #insist(client: string, by: Person, name: string, input: object): Promise<Json> {
    const idempotencyKey = `${client.replaceAll(' ', '-')}-${name}`;
    const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const returns = /Ticket$/.test(name) ? 'Ticket' : 'Grant';
    const selection = returns === 'Ticket' ? 'id status version' : 'id state version';
    const document = `mutation Insist($input: ${capitalized}Input!) { result: ${name}(input: $input) {
      ... on ${returns} { ${selection} } ... on Error { code message } } }`;
    for (;;) {
      const begun = performance.now();
      const answer = await by
        .send(document, { input: { ...input, idempotencyKey } })
        .catch((error: unknown) => ({ lost: error instanceof Error ? error.message : String(error) }));
      this.slowest = Math.max(this.slowest, performance.now() - begun);
      if ('lost' in answer) this.#failed(answer.lost);
      else if (answer.errors[0] !== undefined) this.#failed(String(answer.errors[0].extensions['code']));
      else {
        const { result } = answer.data;
        if ('code' in result) throw new Error(`${name} of ${client} was refused: ${JSON.stringify(result)}`);
        const state = result.state ?? result.status;
        this.acknowledged.push({ client, name, id: result.id, state, version: result.version });
        this.#notify();
        return result;
      }
      // A client does not try again at once, either.
      await wait(50);
    }
  }

  #failed(how: string): void {
    this.failures.set(how, (this.failures.get(how) ?? 0) + 1);
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }
}

/** Every acknowledged change exists once and completely, and nothing else exists. */
async function expectNothingLost(run: Run, name: string): Promise<void> {
  const id = (globalId: string) => Buffer.from(globalId, 'base64').toString().split(':')[1] ?? '';
  const { rows: tickets } = await gateway.sql.query(
    'SELECT id, summary, version FROM tickets WHERE summary LIKE $1',
    [`${name} %`],
  );
  const filed = run.acknowledged.filter((one) => one.name === 'createTicket');
  expect(tickets.map((ticket) => ticket.summary).toSorted()).toEqual(
    filed.map((one) => `${one.client}.`).toSorted(),
  );

  const { rows: events } = await gateway.sql.query(
    `SELECT payload->>'grantId' AS id, payload->'grant'->>'state' AS state, (payload->>'grantVersion')::int AS version
       FROM events WHERE payload->>'kind' = 'grant'`,
  );
  const known = new Set(events.map((event) => `${event.id} ${event.state} ${event.version}`));
  const decided = run.acknowledged.filter(({ name: said }) => !said.endsWith('Ticket'));
  expect(decided.length).toBeGreaterThan(0);
  expect(decided.filter((one) => !known.has(`${id(one.id)} ${one.state} ${one.version}`))).toEqual([]);

  const { rows: recorded } = await gateway.sql.query(
    `SELECT action, count(*)::int AS times FROM audit_entries
      WHERE outcome = 'SUCCEEDED' AND ticket_id = ANY ($1) GROUP BY action`,
    [tickets.map((ticket) => ticket.id)],
  );
  const times = Object.fromEntries(recorded.map((line) => [line.action, line.times]));
  const said = (what: string) => run.acknowledged.filter((one) => one.name === what).length;
  expect(times).toMatchObject({
    'ticket.create': said('createTicket'),
    'ticket.assign': said('assignTicket'),
    'grant.approve': said('approveDataAccess'),
    'grant.release': said('releaseDataAccess'),
    'grant.revoke': said('revokeDataAccess') + said('closeTicket'),
  });
  await expectLegalHistories(gateway);
}

/** Errors after which a client may try again. */
const mayFailWith = new Set(['SERVICE_UNAVAILABLE', 'TOOK_TOO_LONG']);

/** On an ordinary day, two of these. */
const seed = seedOf('OUTAGE_SEED');
const faults: [string, (run: Run) => Promise<void>][] = [
  [
    'restarts',
    async (run: Run) => {
      await postgres.stop();
      await run.failuresSeen(clients);
      await postgres.start();
    },
  ],
  [
    'crashes',
    async (run: Run) => {
      await postgres.crash();
      await run.failuresSeen(clients);
      await postgres.start();
    },
  ],
  [
    'answers nothing for a while',
    async (run: Run) => {
      await postgres.freeze();
      await run.failuresSeen(clients);
      await postgres.thaw();
    },
  ],
  [
    'responds only now and then, to one statement at a time',
    async () => {
      for (let time = 0; time < bySize(2, 4); time += 1) {
        await postgres.freeze();
        // Shorter than the deadline of an answer.
        await wait(databaseDeadline / 2);
        await postgres.thaw();
        await wait(time);
      }
    },
  ],
];

describe(`no acknowledged change is lost or incomplete when the database, OUTAGE_SEED=${seed},`, () => {
  test.each(rotating(faults, seed))('%s', async (what, disturb) => {
    const run = new Run(what);
    for (let time = 0; time < disturbances; time += 1) {
      await run.answers(clients * answersOfEach);
      await disturb(run);
    }
    // The gateway was not restarted.
    await run.answers(clients * answersOfEach);
    await run.finish();
    await expectNothingLost(run, what);
    expect([...run.failures.keys()].filter((how) => !mayFailWith.has(how))).toEqual([]);
    expect(run.slowest).toBeLessThan(answerDeadline);
    if (process.env['OUTAGE_FIGURES'] !== undefined) {
      process.stdout.write(
        `${what}: ${run.acknowledged.length} answers, slowest ${Math.round(run.slowest)} ms, ${JSON.stringify([...run.failures])}\n`,
      );
    }
  });
});

/** What the decision point answers to a backend: the status, and the code of its answer. */
async function evaluate({ token }: Person): Promise<[number, unknown]> {
  const response = await fetch(`${gateway.url}/access/v1/evaluation`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'support_engineer', id: world.engineer.email },
      action: { name: 'work_item.read' },
      resource: {
        ...{ type: 'work_item', id: 'ACME-1' },
        properties: { site: world.acme.sites.main.url, product: 'jira' },
      },
      context: { ticket: 'SUP-0' },
    }),
  });
  const text = await response.text();
  return [response.status, response.ok ? JSON.parse(text).context.code : null];
}

test('while the database is stopped, every request is answered in time with SERVICE_UNAVAILABLE', async () => {
  const { admin, reporter, operator } = people;
  const email = 'jira-backend@vendor.example';
  await operator.ask(
    `mutation { addServiceAccount(input: { email: "${email}", name: "Jira", capabilities: [ACCESS_EVALUATION],
      evaluatedProducts: ["jira"] }) { __typename } }`,
  );
  const backend = await gateway.as(email);
  expect(await evaluate(backend)).toEqual([200, 'TICKET_NOT_FOUND']);
  const { jira } = world.acme.sites.main.products;
  await postgres.stop();
  const begun = performance.now();
  const questions = Promise.all([evaluate(backend), evaluate(backend)]);
  const answers = await Promise.all([
    admin.send('{ grants { edges { node { id } } } }'),
    admin.send('{ viewer { kind } }'),
    reporter.send(
      `mutation { createTicket(input: { productId: "${jira}", summary: "Now", grantDataAccess: true }) { __typename } }`,
    ),
    admin.send('mutation { deactivateSite(input: { siteId: "U2l0ZTow" }) { __typename } }'),
  ]);
  expect(await questions).toEqual([
    [503, null],
    [503, null],
  ]);
  expect(performance.now() - begun).toBeLessThan(answerDeadline);
  expect(answers.map(({ errors }) => errors[0]?.extensions['code'])).toEqual([
    ...['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE'],
  ]);
  const ready = async () => (await fetch(`${gateway.url}/readyz`)).status;
  expect(await ready()).toBe(503);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  await postgres.start();
  await expect.poll(ready, { timeout: generousMs }).toBe(200);
  expect(await admin.ask('{ viewer { kind } }')).toEqual({ viewer: { kind: 'USER' } });
  expect(await evaluate(backend)).toEqual([200, 'TICKET_NOT_FOUND']);
});

test('a repetition executes the items of a bulk that an outage prevented', async () => {
  const { admin } = people;
  const run = new Run('bulk');
  await run.answers(clients * 4);
  await run.finish();
  const { rows } = await gateway.sql.query(
    `SELECT t.id FROM tickets t WHERE t.summary LIKE 'bulk %' AND t.status <> 'CLOSED' ORDER BY id LIMIT 60`,
  );
  const grantIds: string[] = [];
  for (const { id } of rows) {
    const { requestDataAccess } = await people.engineer.ask(
      `mutation Ask($ticketId: ID!) { requestDataAccess(input: { ticketId: $ticketId }) { ... on Grant { id } } }`,
      { ticketId: Buffer.from(`Ticket:${id}`).toString('base64') },
    );
    if (requestDataAccess.id !== undefined) grantIds.push(requestDataAccess.id);
  }
  expect(grantIds.length).toBeGreaterThan(4);
  const document = `mutation Bulk($input: ApproveDataAccessInBulkInput!) { result: approveDataAccessInBulk(input: $input) {
    ... on BulkPayload { results { result { ... on Grant { id state version } ... on Error { code } } } } } }`;
  const input = { grantIds, idempotencyKey: 'bulk-through-an-outage' };
  const begun = performance.now();
  const cut = admin.send(document, { input });
  await postgres.crash();
  const first = await cut;
  expect(performance.now() - begun).toBeLessThan(answerDeadline);
  await postgres.start();
  const results = first.data?.result?.results ?? [];
  const again: Json[] = await eventually(async () => {
    const { data } = await admin.send(document, { input });
    const results: Json[] = data?.result?.results ?? [];
    return results.length > 0 && results.every(({ result }) => result.id !== undefined) ? results : null;
  });
  for (const [index, { result }] of results.entries())
    if (result.id !== undefined) expect(again[index].result).toEqual(result);
  expect(again.map(({ result }) => result)).toEqual(
    grantIds.map((id) => ({ id, state: 'ACTIVE', version: 2 })),
  );
  await expectLegalHistories(gateway);
});

async function eventually<T>(look: () => Promise<T | null>): Promise<T> {
  for (const deadline = performance.now() + generousMs; performance.now() < deadline; ) {
    const seen = await look();
    if (seen !== null) return seen;
    await wait(50);
  }
  throw new Error('It did not happen in time');
}
