import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, test } from 'vitest';
import { IdentityUnavailableError } from '../../src/identity/tokens.ts';
import { DatabaseGoneError, startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

/** For requests that `fetch` does not allow: any method, any Host, any target. */
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

describe('a request without a token gets 401', () => {
  test.each(['application/json', 'application/graphql-response+json', 'text/event-stream'])(
    'before its body is read, accepting %s',
    async (accept) => {
      await using server = await startTestServer();
      const body = ['{ __typename }', '{ __schema { queryType { name } } }', 'subscription { values }', '{'];
      for (const query of body) {
        const response = await server.post({ query }, { email: null, headers: { accept } });
        expect(response.status).toBe(401);
        expect(response.headers.get('www-authenticate')).toBe('Bearer');
        const type = accept === 'text/event-stream' ? 'application/json' : accept;
        expect(response.headers.get('content-type')).toBe(`${type}; charset=utf-8`);
        expect(await response.json()).toEqual({
          errors: [
            { message: expect.stringContaining('bearer token'), extensions: { code: 'UNAUTHENTICATED' } },
          ],
        });
      }
      expect((await server.post('{', { email: null, headers: { accept } })).status).toBe(401);
    },
  );

  test('by GET as well', async () => {
    await using server = await startTestServer();
    for (const query of ['{hello}', '{', '']) {
      const response = await fetch(`${server.url}?query=${query}`);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    }
  });

  test('and the next request of its connection is answered', async () => {
    await using server = await startTestServer();
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
    const body = JSON.stringify({ query: `{ hello } ${' '.repeat(20_000)}` });
    const request = `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    socket.write(`${request}\r\n${body}`);
    socket.write(`${request}Connection: close\r\n\r\n${body}`);
    expect((await text(socket)).match(/^HTTP\/1\.1 401 /gm)).toHaveLength(2);
  });

  test('while it is still being sent, and no memory is kept for it', async () => {
    await using server = await startTestServer();
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
    socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n');
    socket.write('Content-Length: 200000\r\n\r\n{');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 401 .*\r\nconnection: close\r\n/is);
  });
});

describe('a request with a token', () => {
  test.each(['Bearer', 'bearer', 'BEARER  '])("is its bearer's: %s", async (scheme) => {
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
  ])('gets 401 if the token is bad, before anything is executed: %s', async (authorization) => {
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

  test('gets 401 with the reason if the token has expired', async () => {
    await using server = await startTestServer({ tokenLifetimeSeconds: -10 });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect(response.status).toBe(401);
    expect(await response.text()).toContain('expired');
  });

  test('gets the media type it accepts, in refusals as well', async () => {
    await using server = await startTestServer();
    const response = await server.post(
      { query: '{ hello }' },
      { headers: { authorization: 'Bearer x', accept: 'application/graphql-response+json' } },
    );
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/graphql-response+json; charset=utf-8');
  });

  test('gets 503 while the identity provider is unavailable', async () => {
    await using server = await startTestServer({
      authenticate: () => Promise.reject(new IdentityUnavailableError('No keys.')),
    });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'IDENTITY_UNAVAILABLE' } }],
    });
  });

  test('gets 503 while the database is unavailable, and when to try again', async () => {
    await using server = await startTestServer({
      createContext: () => Promise.reject(new DatabaseGoneError()),
    });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }],
    });
  });

  test('gets 500 if verifying the token fails unexpectedly', async () => {
    await using server = await startTestServer({ authenticate: () => Promise.reject(new Error('hunter2')) });
    const response = await server.post({ query: '{ hello }' }, { email: ada });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('hunter2');
    expect(server.log.entries).toHaveLength(1);
  });
});

describe('what is requested', () => {
  test('GET runs a query, but no mutation', async () => {
    await using server = await startTestServer();
    const headers = { authorization: `Bearer ${await server.tokenOf(ada)}` };
    const get = (query: string) => fetch(`${server.url}?query=${encodeURIComponent(query)}`, { headers });

    expect(await (await get('{ hello }')).json()).toEqual({ data: { hello: 'hello world' } });
    const mutation = await get('mutation { add(to: 1) }');
    expect(mutation.status).toBe(405);
    expect(mutation.headers.get('allow')).toBe('POST');
  });

  test.each(['variables', 'extensions'])(
    '%s in a URL that are not JSON are answered with 400',
    async (name) => {
      await using server = await startTestServer();
      const headers = { authorization: `Bearer ${await server.tokenOf(ada)}` };
      const response = await fetch(`${server.url}?query={hello}&${name}={`, { headers });
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
    'application/json; charset=iso-8859-1',
    '',
  ])('a body that any web page could send without a preflight is not read: %j', async (type) => {
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

  describe('text that is not UTF-8 is refused, not altered', () => {
    const inLatin1 = (text: string) => Buffer.from(text, 'latin1');

    test('in a body', async () => {
      await using server = await startTestServer();
      const body = inLatin1(JSON.stringify({ query: '{ hello(name: "refusé") serial }' }));
      const authorization = `Bearer ${await server.tokenOf(ada)}`;
      const headers = { authorization, 'content-type': 'application/json' };
      const response = await fetch(server.url, { method: 'POST', headers, body });
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        errors: [{ message: expect.stringContaining('UTF-8'), extensions: { code: 'BAD_REQUEST' } }],
      });
      expect(await (await server.post({ query: '{ serial }' })).json()).toEqual({ data: { serial: 1 } });
    });

    test('in a URL', async () => {
      await using server = await startTestServer();
      const response = await fetch(`${server.url}?query={hello(name:"refus%E9")}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
      const headers = { authorization: `Bearer ${await server.tokenOf(ada)}` };
      const readable = await fetch(`${server.url}?query={hello(name:"refus%C3%A9")}`, { headers });
      expect(await readable.json()).toEqual({ data: { hello: 'hello refusé' } });
    });

    test('a body that says it is UTF-8 is read', async () => {
      await using server = await startTestServer();
      const headers = { 'content-type': 'Application/JSON; charset="UTF-8"' };
      const response = await server.post({ query: '{ hello(name: "refusé") }' }, { headers });
      expect(await response.json()).toEqual({ data: { hello: 'hello refusé' } });
    });
  });

  describe('a client that accepts nothing that is served gets 406 and why, before anything is executed', () => {
    test.each(['text/html', 'multipart/mixed', 'application/json; charset=utf-16', 'image/*, text/csv'])(
      'accepting %s',
      async (accept) => {
        await using server = await startTestServer();
        const response = await server.post({ query: '{ serial }' }, { headers: { accept } });
        expect(response.status).toBe(406);
        expect(await response.json()).toEqual({
          errors: [
            { message: expect.stringContaining('application/json'), extensions: { code: 'NOT_ACCEPTABLE' } },
          ],
        });
        expect(await (await server.post({ query: '{ serial }' })).json()).toEqual({ data: { serial: 1 } });
      },
    );

    test('a subscription as JSON', async () => {
      await using server = await startTestServer();
      for (const accept of ['application/json', 'application/json, multipart/mixed']) {
        const response = await server.post(
          { query: 'subscription { values }' },
          { email: ada, headers: { accept } },
        );
        expect(response.status).toBe(406);
        expect(response.headers.get('accept')).toBeNull();
        expect(await response.json()).toEqual({
          errors: [
            {
              message: expect.stringContaining('text/event-stream'),
              extensions: { code: 'NOT_ACCEPTABLE' },
            },
          ],
        });
      }
      expect(server.source.open).toBe(0);
    });

    test.each([
      'multipart/mixed, application/json',
      'text/event-stream;q=0.5, multipart/mixed, application/json;q=0.9',
      '*/*',
      'application/*',
      '',
    ])('but not one that also accepts %j', async (accept) => {
      await using server = await startTestServer();
      const response = await server.post({ query: '{ hello }' }, { headers: { accept } });
      expect(response.headers.get('content-type')).toMatch(/^application\/json;/);
      expect(await response.json()).toEqual({ data: { hello: 'hello world' } });
    });

    test('nor one that accepts multipart/mixed and an event stream, which it gets', async () => {
      await using server = await startTestServer();
      const headers = { accept: 'multipart/mixed, text/event-stream' };
      const response = await server.post({ query: '{ hello }' }, { headers });
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    });
  });

  test.each([
    ['malformed JSON', '{"query":'],
    ['an empty body', ''],
    ['a list, because batching is off', '[{"query":"{ hello }"},{"query":"{ hello }"}]'],
    ['an empty list', '[]'],
    ['null', 'null'],
    ['a string', '"{ hello }"'],
    ['no query', '{}'],
    ['a query of another type', '{"query": 7}'],
    ['an unknown parameter', '{"query": "{ hello }", "doc_id": "1"}'],
  ])('%s is answered with 400', async (_case, body) => {
    await using server = await startTestServer();
    const response = await server.post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
    expect(server.log.entries).toEqual([]);
  });

  describe('a persisted query that is named by its hash only', () => {
    const extensions = { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } };
    const notSupported = {
      errors: [
        { message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } },
      ],
    };

    test.each(['application/json', 'application/graphql-response+json'])(
      'is answered as Apollo Server does, so that the client sends its text: accepting %s',
      async (accept) => {
        await using server = await startTestServer();
        const url = `${server.url}?extensions=${encodeURIComponent(JSON.stringify(extensions))}`;
        for (const response of [
          await server.post({ extensions, operationName: 'Hello' }, { headers: { accept } }),
          await server.post({ query: '', extensions }, { headers: { accept } }),
          await fetch(url, { headers: { accept, authorization: `Bearer ${await server.tokenOf(ada)}` } }),
        ]) {
          expect(response.status).toBe(200);
          expect(await response.json()).toEqual(notSupported);
        }
        expect(server.log.entries).toEqual([]);
      },
    );

    test('is executed once its text is sent with the hash', async () => {
      await using server = await startTestServer();
      const response = await server.post({ query: '{ hello }', extensions });
      expect(await response.json()).toEqual({ data: { hello: 'hello world' } });
    });
  });

  test('a body that is too large is refused by its Content-Length', async () => {
    await using server = await startTestServer();
    const response = await server.post({
      query: '{ hello }',
      variables: { padding: 'x'.repeat(256 * 1024) },
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'REQUEST_TOO_LARGE' } }] });
  });

  test('a body without a Content-Length is refused once too much of it is read', async () => {
    await using server = await startTestServer();
    const body = ReadableStream.from(Array.from({ length: 5 }, () => new Uint8Array(64 * 1024).fill(0x20)));
    const authorization = `Bearer ${await server.tokenOf(ada)}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body, duplex: 'half' };
    const response = await fetch(server.url, init as unknown as RequestInit);
    expect(response.status).toBe(413);
    expect((await server.post({ query: '{ hello }' })).status).toBe(200);
  });

  test('a body without a Content-Length is refused before its end', async () => {
    await using server = await startTestServer();
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
    const bytes = 256 * 1024 + 1;
    socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n');
    socket.write(`Authorization: Bearer ${await server.tokenOf(ada)}\r\n`);
    socket.write(`Transfer-Encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n${' '.repeat(bytes)}\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('a client that does not finish its request gets 408', async () => {
    await using server = await startTestServer({ limits: { requestMs: 100, requestHeadersMs: 50 } });
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n',
    );
    socket.write(`Authorization: Bearer ${await server.tokenOf(ada)}\r\n\r\n{`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('responses are not cached', async () => {
    await using server = await startTestServer();
    const response = await server.post({ query: '{ hello }' });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('a web page', () => {
  const allowedOrigins = ['https://admin.customer.example'];

  test('of another origin is refused, whatever it sends', async () => {
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

  test('of an allowed origin may use the gateway', async () => {
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
      vary: 'Origin, Access-Control-Request-Headers',
    });
    const response = await server.post({ query: '{ hello }' }, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://admin.customer.example');
    expect(response.headers.get('access-control-expose-headers')).toBe('retry-after');
    expect(response.headers.get('vary')).toBe('Origin');
  });

  test('of an allowed origin may send the headers that it asks for', async () => {
    await using server = await startTestServer({ allowedOrigins });
    const asking = async (asked: string, origin = 'https://admin.customer.example') => {
      const preflight = await fetch(server.url, {
        method: 'OPTIONS',
        headers: {
          ...{ origin, 'access-control-request-method': 'POST' },
          'access-control-request-headers': asked,
        },
      });
      return preflight.headers.get('access-control-allow-headers');
    };
    const wanted = 'authorization,content-type,traceparent,sentry-trace,apollographql-client-name';
    expect(await asking(wanted)).toBe(wanted);
    expect(await asking('nonsense: "x"')).toBe('authorization, content-type, last-event-id');
    expect(await asking(wanted, 'https://evil.example')).toBeNull();
  });

  test('of the gateway itself may use it', async () => {
    await using server = await startTestServer();
    const response = await server.post({ query: '{ hello }' }, { headers: { origin: server.origin } });
    expect(response.status).toBe(200);
  });
});

describe('a path', () => {
  test.each([
    '/unknown',
    '/graphql/unknown',
    '/graphqlx',
    '//',
    '/..%2f',
    '/dev/token',
    '/graphiql/graphiql.js',
  ])('%s does not exist', async (path) => {
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
  ])('%s %s is refused with the allowed methods', async (method, path, allow) => {
    await using server = await startTestServer();
    const response = await rawRequest(server, { method, path });
    expect(response.status).toBe(405);
    expect(response.headers).toMatchObject({ allow });
  });

  test('/ says where the API is', async () => {
    await using server = await startTestServer();
    expect(await (await fetch(server.origin)).json()).toMatchObject({ graphql: '/graphql' });
  });

  test('can be added, and its unexpected errors are answered with 500', async () => {
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
