/** The events of ticketing systems, from the signed request to the ticket. */
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/platform/database.ts';
import { exclusiveLock } from '../../src/platform/locks.ts';
import { createLogger } from '../../src/platform/logger.ts';
import type { WebhookCounters } from '../../src/webhooks/counters.ts';
import { deleteOldEvents, eventsKeptFor, maxNotApplied } from '../../src/webhooks/store.ts';
import { eventually } from '../support/eventually.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { globalId, rawId } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import { attempt, done, startGatewayWithWorld, type World } from '../support/world.ts';
import {
  type Delivery,
  deliver,
  type Reply,
  type Sign,
  secretOf,
  signByHand,
  signByLibrary,
} from './sender.ts';

const secrets = { desk: [secretOf(1), secretOf(2), secretOf(3)], acme: [secretOf(4)], nobody: [secretOf(5)] };
const acmeDesk = 'desk@acme.example';

let gateway: TestGateway;
let world: World;
let counters: WebhookCounters;
/** How far the gateway's clock is ahead, in milliseconds; or where it stands still. */
let clock: { ahead: number } | { at: Date } = { ahead: 0 };

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    maintenance: false,
    clock: () => ('at' in clock ? clock.at : new Date(Date.now() + clock.ahead)),
    onWebhooksCreated: (created) => {
      counters = created;
    },
    config: {
      ticketWebhooks: [
        { name: 'desk', account: 'ticketing@vendor.example', secrets: secrets.desk },
        { name: 'acme-desk', account: acmeDesk, secrets: secrets.acme },
        { name: 'nobody', account: 'nobody@vendor.example', secrets: secrets.nobody },
      ],
    },
  }));
  await done(world.operator, 'addServiceAccount', {
    ...{ email: acmeDesk, name: "Acme's desk", capabilities: ['TICKETING'] },
    organizationId: world.acme.organizationId,
  });
});
afterAll(() => gateway.dispose());
beforeEach(() => {
  clock = { ahead: 0 };
});

const send = (body: string | Buffer, options: Partial<Delivery> = {}): Promise<Reply> =>
  deliver(gateway, { to: 'desk', secret: secretOf(1), body, ...options });

let minute = 0;
/** A time of its own in the past, later than those before it. */
const nextTime = () => new Date(Date.UTC(2026, 0, 1) + minute++ * 60_000);

const eventOf = (type: string, data: object, at: Date = nextTime()): string =>
  JSON.stringify({ type: `ticket.${type}`, timestamp: at.toISOString(), data });

const newId = () => `ext-${randomUUID()}`;

const filing = (external_id: string, changes: object = {}) => ({
  external_id,
  ...{ summary: 'The board is slow', site: world.acme.sites.main.url, product: 'jira' },
  reporter: world.acme.emails.jiraAdmin,
  ...changes,
});

/** Sends an event that is to be applied at once. */
async function apply(type: string, data: object, options: Partial<Delivery> = {}): Promise<void> {
  const reply = await send(eventOf(type, data), options);
  expect([reply.status, reply.text]).toEqual([204, '']);
}

type Row = { id: string; key: string; status: string; assignee: string | null; version: number };

async function ticketsOf(externalId: string): Promise<Row[]> {
  const { rows } = await gateway.sql.query<Row>(
    `SELECT t.id, t.key, t.status::text, a.email AS assignee, t.version
       FROM tickets t LEFT JOIN accounts a ON a.id = t.assignee_id WHERE t.external_id = $1`,
    [externalId],
  );
  return rows;
}

async function ticketOf(externalId: string): Promise<Row> {
  const [row] = await ticketsOf(externalId);
  if (row === undefined) throw new Error(`There is no ticket ${externalId}`);
  return row;
}

const grantsOf = async ({ id }: Row): Promise<string[]> => {
  const { rows } = await gateway.sql.query('SELECT state FROM grants WHERE ticket_id = $1 ORDER BY id', [id]);
  return rows.map(({ state }) => state);
};

/** The events of the ticket, by what came of them. */
async function events(externalId: string): Promise<{ type: string; state: string; reason: string | null }[]> {
  const { rows } = await gateway.sql.query(
    'SELECT type::text, state::text, reason::text FROM inbound_ticket_events WHERE external_id = $1 ORDER BY id',
    [externalId],
  );
  return rows;
}

async function auditActions(externalId: string): Promise<string[]> {
  const { id } = await ticketOf(externalId);
  const { rows } = await gateway.sql.query(
    'SELECT action, actor_email, client_address FROM audit_entries WHERE ticket_id = $1 ORDER BY txid, seq',
    [id],
  );
  expect(new Set(rows.map((row) => row.actor_email))).toEqual(new Set(['ticketing@vendor.example']));
  // The address would be that of a machine which relays what others have done.
  expect(new Set(rows.map((row) => row.client_address))).toEqual(new Set([null]));
  return rows.map(({ action }) => action);
}

describe.each<[string, Sign]>([
  ['the library', signByLibrary],
  ['hand', signByHand],
])('events signed by %s', (_, sign) => {
  test('file a ticket, assign it, set its status, close it and reopen it, as the service account', async () => {
    const id = newId();
    await apply('created', filing(id, { data_access_consent: true }), { sign });
    expect(await ticketOf(id)).toMatchObject({ status: 'OPEN', assignee: null });
    await apply('assigned', { external_id: id, engineer: world.engineer.email }, { sign });
    expect(await ticketOf(id)).toMatchObject({ status: 'OPEN', assignee: world.engineer.email });
    expect(await grantsOf(await ticketOf(id))).toEqual(['ACTIVE']);
    await apply('status_changed', { external_id: id, status: 'WAITING_FOR_CUSTOMER' }, { sign });
    expect(await ticketOf(id)).toMatchObject({ status: 'WAITING_FOR_CUSTOMER' });
    await apply('closed', { external_id: id }, { sign });
    expect(await ticketOf(id)).toMatchObject({ status: 'CLOSED' });
    expect(await grantsOf(await ticketOf(id))).toEqual(['REVOKED']);
    const change = { status: 'RESOLVED', engineer: world.otherEngineer.email };
    await apply('updated', { external_id: id, ...change }, { sign });
    expect(await ticketOf(id)).toMatchObject({ status: 'RESOLVED', assignee: world.otherEngineer.email });
    expect(await auditActions(id)).toEqual([
      ...['ticket.create', 'grant.request', 'grant.approve', 'ticket.assign', 'grant.reassign'],
      ...['ticket.update_status', 'ticket.close', 'grant.revoke'],
      ...['ticket.reopen', 'ticket.update_status', 'ticket.assign'],
    ]);
  });

  test('change its summary and product, which ends what was granted for the other one', async () => {
    const id = newId();
    await apply('created', filing(id, { data_access_consent: true }), { sign });
    const before = new Date(nextTime());
    await apply('updated', { external_id: id, summary: 'Pages\nare slow', product: 'confluence' }, { sign });
    const about = async () => {
      const { rows } = await gateway.sql.query(
        `SELECT t.summary, p.key, t.version FROM tickets t JOIN products p ON p.id = t.product_id WHERE t.external_id = $1`,
        [id],
      );
      return rows[0];
    };
    expect(await about()).toEqual({ summary: 'Pages are slow', key: 'confluence', version: 2 });
    expect(await grantsOf(await ticketOf(id))).toEqual(['ENDED']);
    const actions = ['ticket.create', 'grant.request', 'grant.approve', 'ticket.update', 'grant.end'];
    expect(await auditActions(id)).toEqual(actions);
    // What is older changes nothing, and an unknown product leaves the rest to be applied.
    expect(
      (await send(eventOf('updated', { external_id: id, product: 'jira' }, before), { sign })).status,
    ).toBe(204);
    expect(await about()).toEqual({ summary: 'Pages are slow', key: 'confluence', version: 2 });
    const unknown = { external_id: id, summary: 'Slow', product: 'trello', status: 'RESOLVED' };
    expect((await send(eventOf('updated', unknown), { sign })).status).toBe(202);
    expect(await about()).toMatchObject({ summary: 'Slow', key: 'confluence' });
    expect((await ticketOf(id)).status).toBe('RESOLVED');
    expect((await events(id)).at(-1)).toMatchObject({ state: 'KEPT', reason: 'PRODUCT_UNKNOWN' });
  });

  test('are signed over their bytes, whatever spaces and characters they have', async () => {
    const id = newId();
    const compact = eventOf('created', filing(id, { summary: 'Größe — 你好 😀' }));
    const body = ` ${compact.replace('你好', '\\u4f60\\u597d').replace('{', '{\n\t')}\r\n`;
    expect((await send(body, { sign })).status).toBe(204);
    const { tickets } = await world.operator.ask(
      '{ tickets(first: 1) { edges { node { externalId summary } } } }',
    );
    expect(tickets.edges[0].node).toEqual({ externalId: id, summary: 'Größe — 你好 😀' });
    const signed = sign(secretOf(1), 'msg_spaces', new Date(), body);
    const altered = await send(compact, { id: 'msg_spaces', headers: { 'webhook-signature': signed } });
    expect(altered.status).toBe(401);
  });

  test('are signed by any of the secrets, and any of their signatures counts', async () => {
    const ignored = eventOf('commented', {});
    for (const secret of secrets.desk) expect((await send(ignored, { sign, secret })).status).toBe(204);
    expect((await send(ignored, { sign, secret: secretOf(4) })).status).toBe(401);
    const at = new Date();
    const [old, present] = [secretOf(9), secretOf(2)].map((secret) => sign(secret, 'msg_two', at, ignored));
    const both = { 'webhook-signature': `v1a,AAAA ${old} ${present}` };
    expect((await send(ignored, { id: 'msg_two', at, headers: both })).status).toBe(204);
  });
});

describe('an event is refused', () => {
  const refusals: [string, number, string, () => Promise<Reply>][] = [
    ['to an unknown name', 404, 'NOT_FOUND', () => send('{}', { to: 'desk-2' })],
    ['to a name in another case', 404, 'NOT_FOUND', () => send('{}', { to: 'Desk' })],
    [
      'as a form',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      () => send('{}', { headers: { 'content-type': 'text/plain' } }),
    ],
    ['with a long body', 413, 'REQUEST_TOO_LARGE', () => send(' '.repeat(64 * 1024 + 1))],
    ['without an id', 401, 'WEBHOOK_UNSIGNED', () => send('{}', { headers: { 'webhook-id': undefined } })],
    [
      'without a time',
      401,
      'WEBHOOK_UNSIGNED',
      () => send('{}', { headers: { 'webhook-timestamp': undefined } }),
    ],
    [
      ...(['without a signature', 401, 'WEBHOOK_UNSIGNED'] as const),
      () => send('{}', { headers: { 'webhook-signature': undefined } }),
    ],
    ['with a full stop in its id', 400, 'BAD_REQUEST', () => send('{}', { id: 'msg.1' })],
    [
      ...(['with a time that is none', 400, 'BAD_REQUEST'] as const),
      () => send('{}', { headers: { 'webhook-timestamp': 'now' } }),
    ],
    ['with the secret of another', 401, 'WEBHOOK_WRONG_SIGNATURE', () => send('{}', { secret: secretOf(4) })],
    [
      ...(['with the id of another', 401, 'WEBHOOK_WRONG_SIGNATURE'] as const),
      () => send('{}', { headers: { 'webhook-id': 'another' } }),
    ],
    ['that is not JSON', 400, 'BAD_REQUEST', () => send('{"type":')],
    ['that is empty', 400, 'BAD_REQUEST', () => send('')],
    [
      ...(['that is not UTF-8', 400, 'BAD_REQUEST'] as const),
      () => send(Buffer.from([0x22, 0xff, 0x22]), { sign: signByLibrary }),
    ],
    ['without a ticket', 400, 'BAD_REQUEST', () => send(eventOf('closed', {}))],
    [
      ...(['from the future', 400, 'BAD_REQUEST'] as const),
      () => send(eventOf('closed', { external_id: 'future' }, new Date(Date.now() + 600_000))),
    ],
    [
      ...(['of a ticketing system without an account', 503, 'SERVICE_UNAVAILABLE'] as const),
      () => send(eventOf('closed', { external_id: 'x' }), { to: 'nobody', secret: secretOf(5) }),
    ],
  ];

  test.each(refusals)('%s with %i %s, is counted, and leaves nothing', async (_, status, code, sent) => {
    const before = { stored: await stored(), count: counters.read()[code as 'BAD_REQUEST'] };
    const reply = await sent();
    expect([reply.status, JSON.parse(reply.text).error.code]).toEqual([status, code]);
    expect(reply.headers.get('content-type')).toContain('application/json');
    expect(reply.text).not.toContain('whsec');
    expect({ stored: await stored(), count: counters.read()[code as 'BAD_REQUEST'] }).toEqual({
      ...{ stored: before.stored, count: before.count + 1 },
    });
  });

  test('unless it is posted', async () => {
    const response = await fetch(`${gateway.url}/webhooks/tickets/desk`);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('once it is longer than it may be, without its length being known', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'webhook-id': 'a', 'webhook-signature': 'v1,a' };
      const timestamp = { 'webhook-timestamp': String(Math.floor(Date.now() / 1_000)) };
      const post = request(`${gateway.url}/webhooks/tickets/desk`, {
        ...{ method: 'POST', headers: { ...headers, ...timestamp } },
      });
      post.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
      post.write(' '.repeat(64 * 1024));
      post.write(' ');
      post.end();
    });
    expect(status).toBe(413);
  });

  async function stored(): Promise<number> {
    const { rows } = await gateway.sql.query('SELECT count(*)::int FROM inbound_ticket_events');
    return rows[0].count;
  }
});

test('an event is fresh for five minutes by the clock of the database, before and after', async () => {
  clock = { at: new Date('2027-05-05T12:00:00Z') };
  const sentAt = (seconds: number) =>
    send(eventOf('commented', {}), { at: new Date(Date.parse('2027-05-05T12:00:00Z') + seconds * 1_000) });
  expect((await sentAt(-300)).status).toBe(204);
  expect((await sentAt(300)).status).toBe(204);
  for (const seconds of [-301, 301]) {
    const reply = await sentAt(seconds);
    expect([reply.status, JSON.parse(reply.text).error.code]).toEqual([401, 'WEBHOOK_STALE']);
  }
  expect((await send(eventOf('commented', {}), { at: new Date() })).status).toBe(401);
});

describe('an event that is sent again', () => {
  test('is answered as the first time, and does nothing', async () => {
    const id = newId();
    const body = eventOf('created', filing(id));
    const [first, ...others] = await Promise.all([1, 2, 3].map(() => send(body, { id: `msg_${id}` })));
    const again = await send(body, { id: `msg_${id}`, at: new Date(Date.now() + 60_000) });
    expect([first, ...others, again].map((reply) => reply?.status)).toEqual([204, 204, 204, 204]);
    expect(await ticketsOf(id)).toHaveLength(1);
    expect(await auditActions(id)).toEqual(['ticket.create', 'grant.request']);
    await apply('status_changed', { external_id: id, status: 'RESOLVED' });
    expect((await send(eventOf('created', filing(id)), { id: `msg_${id}` })).status).toBe(204);
    expect(await ticketOf(id)).toMatchObject({ status: 'RESOLVED' });
  });

  test('is answered with 202 if it was kept at first, whatever came of it since', async () => {
    const id = newId();
    const closed = eventOf('closed', { external_id: id });
    expect((await send(closed, { id: `msg_${id}` })).status).toBe(202);
    await send(eventOf('created', filing(id), new Date(Date.UTC(2025, 0, 1))));
    expect(await ticketOf(id)).toMatchObject({ status: 'CLOSED' });
    const again = await send(closed, { id: `msg_${id}` });
    expect([again.status, JSON.parse(again.text)]).toEqual([202, { status: 'KEPT' }]);
  });

  test('with an id of its own is no repetition, and files no second ticket', async () => {
    const id = newId();
    await apply('created', filing(id));
    await apply('created', filing(id, { status: 'RESOLVED' }));
    expect(await ticketsOf(id)).toHaveLength(1);
    expect(await ticketOf(id)).toMatchObject({ status: 'RESOLVED' });
  });

  test('is applied if the gateway stopped before it was, the first time', async () => {
    const [id, { site, product, reporter, summary }] = [newId(), filing('')];
    await gateway.sql.query(
      `INSERT INTO inbound_ticket_events (id, integration_id, webhook_id, type, external_id, occurred_at, moment, content,
                                          state, received_at, attempt)
       SELECT gen_random_uuid(), a.id, $2, 'CREATED', $2, now(), $3, $4, 'RECEIVED', now(), 1
         FROM accounts a WHERE a.email = $1`,
      [world.services.ticketing, id, nextTime().toISOString(), { site, product, reporter, summary }],
    );
    expect((await send(eventOf('created', filing(id)), { id })).status).toBe(204);
    expect(await ticketOf(id)).toMatchObject({ status: 'OPEN' });
    expect(await events(id)).toEqual([{ type: 'CREATED', state: 'APPLIED', reason: null }]);
  });

  test('is one of its ticketing system: another one may use the same id', async () => {
    const [id, webhook] = [newId(), `msg_${randomUUID()}`];
    await apply('created', filing(id), { id: webhook });
    await apply('created', filing(id), { id: webhook, to: 'acme-desk', secret: secretOf(4) });
    expect(await ticketsOf(id)).toHaveLength(2);
  });
});

describe('events out of order', () => {
  test('wait for their ticket, and are applied in their own order', async () => {
    const id = newId();
    const [filedAt, assignedAt, closedAt, staleAt] = [nextTime(), nextTime(), nextTime(), nextTime()];
    expect((await send(eventOf('closed', { external_id: id }, closedAt))).status).toBe(202);
    const assigned = { external_id: id, engineer: world.engineer.email };
    expect((await send(eventOf('assigned', assigned, assignedAt))).status).toBe(202);
    expect(await events(id)).toEqual([
      { type: 'CLOSED', state: 'WAITING', reason: 'NO_TICKET_YET' },
      { type: 'ASSIGNED', state: 'WAITING', reason: 'NO_TICKET_YET' },
    ]);
    expect((await send(eventOf('created', filing(id), filedAt))).status).toBe(204);
    expect(await ticketOf(id)).toMatchObject({ status: 'CLOSED', assignee: world.engineer.email });
    expect((await events(id)).map(({ state }) => state)).toEqual(['APPLIED', 'APPLIED', 'APPLIED']);
    const opened = { external_id: id, status: 'OPEN' };
    expect((await send(eventOf('status_changed', opened, assignedAt))).status).toBe(204);
    expect(await ticketOf(id)).toMatchObject({ status: 'CLOSED' });
    expect((await send(eventOf('status_changed', opened, staleAt))).status).toBe(204);
    expect(await ticketOf(id)).toMatchObject({ status: 'OPEN' });
  });

  test('that say nothing newer than what was done in Latchkey change nothing', async () => {
    const id = newId();
    await apply('created', filing(id));
    const { id: ticketId } = await ticketOf(id);
    const reporter = await gateway.as(world.acme.emails.jiraAdmin);
    await done(reporter, 'closeTicket', { ticketId: globalId('Ticket', ticketId) });
    await apply('status_changed', { external_id: id, status: 'OPEN' });
    expect(await ticketOf(id)).toMatchObject({ status: 'CLOSED' });
  });

  test('end the grants that a close would have ended, although the ticket was reopened since', async () => {
    const id = newId();
    await apply('created', filing(id, { data_access_consent: true }));
    const [closedAt, reopenedAt] = [nextTime(), nextTime()];
    const opened = eventOf('status_changed', { external_id: id, status: 'RESOLVED' }, reopenedAt);
    expect((await send(opened)).status).toBe(204);
    expect(await grantsOf(await ticketOf(id))).toEqual(['ACTIVE']);
    const ticketId = globalId('Ticket', (await ticketOf(id)).id);
    expect((await send(eventOf('closed', { external_id: id }, closedAt))).status).toBe(204);
    expect(await ticketOf(id)).toMatchObject({ status: 'RESOLVED' });
    expect(await grantsOf(await ticketOf(id))).toEqual(['REVOKED']);
    // What is granted after the close is not touched by it.
    await done(world.admins.acme, 'approveDataAccess', { ticketId });
    expect((await send(eventOf('closed', { external_id: id }, closedAt))).status).toBe(204);
    expect(await grantsOf(await ticketOf(id))).toEqual(['REVOKED', 'ACTIVE']);
  });

  test.each([true, false])('may all arrive at once (the ticket is there: %s)', async (isFiled) => {
    for (const round of [1, 2, 3]) {
      const id = newId();
      const { email } = world.engineer;
      const created = eventOf('created', filing(id, { data_access_consent: true }));
      if (isFiled) await send(created);
      const bodies = [
        ...(isFiled ? [] : [created]),
        eventOf('status_changed', { external_id: id, status: 'RESOLVED' }),
        eventOf('closed', { external_id: id }),
        eventOf('updated', { external_id: id, status: 'WAITING_FOR_CUSTOMER', engineer: email }),
      ];
      const replies = await Promise.all(bodies.toReversed().map((body) => send(body)));
      for (const { status } of replies) expect([202, 204]).toContain(status);
      expect(await ticketOf(id), `round ${round}`).toMatchObject({
        ...{ status: 'WAITING_FOR_CUSTOMER', assignee: email },
      });
      expect(await grantsOf(await ticketOf(id))).toEqual(['REVOKED']);
      expect(new Set((await events(id)).map(({ state }) => state))).toEqual(new Set(['APPLIED']));
    }
  });

  const seed = seedOf('WEBHOOKS_SEED');
  test(`of one ticket end the same in any order (WEBHOOKS_SEED=${seed})`, async () => {
    const engineer = fc.constantFrom(world.engineer.email, world.otherEngineer.email, null);
    const status = fc.constantFrom('OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED');
    const change = fc.oneof(
      fc.record({ type: fc.constant('closed') }),
      fc.record({ type: fc.constant('assigned'), engineer }),
      fc.record({ type: fc.constant('status_changed'), status }),
      fc.record({ type: fc.constant('updated'), engineer, status }),
    );
    const orders = fc
      .array(change, { minLength: 2, maxLength: 5 })
      .chain((changes) =>
        fc.tuple(
          fc.constant(changes),
          fc.shuffledSubarray([0, ...changes.map((_, at) => at + 1)], { minLength: changes.length + 1 }),
        ),
      );
    await fc.assert(
      fc.asyncProperty(orders, async ([changes, order]) => {
        const results = [];
        for (const places of [order.toSorted((one, other) => one - other), order]) {
          const id = newId();
          const start = nextTime();
          const bodies = [{ type: 'created', ...filing(id) }, ...changes].map(({ type, ...data }, at) =>
            eventOf(type, { ...data, external_id: id, sequence: at }, start),
          );
          for (const place of places) {
            const { status: code } = await send(bodies[place] ?? '');
            expect([202, 204]).toContain(code);
          }
          const { status: ended, assignee } = await ticketOf(id);
          const open = (await grantsOf(await ticketOf(id))).filter((state) => state === 'PENDING_APPROVAL');
          // A closed ticket keeps the engineer that it had when it was closed here.
          results.push([ended, ended === 'CLOSED' ? null : assignee, open.length]);
        }
        expect(results[1]).toEqual(results[0]);
      }),
      { numRuns: bySize(4, 200), seed },
    );
  });
});

const listed = `query ($filter: InboundTicketEventFilter) { inboundTicketEvents(filter: $filter) { edges { node {
  id externalId eventType state reason explanation refusalCode attempts content integration { email } ticket { key } } } } }`;

async function list(person: Person, filter: object = {}): Promise<Json[]> {
  const { inboundTicketEvents } = await person.ask(listed, { filter });
  return inboundTicketEvents.edges.map(({ node }: Json) => node);
}

describe('an event that cannot be applied', () => {
  const problems: [string, () => object, string][] = [
    ['an unknown site', () => ({ site: 'https://nowhere.example' }), 'SITE_UNKNOWN'],
    ['an unknown product', () => ({ product: 'nothing' }), 'PRODUCT_UNKNOWN'],
    ['an unknown reporter', () => ({ reporter: 'nobody@acme.example' }), 'REPORTER_NOT_A_MEMBER'],
    ["another customer's user", () => ({ reporter: world.globex.emails.reporter }), 'REPORTER_NOT_A_MEMBER'],
    ['an unknown engineer', () => ({ engineer: world.acme.emails.reporter }), 'ENGINEER_UNKNOWN'],
  ];

  test.each(problems)('because of %s is kept with the reason', async (_, changes, reason) => {
    const id = newId();
    const reply = await send(eventOf('created', filing(id, changes())));
    expect([reply.status, JSON.parse(reply.text)]).toEqual([202, { status: 'KEPT' }]);
    const [event] = await list(world.operator, { states: ['KEPT'] });
    expect(event).toMatchObject({ externalId: id, eventType: 'CREATED', state: 'KEPT', reason, attempts: 1 });
    expect(event.explanation).not.toBeNull();
  });

  test('is replayed once what was in its way is gone, by an operator, and that is on the log', async () => {
    const [id, reporter] = [newId(), `new-${randomUUID()}@acme.example`];
    await send(eventOf('created', filing(id, { reporter, status: 'RESOLVED' })));
    const [kept] = await list(world.operator, { states: ['KEPT'] });
    const input = { inboundTicketEventId: kept.id };
    const again = await attempt(world.operator, 'replayInboundTicketEvent', input);
    expect(again).toMatchObject({ state: 'KEPT', reason: 'REPORTER_NOT_A_MEMBER', attempts: 2 });
    const { organizationId } = world.acme;
    await done(world.operator, 'addUser', { organizationId, email: reporter, name: 'New' });
    const key = { ...input, idempotencyKey: randomUUID() };
    const applied = { state: 'APPLIED', reason: null, attempts: 3 };
    expect(await attempt(world.operator, 'replayInboundTicketEvent', key)).toMatchObject(applied);
    expect(await attempt(world.operator, 'replayInboundTicketEvent', key)).toMatchObject(applied);
    expect(await ticketOf(id)).toMatchObject({ status: 'RESOLVED' });
    expect(await attempt(world.operator, 'replayInboundTicketEvent', input)).toMatchObject({
      code: 'ALREADY_APPLIED',
    });
    const { auditLog } = await world.operator.ask(
      `{ auditLog(first: 3, filter: { action: INBOUND_TICKET_EVENT_REPLAY }) { edges { node {
        actor { email } outcome refusalCode resource { type name } ticketKey details } } } }`,
    );
    const { key: ticketKey } = await ticketOf(id);
    expect(auditLog.edges.map(({ node }: Json) => [node.outcome, node.refusalCode, node.ticketKey])).toEqual([
      ['REFUSED', 'ALREADY_APPLIED', ticketKey],
      ['SUCCEEDED', null, null],
      ['SUCCEEDED', null, null],
    ]);
    expect(auditLog.edges[1].node).toMatchObject({
      actor: { email: 'operator@vendor.example' },
      resource: { type: 'InboundTicketEvent' },
      details: { externalId: id, type: 'CREATED', reason: 'REPORTER_NOT_A_MEMBER' },
    });
  });

  test('waits for a closed ticket to be reopened, and is applied then', async () => {
    const id = newId();
    await apply('created', filing(id, { status: 'CLOSED' }));
    expect(
      (await send(eventOf('assigned', { external_id: id, engineer: world.engineer.email }))).status,
    ).toBe(202);
    expect((await events(id)).at(-1)).toEqual({
      type: 'ASSIGNED',
      state: 'WAITING',
      reason: 'TICKET_CLOSED',
    });
    await apply('status_changed', { external_id: id, status: 'OPEN' });
    expect(await ticketOf(id)).toMatchObject({ status: 'OPEN', assignee: world.engineer.email });
    expect((await events(id)).map(({ state }) => state)).toEqual(['APPLIED', 'APPLIED', 'APPLIED']);
  });

  test('applies the rest of what it says', async () => {
    const id = newId();
    await apply('created', filing(id));
    const change = { external_id: id, status: 'RESOLVED', engineer: 'nobody@vendor.example' };
    expect((await send(eventOf('updated', change))).status).toBe(202);
    expect(await ticketOf(id)).toMatchObject({ status: 'RESOLVED', assignee: null });
    const [event] = await list(world.operator, { states: ['KEPT'] });
    expect(event).toMatchObject({ reason: 'ENGINEER_UNKNOWN', ticket: { key: (await ticketOf(id)).key } });
  });
});

describe('a ticketing system of one organization', () => {
  const own = { to: 'acme-desk', secret: secretOf(4) };

  test("files tickets on that organization's sites, and on no other's", async () => {
    const [id, other] = [newId(), newId()];
    await apply('created', filing(id), own);
    const elsewhere = {
      site: world.globex.sites.main.url,
      reporter: world.globex.emails.reporter,
    };
    expect((await send(eventOf('created', filing(other, elsewhere)), own)).status).toBe(202);
    expect(await ticketsOf(other)).toEqual([]);
    expect(await events(other)).toMatchObject([{ state: 'KEPT', reason: 'SITE_UNKNOWN' }]);
  });

  test("reaches no ticket of another one's, even by its id", async () => {
    const id = newId();
    await apply('created', filing(id));
    expect((await send(eventOf('closed', { external_id: id }), own)).status).toBe(202);
    expect(await ticketsOf(id)).toMatchObject([{ status: 'OPEN' }]);
    expect((await events(id)).at(-1)).toMatchObject({ state: 'WAITING', reason: 'NO_TICKET_YET' });
  });

  test('sees and replays its own events alone', async () => {
    const [id, foreign] = [newId(), newId()];
    await send(eventOf('closed', { external_id: foreign }));
    await send(eventOf('created', filing(id, { reporter: 'nobody@acme.example' })), own);
    const desk = await gateway.as(acmeDesk);
    const seen = await list(desk);
    expect(new Set(seen.map(({ integration }) => integration.email))).toEqual(new Set([acmeDesk]));
    expect(seen[0]).toMatchObject({ externalId: id, state: 'KEPT' });
    const replayed = await attempt(desk, 'replayInboundTicketEvent', { inboundTicketEventId: seen[0].id });
    expect(replayed).toMatchObject({ state: 'KEPT', attempts: 2 });
    const [hidden] = await list(world.operator, { states: ['WAITING'] });
    const input = { inboundTicketEventId: hidden.id };
    expect(await attempt(desk, 'replayInboundTicketEvent', input)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await desk.ask(`{ node(id: "${hidden.id}") { id } }`)).toEqual({ node: null });
  });

  test('has its last replay on the log of its organization', async () => {
    const { auditLog } = await world.admins.acme.ask(
      '{ auditLog(first: 1, filter: { action: INBOUND_TICKET_EVENT_REPLAY, actorKind: SERVICE_ACCOUNT }) { edges { node { outcome actor { email } } } } }',
    );
    expect(auditLog.edges).toEqual([{ node: { outcome: 'SUCCEEDED', actor: { email: acmeDesk } } }]);
  });

  /** As many events as may wait: the next one that cannot be applied is dropped. */
  async function fillUp(): Promise<void> {
    await gateway.sql.query(
      `INSERT INTO inbound_ticket_events (id, integration_id, webhook_id, type, external_id, occurred_at, moment, content,
                                          state, reason, received_at, kept_at, attempt)
       SELECT gen_random_uuid(), a.id, 'many-' || n, 'CLOSED', 'many-' || n, now(), 'm', '{"status": "CLOSED"}',
              'WAITING', 'NO_TICKET_YET', now(), now(), 1
         FROM accounts a, generate_series(1, $2::int) n WHERE a.email = $1`,
      [acmeDesk, maxNotApplied],
    );
  }

  test('keeps a bounded number of events, and the next one is to be sent again', async () => {
    const id = newId();
    await fillUp();
    const reply = await send(eventOf('closed', { external_id: id }), { ...own, id: 'msg_full' });
    expect([reply.status, JSON.parse(reply.text).error.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(await events(id)).toEqual([]);
    await apply('created', filing(id), own);
    await gateway.sql.query(`DELETE FROM inbound_ticket_events WHERE external_id LIKE 'many-%'`);
    const again = await send(eventOf('closed', { external_id: id }), { ...own, id: 'msg_full' });
    expect([again.status, (await ticketOf(id)).status]).toEqual([204, 'CLOSED']);
  });

  test('has an event that was dropped decided anew when it is sent again', async () => {
    const [id, email] = [newId(), `new-${randomUUID()}@vendor.example`];
    const { id: accountId } = await done(world.operator, 'addSupportEngineer', { email, name: 'New' });
    await apply('created', filing(id), own);
    await fillUp();
    const assigned = eventOf('assigned', { external_id: id, engineer: email });
    const assign = () => send(assigned, { ...own, id: `msg_${id}` });

    // The engineer is deactivated after the gateway has found them, so the command itself is refused.
    const dropped = await whileDeactivating(rawId(accountId), assign);
    expect([dropped.status, await ticketsOf(id)]).toMatchObject([503, [{ assignee: null }]]);
    await done(world.operator, 'reactivateAccount', { accountId });
    expect([(await assign()).status, await ticketsOf(id)]).toMatchObject([204, [{ assignee: email }]]);
    await gateway.sql.query(`DELETE FROM inbound_ticket_events WHERE external_id LIKE 'many-%'`);
  });

  test('receives an event anew whose first delivery is dropped while it is repeated', async () => {
    const id = newId();
    // Deletes the row before the gateway reads it, the first time only.
    await gateway.sql.query(`
      CREATE SEQUENCE deliveries;
      CREATE FUNCTION drop_first() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
      BEGIN
        IF nextval('public.deliveries') = 1 THEN
          DELETE FROM public.inbound_ticket_events WHERE external_id = '${id}';
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER drop_first AFTER INSERT ON inbound_ticket_events EXECUTE FUNCTION drop_first()`);
    await apply('created', filing(id), own);
    expect(await ticketsOf(id)).toHaveLength(1);
    await gateway.sql.query('DROP FUNCTION drop_first CASCADE; DROP SEQUENCE deliveries');
  });

  /** Does the work while a transaction deactivates the engineer, which commits once somebody waits for their caseload. */
  async function whileDeactivating(engineerId: string, work: () => Promise<Reply>): Promise<Reply> {
    const client = await gateway.sql.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SELECT ${exclusiveLock('caseload', '$1')}`, [engineerId]);
      await client.query('UPDATE accounts SET active = false WHERE id = $1', [engineerId]);
      const doing = work();
      await eventually(async () => {
        const { rowCount } = await gateway.sql.query(
          `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        expect(rowCount).toBe(1);
      });
      await client.query('COMMIT');
      return await doing;
    } finally {
      client.release(true);
    }
  }
});

test('a ticketing system whose account is not active is to send its events again', async () => {
  const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [acmeDesk]);
  await done(world.operator, 'deactivateAccount', { accountId: globalId('ServiceAccount', rows[0].id) });
  const body = eventOf('closed', { external_id: newId() });
  const reply = await send(body, { to: 'acme-desk', secret: secretOf(4) });
  expect([reply.status, JSON.parse(reply.text).error.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
});

test('events are forgotten after thirty days, whatever came of them', async () => {
  const [old, recent] = [newId(), newId()];
  for (const id of [old, recent]) await send(eventOf('closed', { external_id: id }));
  await using opened = new AsyncDisposableStack();
  const database = opened.adopt(
    openDatabase({ url: gateway.databaseUrl, logger: createLogger('silent') }),
    (one) => one.dispose(),
  );
  const { rows } = await gateway.sql.query(
    'SELECT received_at FROM inbound_ticket_events WHERE external_id = $1',
    [old],
  );
  await deleteOldEvents(database, new Date(rows[0].received_at.getTime() + eventsKeptFor + 1), 5_000);
  expect([await events(old), await events(recent)]).toMatchObject([[], [{ state: 'WAITING' }]]);
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
