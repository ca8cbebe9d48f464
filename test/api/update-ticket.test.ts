/** What `updateTicket` does to a ticket, its grants, sessions and change requests, and what subscribers learn of it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { rawId } from '../support/rows.ts';
import {
  attempt,
  type Customer,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let acme: Customer;
let engineer: Person;
let admin: Person;
let ticketing: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  acme = world.acme;
  engineer = await gateway.as(world.engineer.email);
  admin = await gateway.as(acme.emails.organizationAdmin);
  ticketing = await gateway.as(world.services.ticketing);
});
afterAll(() => gateway.dispose());

const update = async (input: Record<string, unknown>, by = ticketing) =>
  await attempt(by, 'updateTicket', input);

/** A ticket with active access that is used, a request for conversations, and a change that was consented to. */
async function busyTicket(): Promise<string> {
  const { ticketId, grantId } = await fileTicket(gateway, world);
  await done(admin, 'approveDataAccess', { grantId });
  const use = { grantId, reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' };
  await done(engineer, 'startSupportSession', use);
  const rovo = { scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] };
  await done(engineer, 'requestDataAccess', { ticketId, ...rovo });
  const { id: changeRequestId } = await done(engineer, 'requestChange', {
    ...{ ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
    ...{ description: 'Switch it on', justification: 'It is off' },
    validUntil: new Date(Date.now() + 86_400_000).toISOString(),
  });
  await done(admin, 'consentToChange', { changeRequestId });
  return ticketId;
}

/** What has become of everything on the ticket. */
async function outcomeOf(ticketId: string): Promise<Json> {
  const of = async (table: string) => {
    const { rows } = await gateway.sql.query(
      `SELECT ${table === 'support_sessions' ? `'ENDED'` : 'state::text'} AS state, end_reason::text AS reason
         FROM ${table} WHERE ticket_id = $1 AND ended_at IS NOT NULL ORDER BY id`,
      [rawId(ticketId)],
    );
    return rows.map(({ state, reason }) => `${state} ${reason}`);
  };
  return {
    grants: await of('grants'),
    sessions: await of('support_sessions'),
    changes: await of('change_requests'),
  };
}
const nothingEnded = { grants: [], sessions: [], changes: [] };

test('a summary or another open status ends nothing', async () => {
  const ticketId = await busyTicket();
  await update({ ticketId, summary: ' It is very slow ', status: 'WAITING_FOR_CUSTOMER' });
  const { node } = await admin.ask(`{ node(id: "${ticketId}") { ... on Ticket { summary status } } }`);
  expect(node).toEqual({ summary: 'It is very slow', status: 'WAITING_FOR_CUSTOMER' });
  expect(await outcomeOf(ticketId)).toEqual(nothingEnded);
});

test('with another product, nothing of what was for the old one is left', async () => {
  const ticketId = await busyTicket();
  const query = `subscription { grantEvents(filter: { ticketId: "${ticketId}" }) { type grant { endReason } } }`;
  const events = engineer.socket().iterate({ query });
  await events.next();
  await update({ ticketId, productKey: 'confluence' });
  expect(await outcomeOf(ticketId)).toEqual({
    grants: ['ENDED PRODUCT_CHANGED', 'WITHDRAWN PRODUCT_CHANGED'],
    sessions: ['ENDED PRODUCT_CHANGED'],
    changes: ['WITHDRAWN PRODUCT_CHANGED'],
  });
  const types = [await nextOfGrant(events), await nextOfGrant(events)].map(
    ({ type, grant }: Json) => `${type} ${grant.endReason}`,
  );
  expect(types.toSorted()).toEqual(['ENDED PRODUCT_CHANGED', 'WITHDRAWN PRODUCT_CHANGED']);
  await events.return?.();

  const shown = await admin.ask(`{ node(id: "${ticketId}") { ... on Ticket {
    product { key } timeline(first: 5) { edges { node { summary } } } } } }`);
  expect(shown.node.product).toEqual({ key: 'confluence' });
  expect(shown.node.timeline.edges.map((edge: Json) => edge.node.summary)).toContain(
    "Access to the product's data ended: the ticket is about another product now.",
  );
  // The new product is granted anew, by whoever may grant for it.
  const jiraAdmin = await gateway.as(acme.emails.jiraAdmin);
  expect(await attempt(jiraAdmin, 'approveDataAccess', { ticketId })).toMatchObject({ code: 'NOT_ELIGIBLE' });
  expect(await done(engineer, 'requestDataAccess', { ticketId })).toMatchObject({
    state: 'PENDING_APPROVAL',
  });
  await done(await gateway.as(acme.emails.confluenceAdmin), 'approveDataAccess', { ticketId });
});

test('the status CLOSED does what closeTicket does, also together with another product', async () => {
  for (const more of [{}, { productId: acme.sites.main.products.confluence }]) {
    const ticketId = await busyTicket();
    await update({ ticketId, status: 'CLOSED', ...more });
    expect(await outcomeOf(ticketId)).toEqual({
      grants: ['REVOKED TICKET_CLOSED', 'WITHDRAWN TICKET_CLOSED'],
      sessions: ['ENDED TICKET_CLOSED'],
      changes: ['WITHDRAWN TICKET_CLOSED'],
    });
    const { node } = await admin.ask(`{ node(id: "${ticketId}") { ... on Ticket { status closedAt } } }`);
    expect(node).toEqual({ status: 'CLOSED', closedAt: expect.any(String) });
  }
});

test('a closed ticket may get another summary and product, and is not reopened', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  await update({ ticketId, status: 'CLOSED' });
  expect(await update({ ticketId, status: 'OPEN', summary: 'It is slow again' })).toMatchObject({
    code: 'TICKET_CLOSED',
  });
  expect(await update({ ticketId, summary: 'It was slow', productKey: 'confluence' })).not.toHaveProperty(
    'code',
  );
});

test('what is so already is written nowhere', async () => {
  const ticketId = await busyTicket();
  const first = await update({ ticketId, summary: 'Slow', productKey: 'jira', status: 'RESOLVED' });
  const count = async () => (await gateway.sql.query('SELECT count(*) FROM audit_entries')).rows;
  const before = await count();
  expect(await update({ ticketId, summary: 'Slow', productKey: 'jira', status: 'RESOLVED' })).toEqual(first);
  expect(await count()).toEqual(before);
  expect(await outcomeOf(ticketId)).toEqual(nothingEnded);
});

test.each([
  [{}, 'must have a summary, a product or a status'],
  [{ productKey: 'jira', productId: 'jira of main' }, 'at most one of productId and productKey'],
  [{ productKey: 'trello' }, 'productKey: must name a product on the site'],
  [{ productId: 'jira elsewhere' }, 'productId: must name a product on the site'],
  [{ productId: 'jira of Globex' }, 'productId: must name a product on the site'],
])('%j is refused: %s', async (input: Record<string, unknown>, message) => {
  const { ticketId } = await fileTicket(gateway, world);
  const ids: Record<string, string> = {
    'jira of main': acme.sites.main.products.jira,
    'jira elsewhere': acme.sites.original.products.jira,
    'jira of Globex': world.globex.sites.main.products.jira,
  };
  const named = { ...input, ...('productId' in input ? { productId: ids[String(input['productId'])] } : {}) };
  expect(await update({ ticketId, ...named })).toMatchObject({
    ...{ code: 'INVALID_INPUT', message: expect.stringContaining(message) },
  });
});

test('is for the ticketing system and the engineer of the ticket', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const summary = 'It is slow for everybody';
  expect(await update({ ticketId, summary }, engineer)).not.toHaveProperty('code');
  expect(await update({ ticketId, summary }, admin)).toMatchObject({ code: 'FORBIDDEN' });
  const stranger = await gateway.as(world.globex.emails.organizationAdmin);
  expect(await update({ ticketId, summary }, stranger)).toMatchObject({ code: 'NOT_FOUND' });
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
