import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, test } from 'vitest';
import { IdentityUnavailableError } from '../../src/identity/tokens.ts';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

/** For what `fetch` does not let one send: any method, any Host, any target. */
async function rawRequest(
  server: TestServer,
  { method = 'GET', path = '/', headers = {}, body }: RawRequest,
): Promise<{ status: number | undefined; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(server.origin, { method, path, headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode, headers: response.headers, body: await text(response) });
    });
    request.on('error', reject);
    request.end(body);
  });
}
type RawRequest = { method?: string; path?: string; headers?: Record<string, string>; body?: string };

describe('who asks', () => {
  test('nobody in particular, who is let through as such', async () => {
    await using server = await startTestServer();
    const response = await server.post({ query: '{ whoAmI }' });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ data: { whoAmI: null } });
  });

  test.each(['Bearer', 'bearer', 'BEARER  '])('the bearer of a token: %s', async (scheme) => {
    await using server = await startTestServer();
    const authorization = `${scheme} ${await server.tokenOf(ada)}`;
    const response = await server.post({ query: '{ whoAmI }' }, { headers: { authorization } });
    expect(await response.json()).toEqual({ data: { whoAmI: ada } });
  });

  test.each([
    'Bearer',
    'Bearer nonsense',
    'Basic YWRhOnNlY3JldA==',
    'Bearer a b',
    'nonsense',
    'Bearer eyJhbGciOiJub25lIn0.e30.',
  ])('is refused with a bad token, before anything is executed: %s', async (authorization) => {
    await using server = await startTestServer();
    const response = await server.post({ query: '{ serial }' }, { headers: { authorization } });

    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toEqual({
      errors: [{ message: expect.any(String), extensions: { code: 'UNAUTHENTICATED' } }],
    });
    const next = await server.post({ query: '{ serial }' });
    expect(await next.json()).toEqual({ data: { serial: 1 } });
  });

  test('is told when a token has expired', async () => {
    await using server = await startTestServer({ tokenLifetimeSeconds: -10 });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect(response.status).toBe(401);
    expect(await response.text()).toContain('expired');
  });

  test('gets the media type asked for, in refusals too', async () => {
    await using server = await startTestServer();
    const response = await server.post(
      { query: '{ hello }' },
      { headers: { authorization: 'Bearer x', accept: 'application/graphql-response+json' } },
    );
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/graphql-response+json; charset=utf-8');
  });

  test('cannot be told while the identity provider is away: neither refused nor let in', async () => {
    await using server = await startTestServer({
      authenticate: () => Promise.reject(new IdentityUnavailableError('No keys.')),
    });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'IDENTITY_UNAVAILABLE' } }],
    });
  });

  test('is not let in when judging the token fails for another reason', async () => {
    await using server = await startTestServer({ authenticate: () => Promise.reject(new Error('hunter2')) });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('hunter2');
    expect(server.log.entries).toHaveLength(1);
  });
});

describe('what is asked', () => {
  test('a query may come by GET, a mutation may not', async () => {
    await using server = await startTestServer();
    const get = (query: string) => fetch(`${server.url}?query=${encodeURIComponent(query)}`);

    expect(await (await get('{ hello }')).json()).toEqual({ data: { hello: 'hello world' } });
    const mutation = await get('mutation { add(to: 1) }');
    expect(mutation.status).toBe(405);
    expect(mutation.headers.get('allow')).toBe('POST');
  });

  test.each(['variables', 'extensions'])(
    '%s that are no JSON in a URL are the caller’s fault',
    async (name) => {
      await using server = await startTestServer();
      const response = await fetch(`${server.url}?query={hello}&${name}={`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
    },
  );

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/graphql+json',
    'application/json, text/plain',
    '',
  ])('a body that a foreign page could send unasked is not read: %j', async (type) => {
    await using server = await startTestServer();
    const response = await rawRequest(server, {
      method: 'POST',
      path: '/graphql',
      headers: type === '' ? {} : { 'content-type': type },
      body: JSON.stringify({ query: 'mutation { add(to: 1) }' }),
    });
    expect(response.status).toBe(415);
    expect(JSON.parse(response.body)).toMatchObject({
      errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }],
    });
  });

  test.each([
    ['no JSON', '{"query":'],
    ['nothing', ''],
    ['a list: batches are off', '[{"query":"{ hello }"},{"query":"{ hello }"}]'],
    ['an empty list', '[]'],
    ['null', 'null'],
    ['a text', '"{ hello }"'],
    ['no query', '{}'],
    ['a query that is none', '{"query": 7}'],
    ['an unknown parameter', '{"query": "{ hello }", "doc_id": "1"}'],
  ])('%s is answered with 400', async (_case, body) => {
    await using server = await startTestServer();
    const response = await server.post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
    expect(server.log.entries).toEqual([]);
  });

  test('a body larger than allowed is refused by its announced length', async () => {
    await using server = await startTestServer();
    const response = await server.post({
      query: '{ hello }',
      variables: { padding: 'x'.repeat(256 * 1024) },
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'REQUEST_TOO_LARGE' } }] });
  });

  test('and as it is read, when it does not say how long it is', async () => {
    await using server = await startTestServer();
    const body = ReadableStream.from(Array.from({ length: 5 }, () => new Uint8Array(64 * 1024).fill(0x20)));
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' };
    const response = await fetch(server.url, init as unknown as RequestInit);
    expect(response.status).toBe(413);
    expect((await server.post({ query: '{ hello }' })).status).toBe(200);
  });

  test('a client that never finishes its request is cut off', async () => {
    await using server = await startTestServer({ limits: { requestMs: 100, requestHeadersMs: 50 } });
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('answers are for nobody else: no cache keeps them', async () => {
    await using server = await startTestServer();
    const response = await server.post({ query: '{ hello }' });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('web pages of other origins', () => {
  const allowedOrigins = ['https://admin.customer.example'];

  test('are refused, whatever they send', async () => {
    await using server = await startTestServer({ allowedOrigins });
    for (const origin of [
      'https://evil.example',
      'null',
      'https://admin.customer.example.evil.example',
      'nonsense',
    ]) {
      const response = await server.post({ query: '{ serial }' }, { email: ada, headers: { origin } });
      expect(response.status, origin).toBe(403);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      const preflight = await fetch(server.url, { method: 'OPTIONS', headers: { origin } });
      expect(preflight.status, origin).toBe(403);
    }
    expect(await (await server.post({ query: '{ serial }' })).json()).toEqual({ data: { serial: 1 } });
  });

  test('are let in when allowed', async () => {
    await using server = await startTestServer({ allowedOrigins });
    const headers = { origin: 'https://admin.customer.example' };
    const preflight = await fetch(server.url, {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': 'https://admin.customer.example',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type, last-event-id',
      vary: 'Origin',
    });
    const response = await server.post({ query: '{ hello }' }, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://admin.customer.example');
  });

  test('the gateway’s own pages always are', async () => {
    await using server = await startTestServer();
    const response = await server.post({ query: '{ hello }' }, { headers: { origin: server.origin } });
    expect(response.status).toBe(200);
  });
});

describe('other paths', () => {
  test.each([
    '/unknown',
    '/graphql/unknown',
    '/graphqlx',
    '//',
    '/..%2f',
    '/dev/token',
    '/graphiql/graphiql.js',
  ])('%s is not there', async (path) => {
    await using server = await startTestServer();
    const response = await rawRequest(server, { path });
    expect(response.status).toBe(404);
    expect(JSON.parse(response.body)).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  test.each([
    ['DELETE', '/graphql', 'GET, POST, OPTIONS'],
    ['PUT', '/graphql?query={hello}', 'GET, POST, OPTIONS'],
    ['POST', '/healthz', 'GET'],
    ['DELETE', '/', 'GET'],
  ])('%s %s is refused with what is allowed', async (method, path, allow) => {
    await using server = await startTestServer();
    const response = await rawRequest(server, { method, path });
    expect(response.status).toBe(405);
    expect(response.headers).toMatchObject({ allow });
  });

  test('the root says where the API is', async () => {
    await using server = await startTestServer();
    expect(await (await fetch(server.origin)).json()).toMatchObject({ graphql: '/graphql' });
  });

  test('others may be added, and their failures are answered', async () => {
    await using server = await startTestServer({
      routes: [
        { path: '/added', methods: { GET: (_request, response) => void response.end('here') } },
        {
          path: '/broken',
          methods: {
            GET() {
              throw new Error('hunter2');
            },
          },
        },
      ],
    });
    expect(await (await fetch(`${server.origin}/added`)).text()).toBe('here');
    const broken = await fetch(`${server.origin}/broken`);
    expect(broken.status).toBe(500);
    expect(await broken.text()).not.toContain('hunter2');
    expect(server.log.entries).toMatchObject([{ level: 'error' }]);
  });
});
