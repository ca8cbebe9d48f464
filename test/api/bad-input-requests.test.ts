/**
 * Requests that are invalid as HTTP, as GraphQL documents or as WebSocket messages. Each gets the right error, and
 * nothing is written.
 */
import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { attempt, fileTicket, startGatewayWithWorld } from '../support/world.ts';
import { journal, type Written } from '../support/written.ts';
import { connect, open } from './bad-input-socket.ts';

let gateway: TestGateway;
let admin: Person;
let ticketId: string;
let grantId: string;
let written: () => Promise<Written[]>;

beforeAll(async () => {
  const filled = await startGatewayWithWorld({ maintenance: false });
  const { world } = filled;
  ({ gateway } = filled);
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  await admin.ask('{ viewer { kind } }');
  const filed = await fileTicket(gateway, world);
  ticketId = filed.ticketId;
  grantId = filed.grantId ?? '';
  written = await journal(gateway.sql);
});
beforeEach(() => written());
afterAll(() => gateway.dispose());

/** A valid mutation, for requests that are invalid in another way. */
const mutation =
  'mutation ($input: ApproveDataAccessInput!) { approveDataAccess(input: $input) { __typename } }';

function body(more: Record<string, unknown> = {}): string {
  return JSON.stringify({ query: mutation, variables: { input: { ticketId } }, ...more });
}

type Sent = { method?: string; path?: string; headers?: Record<string, string>; body?: string | Buffer };

/** Sends a request that `fetch` would refuse to send. */
async function send({ method = 'POST', path = '/graphql', headers = {}, body: sent }: Sent) {
  return await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = httpRequest(
      `${gateway.url}${path}`,
      {
        method,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${admin.token}`, ...headers },
        agent: false,
        signal: AbortSignal.timeout(generousMs),
      },
      async (response) => resolve({ status: response.statusCode ?? 0, text: await text(response) }),
    );
    request.on('error', reject);
    request.end(sent);
  });
}

describe('over HTTP', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

  test.each<[what: string, sent: () => Sent, status: number]>([
    ['no body', () => ({}), 400],
    ['a body that is cut off', () => ({ body: body().slice(0, -1) }), 400],
    ['a body that goes on', () => ({ body: `${body()}}` }), 400],
    ['no JSON', () => ({ body: 'mutation' }), 400],
    ['JSON with comments', () => ({ body: `/* hello */ ${body()}` }), 400],
    ['null', () => ({ body: 'null' }), 400],
    ['a number', () => ({ body: '7' }), 400],
    ['a text', () => ({ body: '"{ viewer { kind } }"' }), 400],
    ['a batch', () => ({ body: `[${body()},${body()}]` }), 400],
    ['an empty batch', () => ({ body: '[]' }), 400],
    ['a very deep batch', () => ({ body: nested(100_000) }), 400],
    ['no query', () => ({ body: '{}' }), 400],
    ['a query that is a number', () => ({ body: body({ query: 7 }) }), 400],
    ['a query that is a list', () => ({ body: body({ query: [mutation] }) }), 400],
    ['variables that are a text', () => ({ body: body({ variables: '{}' }) }), 400],
    ['variables that are a list', () => ({ body: body({ variables: [{ input: { ticketId } }] }) }), 400],
    ['extensions that are a text', () => ({ body: body({ extensions: 'x' }) }), 400],
    ['an operation name that is a number', () => ({ body: body({ operationName: 7 }) }), 400],
    ['a parameter there is not', () => ({ body: body({ doc_id: '1' }) }), 400],
    [
      'bytes that are no text',
      () => ({ body: Buffer.concat([Buffer.from('{"query":"'), Buffer.of(0xff, 0xfe)]) }),
      400,
    ],
    [
      'too much',
      () => ({ body: body({ variables: { input: { ticketId, reason: 'x'.repeat(300_000) } } }) }),
      413,
    ],
    [
      'too much, not announced',
      () => ({
        body: body({ variables: { input: { ticketId, reason: 'x'.repeat(300_000) } } }),
        headers: { 'transfer-encoding': 'chunked' },
      }),
      413,
    ],
    ['plain text', () => ({ body: body(), headers: { 'content-type': 'text/plain' } }), 415],
    [
      'a form',
      () => ({
        body: `query=${encodeURIComponent(mutation)}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
      415,
    ],
    [
      'a form with files',
      () => ({ body: body(), headers: { 'content-type': 'multipart/form-data; boundary=x' } }),
      415,
    ],
    ['a bare document', () => ({ body: mutation, headers: { 'content-type': 'application/graphql' } }), 415],
    ['no content type', () => ({ body: body(), headers: { 'content-type': '' } }), 415],
    [
      'a mutation by GET',
      () => ({
        method: 'GET',
        path: `/graphql?query=${encodeURIComponent(mutation)}&variables=${encodeURIComponent(JSON.stringify({ input: { ticketId } }))}`,
      }),
      405,
    ],
    ['by PUT', () => ({ method: 'PUT', body: body() }), 405],
    ['by DELETE', () => ({ method: 'DELETE' }), 405],
    [
      'from a page of somebody else',
      () => ({ body: body(), headers: { origin: 'https://evil.example' } }),
      403,
    ],
    ['elsewhere', () => ({ path: '/graphql/../grants', body: body() }), 404],
  ])('%s', async (_, sent, status) => {
    const answer = await send(sent());
    expect({ status: answer.status, text: answer.text }).toEqual({
      status,
      text: expect.stringMatching(/"code"/),
    });
    expect(await written()).toEqual([]);
  });

  test.each<[what: string, variables: string]>([
    ['a very deep list', `{"input":${nested(60_000)}}`],
    ['a very deep object', `{"input":${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}}`],
    ['a prototype', '{"__proto__":{"input":{"ticketId":"x"}}}'],
    ['a prototype inside', '{"input":{"__proto__":{"ticketId":"x"}}}'],
    ['a constructor', '{"input":{"constructor":{"prototype":{"ticketId":"x"}}}}'],
    ['a number too large for any', '{"input":{"ticketId":"x","expectedVersion":1e400}}'],
  ])('variables that hold %s', async (_, variables) => {
    const answer = await send({ body: `{"query":${JSON.stringify(mutation)},"variables":${variables}}` });
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).toContain('BAD_USER_INPUT');
    expect(await written()).toEqual([]);
  });

  test('a bulk mutation of ten thousand grants is too long, and so is one of three thousand', async () => {
    const grantIds = (count: number) => Array.from({ length: count }, () => grantId);
    const inBulk = `mutation ($input: ApproveDataAccessInBulkInput!) {
      approveDataAccessInBulk(input: $input) { __typename ... on Error { code } } }`;
    const send10k = await send({
      body: JSON.stringify({ query: inBulk, variables: { input: { grantIds: grantIds(10_000) } } }),
    });
    expect(send10k.status).toBe(413);
    const { approveDataAccessInBulk } = await admin.ask(inBulk, { input: { grantIds: grantIds(3_000) } });
    expect(approveDataAccessInBulk.code).toBe('INVALID_INPUT');
    expect(await attempt(admin, 'approveDataAccessInBulk', { grantIds: grantIds(201) })).toMatchObject({
      fields: [{ path: 'input.grantIds' }],
    });
    expect(await attempt(admin, 'approveDataAccessInBulk', { grantIds: [grantId, grantId] })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await written()).toEqual([]);
  });
});

/** Documents that are invalid or exceed a limit, on either transport. */
const documents: [what: string, document: () => string, code: string][] = [
  ['nothing at all', () => '', 'GRAPHQL_PARSE_FAILED'],
  ['no document', () => 'this is no document', 'GRAPHQL_PARSE_FAILED'],
  ['cut off', () => 'mutation { approveDataAccess(', 'GRAPHQL_PARSE_FAILED'],
  ['a field there is not', () => 'mutation { destroyEverything }', 'GRAPHQL_VALIDATION_FAILED'],
  [
    'two operations and no name',
    () => 'query a { viewer { kind } } query b { viewer { kind } }',
    'OPERATION_RESOLUTION_FAILURE',
  ],
  ['no operation', () => '# only a remark', 'GRAPHQL_PARSE_FAILED'],
  [
    'a fragment that holds itself',
    () => '{ viewer { ...a } } fragment a on Viewer { kind ...a }',
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['very long', () => `{ viewer { kind } } # ${'x'.repeat(40_000)}`, 'DOCUMENT_LIMIT_EXCEEDED'],
  ['of very many words', () => `{ viewer { ${'kind '.repeat(3_000)} } }`, 'GRAPHQL_PARSE_FAILED'],
  ['very deep', () => deep(6), 'DOCUMENT_LIMIT_EXCEEDED'],
  [
    'very deep by fragments',
    () =>
      `${Array.from({ length: 20 }, (_, n) => `fragment f${n} on Site { organization { sites(first: 1) { edges { node { ${n === 0 ? 'id' : `...f${n - 1}`} } } } } }`).join(' ')} { sites(first: 1) { edges { node { ...f19 } } } }`,
    'DOCUMENT_LIMIT_EXCEEDED',
  ],
  [
    'very deep in values',
    () => `{ node(id: ${'['.repeat(900)}1${']'.repeat(900)}) { id } }`,
    'GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a flood of aliases',
    () => `{ ${Array.from({ length: 60 }, (_, n) => `a${n}: viewer { kind }`).join(' ')} }`,
    'DOCUMENT_LIMIT_EXCEEDED',
  ],
  [
    'a flood of mutations',
    () =>
      `mutation ($input: ApproveDataAccessInput!) { ${Array.from({ length: 60 }, (_, n) => `a${n}: approveDataAccess(input: $input) { __typename }`).join(' ')} }`,
    'DOCUMENT_LIMIT_EXCEEDED',
  ],
  [
    'a flood of objects',
    () =>
      '{ sites(first: 100) { edges { node { tickets(first: 100) { edges { node { grants(first: 100) { edges { node { id } } } } } } } } } }',
    'OPERATION_LIMIT_EXCEEDED',
  ],
  [
    'a flood of directives',
    () => `{ viewer { kind ${'@include(if: true) '.repeat(200)} } }`,
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['a variable that is missing', () => 'query ($id: ID!) { node(id: $id) { id } }', 'BAD_USER_INPUT'],
  [
    'a variable of no type',
    () => 'query ($id: Nothing!) { node(id: $id) { id } }',
    'GRAPHQL_VALIDATION_FAILED',
  ],
];

function deep(levels: number): string {
  const inner = (left: number): string =>
    left === 0 ? 'id' : `organization { sites(first: 1) { edges { node { ${inner(left - 1)} } } } }`;
  return `{ sites(first: 1) { edges { node { ${inner(levels)} } } } }`;
}

describe('documents', () => {
  test.each(documents)('%s, over HTTP', async (_, document, code) => {
    const { data, errors } = await admin.send(document(), { input: { ticketId } });
    expect(errors[0]?.extensions['code'], JSON.stringify(errors[0])).toBe(code);
    expect(data).toBeNull();
    expect(await written()).toEqual([]);
  });

  test.each(documents)('%s, over a WebSocket, which stays open', async (_, document, code) => {
    await using socket = await connect(gateway.url, admin.token);
    socket.send({ id: '1', type: 'subscribe', payload: { query: document(), variables: {} } });
    const { id, type, payload } = await socket.next();
    // The protocol has a message for errors before the execution, and one for results with errors.
    const [error] = type === 'error' ? payload : payload.errors;
    expect({ id, code: error.extensions.code }).toEqual({ id: '1', code });
    if (type === 'next') expect(await socket.next()).toMatchObject({ id: '1', type: 'complete' });
    socket.send({ id: '2', type: 'subscribe', payload: { query: '{ viewer { kind } }' } });
    expect(await socket.next()).toMatchObject({ id: '2', type: 'next', payload: { data: { viewer: {} } } });
    expect(await written()).toEqual([]);
  });
});

describe('messages on a WebSocket', () => {
  const tooMuch = 'x'.repeat(300_000);
  test.each<[what: string, message: string | Buffer, code: number]>([
    ['no JSON', 'hello', 4400],
    ['a list', '[]', 4400],
    ['null', 'null', 4400],
    ['no type', '{"id":"1"}', 4400],
    ['a type there is not', '{"type":"start","id":"1"}', 4400],
    ['no id', `{"type":"subscribe","payload":{"query":"{ viewer { kind } }"}}`, 4400],
    ['no query', '{"type":"subscribe","id":"1","payload":{}}', 4400],
    [
      'variables that are a text',
      '{"type":"subscribe","id":"1","payload":{"query":"{ viewer { kind } }","variables":"x"}}',
      4400,
    ],
    ['a second greeting', '{"type":"connection_init"}', 4429],
    ['too much', `{"type":"subscribe","id":"1","payload":{"query":"{ viewer { kind } } #${tooMuch}"}}`, 1009],
  ])('%s', async (_, message, code) => {
    await using socket = await connect(gateway.url, admin.token);
    socket.raw(message);
    expect(await socket.closed()).toBe(code);
    expect(await written()).toEqual([]);
  });

  test('an operation before connection_init', async () => {
    await using socket = await open(gateway.url);
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ viewer { kind } }' } });
    expect(await socket.closed()).toBe(4401);
  });

  test.each(['approveDataAccess', 'denyDataAccess'])('%s with an invalid input', async (name) => {
    await using socket = await connect(gateway.url, admin.token);
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { result: ${name}(input: $input) { ... on Error { code } } }`;
    const ask = async (id: string, input: Record<string, unknown>): Promise<Json> => {
      socket.send({ id, type: 'subscribe', payload: { query, variables: { input } } });
      const answer = await socket.next();
      if (answer.type === 'next') expect(await socket.next()).toMatchObject({ id, type: 'complete' });
      return answer;
    };
    expect(await ask('1', { grantId, reason: '\u0000' })).toMatchObject({
      payload: { data: { result: { code: 'INVALID_INPUT' } } },
    });
    expect(await ask('2', { grantId: 'garbage' })).toMatchObject({
      payload: { data: { result: { code: 'INVALID_INPUT' } } },
    });
    // Over a WebSocket an invalid variable ends the operation, like every request error.
    expect(JSON.stringify(await ask('3', { grantId, expectedVersion: 2_147_483_648 }))).toContain(
      'BAD_USER_INPUT',
    );
    expect(await written()).toEqual([]);
  });
});

describe('subscriptions', () => {
  test.each<[what: string, variables: Record<string, unknown>, code: string]>([
    ['a cursor that is none', { after: 'garbage' }, 'CURSOR_MALFORMED'],
    ['a cursor that is empty', { after: '' }, 'CURSOR_MALFORMED'],
    ['a cursor of a list', { after: Buffer.from('tickets:1').toString('base64url') }, 'CURSOR_MALFORMED'],
    ['a cursor that is far too long', { after: 'x'.repeat(20_000) }, 'CURSOR_MALFORMED'],
    ['a site that is none', { filter: { siteId: 'garbage' } }, 'BAD_USER_INPUT'],
    ['a type there is not', { filter: { types: ['NONSENSE'] } }, 'BAD_USER_INPUT'],
  ])('%s', async (_, variables, code) => {
    await using socket = await connect(gateway.url, admin.token);
    const query =
      'subscription ($after: String, $filter: GrantEventFilter) { grantEvents(after: $after, filter: $filter) { id } }';
    socket.send({ id: '1', type: 'subscribe', payload: { query, variables } });
    const answer = await socket.next();
    const codes = JSON.stringify(answer).match(/"code":"(\w+)"/)?.[1];
    expect(codes).toBe(code);
  });
});
