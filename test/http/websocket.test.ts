import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { IdentityUnavailableError } from '../../src/identity/tokens.ts';
import { measureLateness } from '../support/lateness.ts';
import { closeOf, runOverSocket, startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

/** Opens a plain socket and waits for connection_ack. */
async function openAcknowledged(server: TestServer): Promise<WebSocket> {
  const socket = server.openSocket();
  await once(socket, 'open');
  send(socket, {
    type: 'connection_init',
    payload: { authorization: `Bearer ${await server.tokenOf(ada)}` },
  });
  expect(await messageOf(socket)).toEqual({ type: 'connection_ack' });
  return socket;
}

const send = (socket: WebSocket, message: object) => socket.send(JSON.stringify(message));

async function messageOf(socket: WebSocket): Promise<unknown> {
  const [data] = await once(socket, 'message');
  return JSON.parse(String(data));
}

/** Resolves to the reason why an operation of the client fails: its errors, or the socket's close event. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable('it succeeded'),
    (reason: unknown) => reason,
  );
}

describe('a WebSocket needs a token when it connects', () => {
  test.each([
    ['authorization', (token: string) => ({ authorization: `Bearer ${token}` })],
    ['Authorization', (token: string) => ({ Authorization: `Bearer ${token}` })],
    ['token', (token: string) => ({ token })],
  ])('given as %s', async (_name, parameters) => {
    await using server = await startTestServer();
    const client = await server.connect(ada, { connectionParams: parameters(await server.tokenOf(ada)) });
    expect(await runOverSocket(client, { query: '{ whoAmI }' })).toEqual({ data: { whoAmI: ada } });
  });

  test.each([
    ['no parameters', undefined],
    ['parameters without a token', { other: 'x' }],
    ['a token of another type', { authorization: 7 }],
  ])('%s: closed with 4401', async (_case, payload) => {
    await using server = await startTestServer();
    const socket = server.openSocket();
    await once(socket, 'open');
    send(socket, { type: 'connection_init', payload });
    expect(await closeOf(socket)).toMatchObject({ code: 4401 });
  });

  test.each(['Bearer nonsense', 'Basic eDp5', ''])(
    'an invalid token: closed with 4403 (%j)',
    async (authorization) => {
      await using server = await startTestServer();
      const socket = server.openSocket();
      await once(socket, 'open');
      send(socket, { type: 'connection_init', payload: { authorization } });
      const { code, reason } = await closeOf(socket);
      expect(code).toBe(4403);
      expect(reason).not.toBe('');
    },
  );

  test('an expired token: closed with 4403 and the reason', async () => {
    await using server = await startTestServer({ tokenLifetimeSeconds: -10 });
    const client = await server.connect(ada);
    expect(await failureOf(runOverSocket(client, { query: '{ hello }' }))).toMatchObject({
      code: 4403,
      reason: expect.stringContaining('expired'),
    });
  });

  test('a token that cannot be verified at the moment: closed with 1013, so that clients try again', async () => {
    await using server = await startTestServer({
      authenticate: () => Promise.reject(new IdentityUnavailableError('No keys.')),
    });
    const client = await server.connect(ada);
    expect(await failureOf(runOverSocket(client, { query: '{ hello }' }))).toMatchObject({ code: 1013 });
  });

  test('before its first operation, or it is closed with 4401', async () => {
    await using server = await startTestServer();
    const socket = server.openSocket();
    await once(socket, 'open');
    send(socket, { id: '1', type: 'subscribe', payload: { query: '{ hello }' } });
    expect(await closeOf(socket)).toMatchObject({ code: 4401 });
  });

  test('in time, or it is closed with 4408', async () => {
    await using server = await startTestServer({ limits: { connectionInitMs: 50 } });
    expect(await closeOf(server.openSocket())).toMatchObject({ code: 4408 });
  });

  test('only once: a second connection_init closes it with 4429', async () => {
    await using server = await startTestServer();
    const socket = await openAcknowledged(server);
    send(socket, { type: 'connection_init' });
    expect(await closeOf(socket)).toMatchObject({ code: 4429 });
  });
});

describe('before the protocol begins', () => {
  test('a client without the subprotocol is closed with 4406', async () => {
    await using server = await startTestServer();
    expect(await closeOf(server.openSocket([]))).toMatchObject({ code: 4406 });
  });

  test('a client of another subprotocol is not offered its own', async () => {
    await using server = await startTestServer();
    const [error] = await once(server.openSocket('graphql-ws'), 'error');
    expect(String(error)).toContain('Server sent no subprotocol');
  });

  test.each(['https://evil.example', 'null', 'nonsense'])(
    'a page of %s is refused with 403',
    async (origin) => {
      await using server = await startTestServer({ allowedOrigins: ['https://admin.customer.example'] });
      const [error] = await once(server.openSocket('graphql-transport-ws', { origin }), 'error');
      expect(String(error)).toContain('403');
    },
  );

  test('a page of an allowed origin, or of the gateway, may connect', async () => {
    await using server = await startTestServer({ allowedOrigins: ['https://admin.customer.example'] });
    for (const origin of ['https://admin.customer.example', server.origin]) {
      await once(server.openSocket('graphql-transport-ws', { origin }), 'open');
    }
  });

  test('another path is refused with 404', async () => {
    await using server = await startTestServer();
    const { WebSocket } = await import('ws');
    const socket = new WebSocket(`${server.socketUrl}/other`, 'graphql-transport-ws');
    const [error] = await once(socket, 'error');
    expect(String(error)).toContain('404');
  });
});

describe('an error of one operation leaves the others alone', () => {
  test.each([
    ['malformed', { query: '{ hello' }],
    ['invalid', { query: '{ unknown }' }],
    ['too deep', { query: `{ items { nodes { ${'parent { '.repeat(20)} id ${'} '.repeat(20)} } } }` }],
    ['a subscription refused', { query: 'subscription { refusedValues }' }],
    ['a subscription that breaks', { query: 'subscription { brokenValues }' }],
    ['a query that breaks', { query: '{ broken }' }],
  ])('%s: the others on the socket continue', async (_case, payload) => {
    await using server = await startTestServer();
    const client = await server.connect(ada);
    const values = client.iterate({ query: 'subscription { values }' });
    const first = values.next();
    await server.source.untilOpen(1);

    const outcome = await runOverSocket(client, payload).catch((error: unknown) => error);
    expect(outcome).not.toHaveProperty('code');

    server.source.emit(7);
    expect(await first).toMatchObject({ value: { data: { values: 7 } } });
  });

  test('a persisted query named by its hash only: the client can send its text', async () => {
    await using server = await startTestServer();
    const client = await server.connect(ada);
    const extensions = { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } };
    expect(await failureOf(runOverSocket(client, { query: '', extensions }))).toEqual([
      { message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } },
    ]);
    expect(await runOverSocket(client, { query: '{ hello }', extensions })).toEqual({
      data: { hello: 'hello world' },
    });
  });

  test('an id that is in use closes the socket with 4409, as the protocol requires', async () => {
    await using server = await startTestServer();
    const socket = await openAcknowledged(server);
    send(socket, { id: '1', type: 'subscribe', payload: { query: 'subscription { values }' } });
    send(socket, { id: '1', type: 'subscribe', payload: { query: 'subscription { values }' } });
    expect(await closeOf(socket)).toMatchObject({ code: 4409 });
    await server.source.untilOpen(0);
  });

  test.each(['nonsense', '{"type":"unknown"}', '{"type":"subscribe","id":"1"}', '[]'])(
    'an invalid message closes the socket with 4400: %s',
    async (message) => {
      await using server = await startTestServer();
      const socket = await openAcknowledged(server);
      socket.send(message);
      expect(await closeOf(socket)).toMatchObject({ code: 4400 });
    },
  );

  test('before the token is shown, a message that is longer than a token closes it when it begins', async () => {
    await using server = await startTestServer({ limits: { connectionInitMs: 5_000 } });
    const socket = server.openSocket();
    const [[{ socket: stream }]] = (await Promise.all([once(socket, 'upgrade'), once(socket, 'open')])) as [
      [IncomingMessage],
      unknown,
    ];
    // The head of a masked frame of text with one byte too many, of which none is sent.
    const head = Buffer.from([0x81, 0x80 | 126, 0, 0, 1, 2, 3, 4]);
    head.writeUInt16BE(16 * 1024 + 1, 2);
    stream.write(head);
    expect(await closeOf(socket)).toMatchObject({ code: 1009 });
  });

  test('a token may be long, and the messages after it longer', async () => {
    await using server = await startTestServer();
    const socket = server.openSocket();
    await once(socket, 'open');
    const authorization = `Bearer ${await server.tokenOf(ada)}`;
    send(socket, { type: 'connection_init', payload: { authorization, padding: 'x'.repeat(15_000) } });
    expect(await messageOf(socket)).toEqual({ type: 'connection_ack' });
    const query = `{ hello(name: "Ada") } # ${'x'.repeat(30_000)}`;
    const variables = { padding: 'x'.repeat(200_000) };
    send(socket, { id: '1', type: 'subscribe', payload: { query, variables } });
    expect(await messageOf(socket)).toMatchObject({
      type: 'next',
      payload: { data: { hello: 'hello Ada' } },
    });
  });

  test('a message that is too large closes the socket with 1009', async () => {
    await using server = await startTestServer();
    const socket = await openAcknowledged(server);
    socket.send('x'.repeat(256 * 1024 + 1));
    expect(await closeOf(socket)).toMatchObject({ code: 1009 });
    expect(server.log.entries.filter(({ level }) => level !== 'debug')).toEqual([]);
  });
});

describe('the source of a subscription is closed', () => {
  test('when the client completes it, and its id can be reused at once', async () => {
    await using server = await startTestServer();
    const socket = await openAcknowledged(server);
    const subscribe = { id: '1', type: 'subscribe', payload: { query: 'subscription { values }' } };
    for (let round = 0; round < 3; round++) {
      send(socket, subscribe);
      await server.source.untilOpen(1);
      send(socket, { id: '1', type: 'complete' });
      await server.source.untilOpen(0);
    }
    send(socket, subscribe);
    await server.source.untilOpen(1);
    server.source.emit(7);
    expect(await messageOf(socket)).toEqual({ id: '1', type: 'next', payload: { data: { values: 7 } } });
  });

  test('when the socket closes in any way', async () => {
    await using server = await startTestServer();
    for (const disconnect of [
      (socket: WebSocket) => socket.close(),
      (socket: WebSocket) => socket.terminate(),
    ]) {
      const socket = await openAcknowledged(server);
      for (const id of ['1', '2', '3']) {
        send(socket, { id, type: 'subscribe', payload: { query: 'subscription { values }' } });
      }
      await server.source.untilOpen(3);
      disconnect(socket);
      await server.source.untilOpen(0);
    }
  });

  test('when the token expires, and the socket is closed with 4403 within a second', async () => {
    await using server = await startTestServer({ tokenLifetimeSeconds: 5 });
    const socket = await openAcknowledged(server);
    const { expiresAt } = await server.issuer.issue(ada);
    send(socket, { id: '1', type: 'subscribe', payload: { query: 'subscription { values }' } });
    await server.source.untilOpen(1);

    using lateness = measureLateness();
    expect(await closeOf(socket)).toEqual({ code: 4403, reason: 'Token expired' });
    const late = Date.now() - expiresAt.getTime();
    expect(late).toBeGreaterThan(-1_100);
    expect(late).toBeLessThan(1_000 + lateness.allowance());
    await server.source.untilOpen(0);
  });
});

test('messages that arrive while the socket is closing are ignored', async () => {
  await using server = await startTestServer({ tokenLifetimeSeconds: 5, limits: { socketCloseMs: 1_000 } });
  const socket = await openAcknowledged(server);
  send(socket, { id: '1', type: 'subscribe', payload: { query: 'subscription { values }' } });
  await server.source.untilOpen(1);
  // It does not read, so it does not answer the close frame.
  socket.pause();
  await server.source.untilOpen(0);
  for (let id = 2; id < 10; id += 1) {
    send(socket, { id: String(id), type: 'subscribe', payload: { query: 'mutation { add(to: 1) }' } });
  }
  socket.resume();
  await once(socket, 'close');
  const other = await server.connect('ben@customer.example');
  // The subscription had the first context, and the mutations had none.
  expect(await runOverSocket(other, { query: '{ serial }' })).toEqual({ data: { serial: 2 } });
});

describe('a client is limited in', () => {
  test('the concurrent operations on a socket: one more is refused, and the others continue', async () => {
    await using server = await startTestServer({ limits: { operationsPerSocket: 2 } });
    const client = await server.connect(ada);
    const running = [1, 2].map(() => {
      const values = client.iterate({ query: 'subscription { values }' });
      return { values, first: values.next() };
    });
    await server.source.untilOpen(2);

    const refused = await failureOf(runOverSocket(client, { query: '{ hello }' }));
    expect(refused).toMatchObject([{ extensions: { code: 'TOO_MANY_OPERATIONS' } }]);

    server.source.emit(7);
    for (const { first } of running) expect(await first).toMatchObject({ value: { data: { values: 7 } } });
    await running[0]?.values.return?.();
    await server.source.untilOpen(1);
    expect(await runOverSocket(client, { query: '{ hello }' })).toEqual({ data: { hello: 'hello world' } });
  });

  test('the messages of the operations on a socket, which are kept while they run', async () => {
    await using server = await startTestServer({ limits: { operationCharactersPerSocket: 500_000 } });
    const client = await server.connect(ada);
    const large = { query: 'subscription { values }', variables: { ignored: 'x'.repeat(200_000) } };
    const [first] = [1, 2].map(() => {
      const values = client.iterate(large);
      return { values, first: values.next() };
    });
    await server.source.untilOpen(2);

    expect(await failureOf(runOverSocket(client, large))).toMatchObject([
      { extensions: { code: 'TOO_MANY_OPERATIONS' } },
    ]);
    expect(await runOverSocket(client, { query: '{ hello }' })).toEqual({ data: { hello: 'hello world' } });

    server.source.emit(7);
    await first?.first;
    await first?.values.return?.();
    await server.source.untilOpen(1);
    client.iterate(large).next();
    await server.source.untilOpen(2);
  });

  test('the sockets and event streams together: one more is closed with 4429', async () => {
    await using server = await startTestServer({ limits: { connectionsPerBearer: 2 } });
    const first = await openAcknowledged(server);
    await openAcknowledged(server);

    const third = await server.connect(ada);
    expect(await failureOf(runOverSocket(third, { query: '{ hello }' }))).toMatchObject({
      code: 4429,
      reason: 'Too many connections',
    });
    const stream = await server.post(
      { query: 'subscription { values }' },
      { email: ada, headers: { accept: 'text/event-stream' } },
    );
    expect(stream.status).toBe(429);
    const other = await server.connect('ben@customer.example');
    expect(await runOverSocket(other, { query: '{ hello }' })).toBeDefined();

    first.close();
    await once(first, 'close');
    expect(await runOverSocket(await server.connect(ada), { query: '{ hello }' })).toBeDefined();
  });
});

describe('a client', () => {
  test('that does not answer a ping is terminated', () =>
    withPingsOftenEnough(async (server, socket) => {
      send(socket, { id: '1', type: 'subscribe', payload: { query: 'subscription { values }' } });
      await server.source.untilOpen(1);
      socket.pause();
      await server.source.untilOpen(0);
    }));

  test('that answers pings stays connected', () =>
    withPingsOftenEnough(async (_server, socket) => {
      for (let pings = 0; pings < 4; pings++) await once(socket, 'ping');
      expect(socket.readyState).toBe(socket.OPEN);
    }));

  /** Tries it with longer times between two pings if this process is too slow to answer one before the next. */
  async function withPingsOftenEnough(
    work: (server: TestServer, socket: WebSocket) => Promise<void>,
  ): Promise<void> {
    for (const pingMs of [50, 500, 5_000]) {
      await using server = await startTestServer({ limits: { pingMs } });
      const socket = await openAcknowledged(server);
      const closed = once(socket, 'close').then(() => 'TERMINATED');
      if ((await Promise.race([work(server, socket), closed])) !== 'TERMINATED') return;
    }
    expect.fail('It was terminated although it answers pings.');
  }

  test('that does not read but sends more operations is terminated before it fills the memory', async () => {
    await using server = await startTestServer({ limits: { socketBufferBytes: 64 * 1024 } });
    const socket = await openAcknowledged(server);
    socket.pause();
    send(socket, { id: 'values', type: 'subscribe', payload: { query: 'subscription { values }' } });
    await server.source.untilOpen(1);
    const query = '{ hello(name: "0123456789", times: 60000) }';
    for (let n = 0; n < 40; n++) send(socket, { id: String(n), type: 'subscribe', payload: { query } });
    await server.source.untilOpen(0);
    expect(server.log.entries).toMatchObject([
      { level: 'warn', message: expect.stringContaining('does not read') },
    ]);
  });

  test('that does not read delays no other, which gets every value of an endless stream', async () => {
    await using server = await startTestServer();
    const stalled = await openAcknowledged(server);
    stalled.pause();
    send(stalled, { id: '1', type: 'subscribe', payload: { query: 'subscription { blobs }' } });

    const client = await server.connect('ben@customer.example');
    let expected = 0;
    for await (const { data } of client.iterate({ query: 'subscription { count(to: 2000) }' })) {
      expected += 1;
      expect(data).toEqual({ count: expected });
    }
    expect(expected).toBe(2_000);
  });
});
