/** What Rovo has stored: conversations that a grant names, and the deletion of all of it, which has nothing to do with grants. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { rawId } from '../support/rows.ts';
import {
  addRovoBackend,
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let admin: Person;
let engineer: Person;
let rovo: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  engineer = await gateway.as(world.engineer.email);
  rovo = await addRovoBackend(gateway);
});
afterAll(() => gateway.dispose());

async function look(person: Person, grantId: string): Promise<Json> {
  const query =
    'query ($id: ID!) { node(id: $id) { ... on Grant { state scope { kind conversationIds } } } }';
  return (await person.ask(query, { id: grantId })).node;
}

describe('Rovo conversations', () => {
  const scope = 'ROVO_CONVERSATIONS';
  const ask = async (ticketId: string, conversationIds: unknown, more = {}) =>
    await attempt(engineer, 'requestDataAccess', { ticketId, scope, conversationIds, ...more });
  const grantsOf = async (ticketId: string): Promise<Json[]> => {
    const { node } = await admin.ask(
      'query ($id: ID!) { node(id: $id) { ... on Ticket { grants { edges { node { id state scope { kind } } } } } } }',
      { id: ticketId },
    );
    return node.grants.edges.map((edge: Json) => edge.node);
  };

  test('are never implied by a grant of the product, by the consent box or by an approval of the ticket', async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world, { grantDataAccess: true });
    const consented = await fileTicket(gateway, world);
    await done(await gateway.as(world.acme.emails.jiraAdmin), 'approveDataAccess', {
      ticketId: consented.ticketId,
    });
    const product = { kind: 'PRODUCT_DATA', conversationIds: [] };
    expect(await look(admin, consented.grantId ?? '')).toEqual({ state: 'ACTIVE', scope: product });
    expect(await look(admin, grantId ?? '')).toMatchObject({ scope: product });
    const { id } = await ask(ticketId, ['chat-1']);
    await attempt(admin, 'approveDataAccess', { ticketId });
    expect((await look(admin, grantId ?? '')).state).toBe('ACTIVE');
    expect(await look(admin, id)).toMatchObject({ state: 'PENDING_APPROVAL' });
  });

  test('are opened by a grant of their own, which says exactly which', async () => {
    const { ticketId } = await fileTicket(gateway, world);
    const { id } = await ask(ticketId, ['chat-2', 'chat-1', 'chat-2', ' chat-3 ']);
    const asked = { kind: scope, conversationIds: ['chat-2', 'chat-1', 'chat-3'] };
    expect(await look(admin, id)).toEqual({ state: 'PENDING_APPROVAL', scope: asked });
    await done(admin, 'approveDataAccess', { grantId: id });
    for (const person of [admin, engineer]) {
      expect(await look(person, id)).toEqual({ state: 'ACTIVE', scope: asked });
    }
    // Neither of the two grants ends with the other one.
    const ofProduct = (await grantsOf(ticketId)).find((grant) => grant.scope.kind === 'PRODUCT_DATA');
    await done(admin, 'approveDataAccess', { grantId: ofProduct?.id });
    await done(admin, 'revokeDataAccess', { grantId: ofProduct?.id });
    expect((await look(admin, id)).state).toBe('ACTIVE');
    await done(admin, 'revokeDataAccess', { grantId: id });
    expect((await look(admin, id)).state).toBe('REVOKED');
  });

  test.each([
    ['for conversations, and names none', { scope, conversationIds: [] }],
    ['for conversations, and leaves them out', { scope }],
    ["for the product's data, and names conversations", { conversationIds: ['chat-1'] }],
    ['for more than 100', { scope, conversationIds: Array.from({ length: 101 }, (_, at) => `chat-${at}`) }],
    ['for one whose id has an invisible character', { scope, conversationIds: ['chat\u200b-1'] }],
    ['for one whose id is blank', { scope, conversationIds: [' '] }],
    ['for one whose id is longer than 200 characters', { scope, conversationIds: ['x'.repeat(201)] }],
  ])('are not opened by a request %s', async (_, input) => {
    const { ticketId } = await fileTicket(gateway, world);
    await done(admin, 'denyDataAccess', { grantId: (await grantsOf(ticketId))[0]?.id });
    const answer = await attempt(engineer, 'requestDataAccess', { ticketId, ...input });
    expect(answer.code).toBe('INVALID_INPUT');
    expect(await grantsOf(ticketId)).toHaveLength(1);
  });

  test('of a request are not exchanged for others: those take a grant of their own', async () => {
    const { ticketId } = await fileTicket(gateway, world);
    const { id } = await ask(ticketId, ['chat-1']);
    expect(await ask(ticketId, ['chat-2'])).toMatchObject({ code: 'ALREADY_REQUESTED' });
    await done(admin, 'approveDataAccess', { grantId: id });
    const next = await ask(ticketId, ['chat-2']);
    expect((await look(admin, next.id)).scope.conversationIds).toEqual(['chat-2']);
    await done(admin, 'denyDataAccess', { grantId: next.id });
    expect(await look(admin, id)).toMatchObject({ state: 'ACTIVE', scope: { conversationIds: ['chat-1'] } });
  });
});

describe("the deletion of Rovo's data", () => {
  const { organizationId, sites } = {
    organizationId: () => world.acme.organizationId,
    sites: () => world.acme.sites,
  };
  const request = async (more: object = {}, by = admin) =>
    await attempt(by, 'requestRovoDataDeletion', { organizationId: organizationId(), ...more });
  const record = async (rovoDataDeletionId: string, step: string, reason?: string) =>
    await attempt(rovo, 'recordRovoDataDeletion', { rovoDataDeletionId, step, reason });
  const complete = async (id: string) => {
    await record(id, 'STARTED');
    return await record(id, 'COMPLETED');
  };
  const mailsAbout = async (id: string): Promise<string[]> => {
    const { rows } = await gateway.sql.query(
      `SELECT m.kind, a.email FROM mails m JOIN accounts a ON a.id = m.recipient_id
        WHERE m.about_id = $1 ORDER BY m.created_at, m.kind`,
      [rawId(id)],
    );
    return rows.map(({ kind, email }) => `${kind} ${email}`);
  };

  test('is requested, begun, tried again and completed, and its organization admins are told', async () => {
    const { id, ...asked } = await request({ siteId: sites().main.id, reason: 'We move' });
    expect(asked).toMatchObject({ __typename: 'RovoDataDeletion', state: 'REQUESTED', version: 1 });
    expect(await mailsAbout(id)).toEqual([`rovo-deletion-requested ${admin.email}`]);
    expect(await record(id, 'STARTED')).toMatchObject({ state: 'IN_PROGRESS' });
    expect(await record(id, 'FAILED', 'No space')).toMatchObject({
      ...{ state: 'FAILED', failureReason: 'No space' },
    });
    expect(await record(id, 'STARTED')).toMatchObject({ state: 'IN_PROGRESS', failureReason: null });
    expect(await record(id, 'COMPLETED')).toMatchObject({ state: 'COMPLETED', version: 5 });
    expect(await mailsAbout(id)).toEqual([
      ...[`rovo-deletion-requested ${admin.email}`, `rovo-deletion-completed ${admin.email}`],
    ]);
    expect(await record(id, 'STARTED')).toMatchObject({ code: 'DELETION_OVER' });
  });

  test('of the organization and of each site is open once at a time', async () => {
    const [all, main, original] = await Promise.all([
      request(),
      request({ siteId: sites().main.id }),
      request({ siteId: sites().original.id }),
    ]);
    for (const more of [{}, { siteId: sites().main.id }]) {
      expect(await request(more)).toMatchObject({ code: 'DELETION_ALREADY_REQUESTED' });
    }
    const twice = await Promise.all([1, 2].map(() => request({ siteId: sites().restricted.id })));
    expect(twice.map(({ code, state }) => code ?? state).sort()).toEqual([
      ...['DELETION_ALREADY_REQUESTED', 'REQUESTED'],
    ]);
    // One that failed is still open; one that is over is not.
    await record(main.id, 'STARTED');
    await record(main.id, 'FAILED');
    expect(await request({ siteId: sites().main.id })).toMatchObject({ code: 'DELETION_ALREADY_REQUESTED' });
    await complete(main.id);
    await done(admin, 'withdrawRovoDataDeletion', { rovoDataDeletionId: all.id });
    for (const { id } of [await request({ siteId: sites().main.id }), await request(), original])
      await complete(id);
    expect(await request({ siteId: world.globex.sites.main.id })).toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is withdrawn only before it begins', async () => {
    const { id } = await request({ siteId: sites().original.id });
    const input = { rovoDataDeletionId: id };
    const may = async () => {
      const { node } = await admin.ask(
        `query ($id: ID!) { node(id: $id) { ... on RovoDataDeletion { viewerMay {
           withdrawRovoDataDeletion { allowed code } recordRovoDataDeletion { allowed code } } } } }`,
        { id },
      );
      return node.viewerMay;
    };
    expect(await may()).toEqual({
      withdrawRovoDataDeletion: { allowed: true, code: null },
      recordRovoDataDeletion: { allowed: false, code: 'FORBIDDEN' },
    });
    await record(id, 'STARTED');
    expect(await may()).toMatchObject({
      withdrawRovoDataDeletion: { allowed: false, code: 'DELETION_STARTED' },
    });
    expect(await attempt(admin, 'withdrawRovoDataDeletion', input)).toMatchObject({
      code: 'DELETION_STARTED',
    });
    await record(id, 'COMPLETED');
  });

  test('is found by the backend of Rovo, which alone records it', async () => {
    const { id } = await request({ siteId: sites().original.id });
    const query = `query ($state: RovoDataDeletionState) { rovoDataDeletions(state: $state) { edges { node {
      id site { url } organization { name } requestedBy { email } } } } }`;
    const { rovoDataDeletions } = await rovo.ask(query, { state: 'REQUESTED' });
    const found = rovoDataDeletions.edges.map((edge: Json) => edge.node);
    expect(found[0]).toEqual({
      ...{ id, site: { url: sites().original.url }, organization: { name: 'acme' } },
      requestedBy: { email: admin.email },
    });
    for (const person of [admin, world.operator]) {
      const answer = await attempt(person, 'recordRovoDataDeletion', {
        ...{ rovoDataDeletionId: id, step: 'STARTED' },
      });
      expect(answer.code).toBe('FORBIDDEN');
    }
    expect(await record(id, 'STARTED', 'No reason')).toMatchObject({ code: 'INVALID_INPUT' });
    await complete(id);
  });

  test('does not end a grant', async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    await done(admin, 'approveDataAccess', { grantId });
    const { id: chats } = await done(engineer, 'requestDataAccess', {
      ...{ ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['chat-1'] },
    });
    await done(admin, 'approveDataAccess', { grantId: chats });
    const { id } = await request();
    expect(await complete(id)).toMatchObject({ state: 'COMPLETED' });
    for (const one of [grantId, chats]) expect((await look(engineer, one ?? '')).state).toBe('ACTIVE');
  });

  test('is not held by a grant, nor by the end of one', async () => {
    const { ticketId } = await fileTicket(gateway, world);
    const { id: chats } = await done(engineer, 'requestDataAccess', {
      ...{ ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['chat-1'] },
    });
    const { id } = await request();
    await done(admin, 'approveDataAccess', { grantId: chats });
    expect(await record(id, 'STARTED')).toMatchObject({ state: 'IN_PROGRESS' });
    await done(admin, 'revokeDataAccess', { grantId: chats });
    expect(await record(id, 'COMPLETED')).toMatchObject({ state: 'COMPLETED' });
  });
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
