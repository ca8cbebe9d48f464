import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createClient } from 'graphql-sse';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { measureLateness } from '../support/lateness.ts';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

/** Opens the event stream of a subscription with plain fetch. */
async function openStream(
  server: TestServer,
  query: string,
  { email = ada, method = 'POST' }: { email?: string; method?: 'GET' | 'POST' } = {},
) {
  const headers = {
    accept: 'text/event-stream',
    'content-type': 'application/json',
    authorization: `Bearer ${await server.tokenOf(email)}`,
  };
  const response =
    method === 'GET'
      ? await fetch(`${server.url}?query=${encodeURIComponent(query)}`, { headers })
      : await fetch(server.url, { method, headers, body: JSON.stringify({ query }) });
  return { response, events: events(response) };
}

/** Yields each event of the stream as `[name, data]`, without the comments that keep it alive. */
async function* events(response: Response): AsyncGenerator<[string, unknown]> {
  let buffered = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    buffered += chunk;
    const blocks = buffered.split('\n\n');
    buffered = blocks.pop() ?? '';
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (name !== undefined) yield [name, data ? JSON.parse(data) : null];
    }
  }
}

/** Returns one of Node's diagnostics channels as an emitter of `message`. */
function diagnosticsOf(name: string): EventEmitter<{ message: [{ socket: Socket }] }> {
  const emitter = new EventEmitter<{ message: [{ socket: Socket }] }>();
  const forward = (message: unknown) => void emitter.emit('message', message as { socket: Socket });
  subscribe(name, forward);
  onTestFinished(() => void unsubscribe(name, forward));
  return emitter;
}

async function readAll<T>(source: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of source) values.push(value);
  return values;
}

describe('a subscription as server-sent events', () => {
  test.each(['POST', 'GET'] as const)('by %s', async (method) => {
    await using server = await startTestServer();
    const { response, events } = await openStream(server, 'subscription { count(to: 2) }', { method });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await readAll(events)).toEqual([
      ['next', { data: { count: 1 } }],
      ['next', { data: { count: 2 } }],
      ['complete', null],
    ]);
  });

  test('through the client of graphql-sse', async () => {
    await using server = await startTestServer();
    const client = createClient({
      url: server.url,
      headers: { authorization: `Bearer ${await server.tokenOf(ada)}` },
    });
    const results = client.iterate({ query: 'subscription { values }' });
    const first = results.next();
    await server.source.untilOpen(1);
    server.source.emit(7);
    expect(await first).toMatchObject({ value: { data: { values: 7 } } });
    client.dispose();
    await server.source.untilOpen(0);
  });

  test('needs a token', async () => {
    await using server = await startTestServer();
    const response = await server.post(
      { query: 'subscription { values }' },
      { email: null, headers: { accept: 'text/event-stream' } },
    );
    expect(response.status).toBe(401);
    expect(await response.text()).toContain('UNAUTHENTICATED');
    expect(server.source.open).toBe(0);
  });

  test('is closed for a client that does not accept event streams', async () => {
    await using server = await startTestServer();
    const response = await server.post(
      { query: 'subscription { values }' },
      { email: ada, headers: { accept: 'application/json' } },
    );
    expect(response.status).toBe(406);
    await server.source.untilOpen(0);
  });

  test('reveals only the id of an unexpected error of its source', async () => {
    await using server = await startTestServer();
    const { events } = await openStream(server, 'subscription { brokenValues }');
    const received = await readAll(events);
    expect(received).toMatchObject([
      ['next', { data: { brokenValues: 1 } }],
      ['next', { errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR', errorId: expect.any(String) } }] }],
      ['complete', null],
    ]);
    expect(JSON.stringify(received)).not.toContain('hunter2');
    expect(server.log.entries).toHaveLength(1);
  });
});

describe('the source of a stream is closed', () => {
  test('when the client disconnects', async () => {
    await using server = await startTestServer();
    const client = new AbortController();
    await fetch(server.url, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        authorization: `Bearer ${await server.tokenOf(ada)}`,
      },
      body: JSON.stringify({ query: 'subscription { values }' }),
      signal: client.signal,
    });
    await server.source.untilOpen(1);
    client.abort();
    await server.source.untilOpen(0);
  });

  test('or never opened, when the client disconnects while its token is verified', async () => {
    const [verifying, verified] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const issuer = await createDevelopmentIssuer();
    await using server = await startTestServer({
      async authenticate(token) {
        verifying.resolve();
        await verified.promise;
        return await issuer.verifier.verify(token);
      },
    });
    const { token } = await issuer.issue(ada);
    const accepted = once(diagnosticsOf('net.server.socket'), 'message');
    const client = connect(Number(new URL(server.origin).port), '127.0.0.1');
    const query = encodeURIComponent('subscription { values }');
    const headers = ['host: localhost', 'accept: text/event-stream', `authorization: Bearer ${token}`];
    client.write([`GET /graphql?query=${query} HTTP/1.1`, ...headers, '', ''].join('\r\n'));
    const [{ socket }] = await accepted;
    await verifying.promise;
    client.destroy();
    await once(socket, 'close');
    verified.resolve();
    const authorization = `Bearer ${token}`;
    const other = await server.post({ query: '{ serial }' }, { email: null, headers: { authorization } });
    // This is the first context: none was created for the client that disconnected.
    expect(await other.json()).toEqual({ data: { serial: 1 } });
    expect(server.source.open).toBe(0);
  });

  test('when the token expires, with an error for the client', async () => {
    await using server = await startTestServer({ tokenLifetimeSeconds: 5 });
    using lateness = measureLateness();
    const expiry = Date.now() + 5_000;
    const { events } = await openStream(server, 'subscription { values }');
    expect(await readAll(events)).toEqual([
      [
        'next',
        {
          errors: [{ message: expect.stringContaining('expired'), extensions: { code: 'UNAUTHENTICATED' } }],
        },
      ],
      ['complete', null],
    ]);
    expect(Date.now() - expiry).toBeLessThan(1_000 + lateness.allowance());
    await server.source.untilOpen(0);
  });

  test('when the token expires, even if the client does not read', async () => {
    await using server = await startTestServer({ tokenLifetimeSeconds: 5 });
    const body = JSON.stringify({ query: 'subscription { blobs }' });
    const accepted = once(diagnosticsOf('net.server.socket'), 'message');
    const client = connect(Number(new URL(server.origin).port), '127.0.0.1').pause();
    client.on('error', () => {});
    client.write(
      [
        'POST /graphql HTTP/1.1',
        'Host: localhost',
        'Accept: text/event-stream',
        'Content-Type: application/json',
        `Authorization: Bearer ${await server.tokenOf(ada)}`,
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n'),
    );
    using lateness = measureLateness();
    const expiry = Date.now() + 5_000;
    const [{ socket }] = await accepted;
    await once(socket, 'close');
    expect(Date.now() - expiry).toBeLessThan(1_500 + lateness.allowance());
    client.destroy();
  });
});

test('a bearer has at most the allowed number of concurrent streams', async () => {
  await using server = await startTestServer({ limits: { connectionsPerBearer: 2 } });
  const streams = [
    await openStream(server, 'subscription { values }'),
    await openStream(server, 'subscription { values }'),
  ];
  await server.source.untilOpen(2);

  const refused = await openStream(server, 'subscription { values }');
  expect(refused.response.status).toBe(429);
  expect(await readAll(refused.events)).toMatchObject([
    ['next', { errors: [{ extensions: { code: 'TOO_MANY_CONNECTIONS' } }] }],
    ['complete', null],
  ]);
  const other = await openStream(server, 'subscription { count(to: 1) }', { email: 'ben@customer.example' });
  expect(other.response.status).toBe(200);

  await streams[0]?.response.body?.cancel();
  await server.source.untilOpen(1);
  const again = await openStream(server, 'subscription { count(to: 1) }');
  expect(again.response.status).toBe(200);
});
