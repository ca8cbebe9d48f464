/** Connections that do nothing, on a server that lets few of them be open. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createWebhookCounters } from '../../src/webhooks/counters.ts';
import { startAccessServer } from './access/fixture.ts';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

/** Opens a connection and keeps it; resolves when the server has taken it. */
async function open(server: Pick<TestServer, 'origin'>): Promise<Socket> {
  const socket = connect(Number(new URL(server.origin).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket, path = '/healthz'): Promise<void> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(socket, 'data');
}

test('one too many closes the one that has been idle for longest, and is served', async () => {
  await using server = await startTestServer({ limits: { idleConnections: 3 } });
  const sockets = [await open(server), await open(server), await open(server)] as const;
  for (const socket of sockets) await ask(socket);
  await ask(sockets[0]);
  const closed = once(sockets[1], 'close');
  const another = await open(server);
  await ask(another);
  await closed;
  expect([...sockets, another].map(({ closed: isClosed }) => isClosed)).toEqual([false, true, false, false]);
  expect(server.log.entries).toMatchObject([{ level: 'warn', fields: { max: 3 } }]);
  for (const socket of [...sockets, another]) socket.destroy();
});

test('those that carry a stream or a signed-in WebSocket are not idle', async () => {
  await using server = await startTestServer({ limits: { idleConnections: 1 } });
  const stream = await server.post(
    { query: 'subscription { values }' },
    { email: ada, headers: { accept: 'text/event-stream' } },
  );
  const client = await server.connect(ada, { lazy: false });
  await new Promise((connected) => client.on('connected', connected));
  const values = client.iterate({ query: 'subscription { values }' });
  const next = values.next();
  await server.source.untilOpen(2);

  const silent = server.openSocket();
  await once(silent, 'open');
  const closed = once(silent, 'close');
  const others = [await open(server), await open(server)];
  await closed;

  server.source.emit(7);
  expect((await next).value).toEqual({ data: { values: 7 } });
  const [{ value }] = [await stream.body?.getReader().read()] as [{ value: Uint8Array }];
  expect(value).toBeDefined();
  for (const socket of others) socket.destroy();
});

test('more connections than a gateway may have are closed at once', async () => {
  await using server = await startTestServer({ limits: { connections: 2 } });
  const sockets = [await open(server), await open(server)];
  for (const socket of sockets) await ask(socket);
  const third = await open(server);
  await once(third, 'close');
  expect(sockets.map(({ closed }) => closed)).toEqual([false, false]);
  for (const socket of sockets) socket.destroy();
});

test('of one account so many bodies arrive at a time, and others are read', async () => {
  await using server = await startTestServer({ limits: { bodiesPerBearer: 1 } });
  const slow = await open(server);
  const head = `Host: x\r\nAuthorization: Bearer ${await server.tokenOf(ada)}\r\nContent-Type: application/json\r\nExpect: 100-continue`;
  const body = JSON.stringify({ query: '{ hello }' });
  slow.write(`POST /graphql HTTP/1.1\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n`);
  await once(slow, 'data');

  const refused = await server.post({ query: '{ hello }' }, { email: ada });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }] });
  expect((await server.post({ query: '{ hello }' }, { email: 'bob@customer.example' })).status).toBe(200);

  slow.write(body);
  await once(slow, 'data');
  expect((await server.post({ query: '{ hello }' }, { email: ada })).status).toBe(200);
  slow.destroy();
});

/** Begins a request whose body does not arrive; resolves once the gateway waits for it. */
async function beginSlowly(
  server: Pick<TestServer, 'origin'>,
  path: string,
  headers: Record<string, string>,
): Promise<Socket> {
  const slow = await open(server);
  const lines = Object.entries({
    Host: 'x',
    'Content-Type': 'application/json',
    'Content-Length': '2',
    ...headers,
  });
  const head = [...lines, ['Expect', '100-continue']].map(([name, value]) => `${name}: ${value}`);
  slow.write(`POST ${path} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
  await once(slow, 'data');
  return slow;
}

test('so it is for the questions of one backend', async () => {
  await using server = await startAccessServer({ limits: { bodiesPerBearer: 1 } });
  const path = '/access/v1/evaluation';
  const slow = await beginSlowly(server, path, { Authorization: `Bearer ${server.token}` });
  const refused = await server.post(path, {});
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect(refused.text).toContain('arrive at this gateway');
  slow.write('{}');
  await once(slow, 'data');
  expect((await server.post(path, {})).status).toBe(400);
  slow.destroy();
});

test('and for the events of one ticketing system from one address, so that nobody else keeps them from arriving', async () => {
  await using server = await startTestServer({
    limits: { bodiesPerBearer: 1 },
    isTrustedProxy: () => true,
    ticketWebhooks: {
      integrations: [{ name: 'desk', account: 'desk@vendor.example', secrets: [] }],
      receive: () => Promise.reject(new Error('nothing is received')),
      clock: () => new Date(),
      counters: createWebhookCounters(),
    },
  });
  const path = '/webhooks/tickets/desk';
  const headersFrom = (address: string) => ({
    'x-forwarded-for': address,
    'webhook-id': 'msg',
    'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
    'webhook-signature': 'v1,bm90aGluZw==',
  });
  const sendFrom = async (address: string) => {
    const headers = { ...headersFrom(address), 'content-type': 'application/json' };
    const response = await fetch(`${server.origin}${path}`, { method: 'POST', body: '{}', headers });
    return response.status;
  };
  const slow = await beginSlowly(server, path, headersFrom('192.0.2.1'));
  expect(await sendFrom('192.0.2.1')).toBe(429);
  expect(await sendFrom('192.0.2.2')).toBe(401);
  slow.write('{}');
  await once(slow, 'data');
  expect(await sendFrom('192.0.2.1')).toBe(401);
  slow.destroy();
});
