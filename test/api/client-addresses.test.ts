/** From which address people acted, and by which request, on the audit log: where it is recorded, and who sees it. */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type AuditEntry, sentBy } from '../../src/audit/entry.ts';
import { noSource } from '../../src/platform/request-source.ts';
import { generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { attempt, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ config: { trustedProxies: ['127.0.0.1'] } }));
});
afterAll(() => gateway.dispose());

/** The person, behind a proxy that names this address. */
function from(address: string, person: Person, headers: Record<string, string> = {}): Person {
  return {
    ...person,
    async ask(query, variables = {}) {
      const response = await fetch(`${gateway.url}/graphql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${person.token}`,
          'content-type': 'application/json',
          'x-forwarded-for': `203.0.113.9, ${address}`,
          ...headers,
        },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(generousMs),
      });
      const { data, errors } = (await response.json()) as { data: Json; errors?: unknown };
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
  };
}

const log = `query Log($filter: AuditLogFilter) { auditLog(filter: $filter, first: 100) { edges { node {
  action actor { email kind } outcome clientAddress } } } }`;

/** The addresses that the reader sees on these entries, by `action actor`. */
async function addressesOf(
  reader: Person,
  filter: Record<string, unknown>,
): Promise<Record<string, string | null>> {
  const { auditLog } = await reader.ask(log, { filter });
  return Object.fromEntries(
    auditLog.edges.map(({ node }: Json) => [
      `${node.action} ${node.actor.email ?? node.actor.kind}`,
      node.clientAddress,
    ]),
  );
}

const aGrant = async () => {
  const { grantId, ticketId } = await fileTicket(gateway, world);
  if (grantId === null) throw new Error('The ticket has no request');
  return { grantId, ticketId };
};

test('an entry has the address of the request that caused it, accepted or refused', async () => {
  const { grantId, ticketId } = await aGrant();
  const { emails } = world.acme;
  const approve = { grantId, path: 'ADMIN_CONSOLE' };
  const stranger = from('192.0.2.2', await gateway.as(emails.confluenceAdmin));
  expect(await attempt(stranger, 'approveDataAccess', approve)).toMatchObject({ code: 'NOT_ELIGIBLE' });
  await done(from('2001:DB8::0:1', await gateway.as(emails.jiraAdmin)), 'approveDataAccess', approve);
  await done(from('192.0.2.4', world.admins.acme), 'revokeDataAccessInBulk', { items: [{ grantId }] });
  expect(
    await addressesOf(world.admins.acme, { ticketId, actions: ['GRANT_APPROVE', 'GRANT_REVOKE'] }),
  ).toEqual({
    [`GRANT_APPROVE ${emails.confluenceAdmin}`]: '192.0.2.2',
    [`GRANT_APPROVE ${emails.jiraAdmin}`]: '2001:db8::1',
    [`GRANT_REVOKE ${emails.organizationAdmin}`]: '192.0.2.4',
  });
});

test('an entry has the ids of its request and its trace, and its side sees by which program it was sent', async () => {
  const { grantId, ticketId } = await aGrant();
  const headers = {
    ...{ 'x-request-id': 'req-1', 'user-agent': 'Portal/2.1' },
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  };
  const admin = from('192.0.2.6', world.admins.acme, headers);
  await done(admin, 'approveDataAccess', { grantId, path: 'ADMIN_CONSOLE' });
  await done(from('192.0.2.6', world.admins.acme, { 'x-request-id': 'not one' }), 'revokeDataAccess', {
    grantId,
  });
  const query = `query Sent($filter: AuditLogFilter) { auditLog(filter: $filter, orderBy: NEWEST) { edges { node {
    action requestId traceId userAgent } } } }`;
  const filter = { ticketId, actions: ['GRANT_APPROVE', 'GRANT_REVOKE'] };
  const sentTo = async (reader: Person) => {
    const { auditLog } = await reader.ask(query, { filter });
    return auditLog.edges.map(({ node }: Json) => node);
  };
  const sent = { requestId: 'req-1', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  expect(await sentTo(world.admins.acme)).toEqual([
    { action: 'GRANT_REVOKE', requestId: expect.stringMatching(uuid), traceId: null, userAgent: 'node' },
    { action: 'GRANT_APPROVE', ...sent, userAgent: 'Portal/2.1' },
  ]);
  expect(await sentTo(world.operator)).toMatchObject([
    { userAgent: null },
    { action: 'GRANT_APPROVE', ...sent, userAgent: null },
  ]);
});

test('over a WebSocket, it is that of the request that has opened it', async () => {
  const { grantId, ticketId } = await aGrant();
  const admin = world.admins.acme;
  const client = createClient({
    url: `${gateway.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers: { 'x-forwarded-for': '192.0.2.5' } });
      }
    },
    connectionParams: { token: admin.token },
    retryAttempts: 0,
  });
  const query = `mutation { denyDataAccess(input: { grantId: "${grantId}" }) { ... on Grant { state } } }`;
  for await (const { data } of client.iterate({ query }))
    expect(data).toEqual({ denyDataAccess: { state: 'DENIED' } });
  await client.dispose();
  expect(await addressesOf(admin, { ticketId, action: 'GRANT_DENY' })).toEqual({
    [`GRANT_DENY ${admin.email}`]: '192.0.2.5',
  });
});

describe('each side sees the addresses of its own people', () => {
  const filed = 'TICKET_CREATE';
  let ticketId: string;
  let engineer: Person;
  let expected: { people: Record<string, string | null>; vendor: Record<string, string | null> };

  beforeAll(async () => {
    const reporter = await gateway.as(world.acme.emails.reporter);
    engineer = await gateway.as(world.engineer.email);
    const productId = world.acme.sites.main.products.jira;
    const ticket = { productId, summary: 'It is slow', grantDataAccess: false };
    ticketId = (await done(from('192.0.2.10', reporter), 'createTicket', ticket)).id;
    const assignment = { ticketId, engineerId: world.engineer.id };
    await done(from('192.0.2.11', world.operator), 'assignTicket', assignment);
    const asked = { ticketId, justification: 'To see the board' };
    await attempt(from('192.0.2.12', engineer), 'requestDataAccess', asked);
    const entries = {
      [`${filed} ${reporter.email}`]: '192.0.2.10',
      [`GRANT_REQUEST ${reporter.email}`]: '192.0.2.10',
      [`TICKET_ASSIGN ${world.operator.email}`]: '192.0.2.11',
      [`GRANT_REQUEST ${engineer.email}`]: '192.0.2.12',
    };
    const shown = (which: (key: string) => boolean) =>
      Object.fromEntries(Object.entries(entries).map(([key, address]) => [key, which(key) ? address : null]));
    const isPeoples = (key: string) => key.endsWith(reporter.email);
    expected = {
      people: shown(isPeoples),
      vendor: shown((key) => !isPeoples(key)),
    };
  });

  const seenBy = (reader: Person) =>
    addressesOf(reader, { ticketId, actions: [filed, 'TICKET_ASSIGN', 'GRANT_REQUEST'] });
  const auditing = async (email: string, organizationId?: string) => {
    const added = { email, name: email, capabilities: ['AUDIT_READING'], organizationId };
    await done(world.operator, 'addServiceAccount', added);
    return await gateway.as(email);
  };

  test("a customer's admins and programs those of users", async () => {
    expect(await seenBy(world.admins.acme)).toEqual(expected.people);
    expect(await seenBy(world.guardAdmins.acme)).toEqual(expected.people);
    expect(await seenBy(await auditing('siem@acme.example', world.acme.organizationId))).toEqual(
      expected.people,
    );
  });

  test("the vendor's operators, analysts and programs those of engineers and operators", async () => {
    expect(await seenBy(world.operator)).toEqual(expected.vendor);
    expect(await seenBy(await gateway.as(world.services.auditing))).toEqual(expected.vendor);
    const analyst = { email: 'cora@vendor.example', name: 'Cora' };
    await done(world.operator, 'addComplianceAnalyst', analyst);
    expect(await seenBy(await gateway.as(analyst.email))).toEqual(expected.vendor);
  });

  test('an engineer their own', async () => {
    expect(await seenBy(engineer)).toEqual({ [`GRANT_REQUEST ${engineer.email}`]: '192.0.2.12' });
  });

  test('nobody finds an entry by an address that they do not see, alone or in a range, or learns how many there are', async () => {
    const readers = [
      ...[world.admins.acme, world.guardAdmins.acme, world.operator, engineer],
      await gateway.as(world.services.auditing),
      await auditing('finder@acme.example', world.acme.organizationId),
    ];
    const query = `query ($filter: AuditLogFilter) { auditLog(filter: $filter) {
      totalCount { count isExact } edges { node { clientAddress } } } }`;
    for (const reader of readers) {
      const seen = Object.values(await seenBy(reader));
      for (const last of [10, 11, 12]) {
        for (const address of [`192.0.2.${last}`, `::ffff:192.0.2.${last}/128`, `192.0.2.${last}/31`]) {
          const clientAddresses = [address];
          const shown = seen.filter((one) =>
            address.endsWith('/31')
              ? one !== null && Math.floor(Number(one.split('.')[3]) / 2) === Math.floor(last / 2)
              : one === `192.0.2.${last}`,
          );
          const filter = { ticketId, clientAddresses, actions: [filed, 'TICKET_ASSIGN', 'GRANT_REQUEST'] };
          const { auditLog } = await reader.ask(query, { filter });
          const found: (string | null)[] = auditLog.edges.map(({ node }: Json) => node.clientAddress);
          expect(found.sort(), `${reader.email} ${address}`).toEqual(shown.sort());
          expect(auditLog.totalCount).toEqual({ count: shown.length, isExact: true });
        }
      }
    }
  });

  test("what is on the vendor's log alone has the addresses of all", async () => {
    const { grantId } = await aGrant();
    const globex = world.admins.globex;
    const guess = { grantId, path: 'ADMIN_CONSOLE' };
    expect(await attempt(from('192.0.2.20', globex), 'approveDataAccess', guess)).toMatchObject({
      code: 'NOT_FOUND',
    });
    const guessed = { actorEmail: globex.email, action: 'GRANT_APPROVE' };
    expect(await addressesOf(world.operator, guessed)).toEqual({
      [`GRANT_APPROVE ${globex.email}`]: '192.0.2.20',
    });
  });
});

test('a first sign-in has the address of its request', async () => {
  const { trustedUser: email } = world.globex.emails;
  const person = from('192.0.2.30', await gateway.as(email));
  await gateway.sql.query('UPDATE accounts SET subject = NULL, subject_issuer = NULL WHERE email = $1', [
    email,
  ]);
  await person.ask('{ viewer { kind } }');
  expect(await addressesOf(world.operator, { actorEmail: email, action: 'ACCOUNT_BIND_SUBJECT' })).toEqual({
    [`ACCOUNT_BIND_SUBJECT ${email}`]: '192.0.2.30',
  });
});

test('what others have done, or a time limit, has no address of the request on the way of which it was written', () => {
  const entry: Omit<AuditEntry, 'actor'> = {
    ...{ action: 'grant.expire', resource: { type: 'Grant', id: 'g' }, organizationId: null },
    ...{ refusalCode: null, occurredAt: new Date(), details: {} },
  };
  const by = (id: string) => ({ ...entry, actor: { kind: 'USER' as const, id, email: '', name: '' } });
  const bySystem = { ...entry, actor: { kind: 'SYSTEM' as const } };
  const source = { ...noSource, clientAddress: '192.0.2.1' };
  expect(sentBy({ accountId: 'a', source }, [by('a'), by('b'), bySystem])).toEqual([
    { ...by('a'), source },
    by('b'),
    bySystem,
  ]);
});
