/** The spans of an operation: which there are, how they nest, and that none says anything of people. */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { inSpan, OuterSpan, withLastSpan } from '../../src/metrics/spans.ts';
import type { TestGateway } from '../support/gateway.ts';
import { recordSpans } from '../support/span-recorder.ts';
import { fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const recorder = recordSpans();
const { spans } = recorder;
let gateway: TestGateway;
let world: World;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
});
afterAll(async () => {
  await gateway.dispose();
  recorder[Symbol.dispose]();
});
beforeEach(() => {
  spans.length = 0;
});

const stepsOf = (command: string) =>
  ['', ' > lock', ' > load', ' > decide', ' > write', ' > commit'].map((step) => `command ${command}${step}`);

/** The paths of an operation with one command. */
const pathsOf = (operation: string, command: string) => [
  operation,
  ...['context', 'execute', 'parse', 'validate'].map((step) => `${operation} > ${step}`),
  ...stepsOf(command).map((path) => `${operation} > execute > ${path}`),
  `${operation} > execute > publish`,
];

const paths = () => spans.map(({ path }) => path);

/** The client chooses the operation's name, the alias and the values. */
const approval = `mutation Secret($grantId: ID!) {
  secret: approveDataAccess(input: { grantId: $grantId, path: ADMIN_CONSOLE, reason: "secret" }) { ... on Grant { state } }
}`;

async function openRequest(): Promise<string> {
  const { grantId } = await fileTicket(gateway, world);
  spans.length = 0;
  return grantId ?? '';
}

test('an operation over HTTP has those of its steps, of its command and of the commit', async () => {
  const admin = await gateway.as(world.acme.emails.jiraAdmin);
  await admin.ask(approval, { grantId: await openRequest() });
  await expect.poll(() => spans.every(({ ends }) => ends === 1)).toBe(true);
  expect(paths().sort()).toEqual(pathsOf('mutation approveDataAccess', 'approveDataAccess').sort());
});

test('of a document that is known, nothing is parsed', async () => {
  const admin = await gateway.as(world.acme.emails.jiraAdmin);
  const query = '{ viewer { kind } }';
  await admin.ask(query);
  spans.length = 0;
  await admin.ask(query);
  expect(paths().sort()).toEqual(['', ' > context', ' > execute'].map((step) => `query viewer${step}`));
});

test('over a WebSocket likewise; a subscription has one until it streams', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const grantId = await openRequest();
  const client = createClient({
    ...{ url: `${gateway.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, retryAttempts: 0 },
    connectionParams: { token: admin.token },
  });
  const query = approval.replace('Secret', 'OverSocket');
  for await (const { data } of client.iterate({ query, variables: { grantId } }))
    expect(data).toEqual({ secret: { state: 'ACTIVE' } });
  expect(paths().sort()).toEqual(pathsOf('mutation approveDataAccess', 'approveDataAccess').sort());
  spans.length = 0;
  for await (const { data } of client.iterate({ query: 'subscription { grantEvents { __typename } }' })) {
    expect(data).toBeTruthy();
    break;
  }
  expect(spans.find(({ name }) => name === 'subscription grantEvents')?.ends).toBe(1);
  await client.dispose();
});

test('commands in bulk share a span, a transaction and a commit', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const items = [await openRequest(), await openRequest()].map((grantId) => ({ grantId }));
  await admin.ask(
    `mutation ($input: DenyDataAccessInBulkInput!) { denyDataAccessInBulk(input: $input) { ... on BulkPayload { results { grantId } } } }`,
    { input: { items } },
  );
  expect(paths().sort()).toEqual(pathsOf('mutation denyDataAccessInBulk', 'denyDataAccess').sort());
});

test('none names people, ids or what a client sent, and their names are few', async () => {
  const admin = await gateway.as(world.acme.emails.jiraAdmin);
  await admin.ask(approval, { grantId: await openRequest() });
  await admin.send('query Secret { secret: noSuchField }');
  await admin.send('{ nonsense');
  await admin.send('query Secret { secret: __typename ticket(key: "SUP-secret") { id } }');
  for (const { name, attributes } of spans) {
    expect(name).toMatch(
      /^(operation|(query|mutation) (approveDataAccess|ticket)|command approveDataAccess|context|parse|validate|execute|lock|load|decide|write|commit|publish)$/,
    );
    expect(Object.keys(attributes)).toEqual(
      Object.keys(attributes).filter((key) => /^latchkey\.(transport|ended)$|^error\.type$/.test(key)),
    );
    expect(JSON.stringify(attributes)).not.toMatch(/secret|@|[0-9a-f]{8}-/i);
  }
});

test('one that failed has the name of the error, and not its message', async () => {
  const secret = new TypeError('secret');
  const fail = () => Promise.reject(secret);
  expect(() =>
    inSpan('sync', {}, () => {
      throw secret;
    }),
  ).toThrow(secret);
  await expect(inSpan('async', {}, fail)).rejects.toBe(secret);
  const outer = new OuterSpan('outer', {});
  await expect(outer.within('step', fail)).rejects.toBe(secret);
  outer.end();
  const committing = withLastSpan('last', async (begin) => {
    begin();
    await fail();
  });
  await expect(committing).rejects.toBe(secret);
  await expect(withLastSpan('none', fail)).rejects.toBe(secret);
  expect(spans.map(({ path, ends, attributes, status }) => [path, ends, attributes, status?.code])).toEqual([
    ...['sync', 'async'].map((path) => [path, 1, { 'error.type': 'TypeError' }, 2]),
    ['outer', 1, {}, undefined],
    ...['outer > step', 'last'].map((path) => [path, 1, { 'error.type': 'TypeError' }, 2]),
  ]);
});
