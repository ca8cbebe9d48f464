import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startHttpServer } from '../../src/http/server.ts';
import { generousMs } from '../support/deadlines.ts';
import { measureLateness } from '../support/lateness.ts';
import { subscribeToIterables } from '../support/push.ts';
import { closeOf, contextOf, recordingLog, startTestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

test('WebSockets are closed with 1001, and the sources of their subscriptions closed', async () => {
  await using server = await startTestServer();
  const client = await server.connect(ada);
  const outcome = client
    .iterate({ query: 'subscription { values }' })
    .next()
    .catch((reason: unknown) => reason);
  await server.source.untilOpen(1);
  await server.server.dispose();
  expect(await outcome).toMatchObject({ code: 1001 });
  await server.source.untilOpen(0);
});

test('event streams are cut without being completed, so that their clients reconnect', async () => {
  await using server = await startTestServer();
  const response = await server.post(
    { query: 'subscription { values }' },
    { email: ada, headers: { accept: 'text/event-stream' } },
  );
  await server.source.untilOpen(1);
  using lateness = measureLateness();
  const begun = Date.now();
  await server.server.dispose();
  expect(Date.now() - begun).toBeLessThan(1_000 + lateness.allowance());
  await expect(response.text()).rejects.toThrow('terminated');
  await server.source.untilOpen(0);
});

test('a running request is answered', async () => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: allowed, resolve: allow } = Promise.withResolvers<void>();
  await using server = await startTestServer({
    async createContext(operation) {
      begin();
      await allowed;
      return contextOf(operation);
    },
  });
  const response = server.post({ query: '{ hello }' });
  await begun;
  const disposal = server.server.dispose();
  allow();
  expect(await (await response).json()).toEqual({ data: { hello: 'hello world' } });
  await disposal;
});

test('new connections are refused', async () => {
  await using server = await startTestServer();
  await server.server.dispose();
  await expect(fetch(server.url)).rejects.toThrow();
});

test('a client with an open connection learns that the gateway drains', async () => {
  const slow = { begun: Promise.withResolvers<void>(), allowed: Promise.withResolvers<void>() };
  const arrived = Promise.withResolvers<void>();
  await using server = await startTestServer({
    routes: [
      {
        path: '/slow',
        methods: {
          async GET(_request, response) {
            slow.begun.resolve();
            await slow.allowed.promise;
            response.end();
          },
        },
      },
      {
        path: '/arrived',
        whileDraining: true,
        methods: {
          GET(_request, response) {
            arrived.resolve();
            response.end();
          },
        },
      },
    ],
  });
  const socket = connect(Number(new URL(server.origin).port), '127.0.0.1').setEncoding('utf8');
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await slow.begun.promise;
  using lateness = measureLateness();
  const begun = Date.now();
  const disposal = server.server.dispose();
  socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\nGET /arrived HTTP/1.1\r\nHost: x\r\n\r\n');
  await arrived.promise;
  slow.allowed.resolve();
  await Promise.all([disposal, once(socket, 'close')]);
  expect(Date.now() - begun).toBeLessThan(2_000 + lateness.allowance());
  expect(received).toContain('HTTP/1.1 503');
  expect(received).toContain('DRAINING');
});

test('while connections drain, new requests get 503', async () => {
  await using server = await startTestServer({
    limits: { socketCloseMs: generousMs, shutdownMs: generousMs },
  });
  const stalled = server.openSocket();
  await once(stalled, 'open');
  stalled.pause();
  const disposal = server.server.dispose();

  const ready = await fetch(`${server.origin}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'DRAINING' }]);
  expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
  const query = await server.post({ query: '{ hello }' });
  expect([query.status, query.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await query.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
  const other = await fetch(server.origin, { redirect: 'manual' });
  expect([other.status, other.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await other.json()).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } });
  const socket = server.openSocket();
  socket.on('error', () => undefined);
  const [, refused] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1']);
  socket.terminate();
  stalled.terminate();
  await disposal;
});

test('a running query on a WebSocket is answered before 1001, and a new one is refused', async () => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: allowed, resolve: allow } = Promise.withResolvers<void>();
  await using server = await startTestServer({
    async createContext(operation) {
      begin();
      await allowed;
      return contextOf(operation);
    },
  });
  const socket = server.openSocket();
  await once(socket, 'open');
  const send = (message: object) => socket.send(JSON.stringify(message));
  send({ type: 'connection_init', payload: { authorization: `Bearer ${await server.tokenOf(ada)}` } });
  await once(socket, 'message');
  const messages: unknown[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  send({ id: 'first', type: 'subscribe', payload: { query: '{ hello }' } });
  await begun;

  const disposal = server.server.dispose();
  const refused = once(socket, 'message');
  send({ id: 'second', type: 'subscribe', payload: { query: '{ hello }' } });
  await refused;
  const close = closeOf(socket);
  allow();
  expect(await close).toEqual({ code: 1001, reason: 'Going away' });
  expect(messages).toMatchObject([
    { id: 'second', type: 'error', payload: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] },
    { id: 'first', type: 'next', payload: { data: { hello: 'hello world' } } },
    { id: 'first', type: 'complete' },
  ]);
  await disposal;
});

test('many connections are closed within the time to drain, and all of them with 1001', async () => {
  // That the moments are random, drain-clients.test.ts shows with a stopped clock.
  await using server = await startTestServer({ limits: { drainMs: 500, drainPerConnectionMs: 5 } });
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const socket = server.openSocket();
      await once(socket, 'open');
      return socket;
    }),
  );
  const closes = Promise.all(sockets.map(closeOf));
  await server.server.dispose();
  expect(new Set((await closes).map(({ code }) => code))).toEqual(new Set([1001]));
});

test('clients that do not answer delay shutdown by at most five seconds', async () => {
  const { promise: underWay, resolve: begin } = Promise.withResolvers<void>();
  await using server = await startTestServer({
    limits: { socketCloseMs: 60_000 },
    createContext(operation) {
      begin();
      return contextOf(operation);
    },
  });
  const stalled = server.openSocket();
  await once(stalled, 'open');
  stalled.pause();
  const halfRequest = connect(Number(new URL(server.origin).port), '127.0.0.1');
  halfRequest.on('error', () => {});
  halfRequest.write('POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n');
  const halfUpgrade = connect(Number(new URL(server.origin).port), '127.0.0.1');
  halfUpgrade.on('error', () => {});
  halfUpgrade
    .pause()
    .write('GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const hanging = server.post({ query: '{ hangs }' }).catch(() => 'CUT');
  await underWay;

  using lateness = measureLateness();
  const begun = Date.now();
  await server.server.dispose();
  expect(Date.now() - begun).toBeLessThan(5_000 + lateness.allowance());
  expect(await hanging).toBe('CUT');
});

test('disposing again has no effect', async () => {
  await using server = await startTestServer();
  await Promise.all([server.server.dispose(), server.server.dispose()]);
  await server.server.dispose();
});

test('starting fails when the port is in use', async () => {
  await using server = await startTestServer();
  const second = startHttpServer({
    host: '127.0.0.1',
    port: Number(new URL(server.origin).port),
    schema: (await import('graphql')).buildSchema('type Query { hello: String }'),
    subscribe: subscribeToIterables,
    authenticate: () => Promise.reject(new Error('unused')),
    createContext: () => ({}),
    log: recordingLog(),
  });
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('a close by the client is answered at once', async () => {
  await using server = await startTestServer();
  const socket = server.openSocket();
  await once(socket, 'open');
  socket.close(1000, 'done');
  expect(await closeOf(socket)).toEqual({ code: 1000, reason: 'done' });
});
