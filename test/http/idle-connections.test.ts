/** Connections that do nothing, on a server that lets few of them be open. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

/** Opens a connection and keeps it; resolves when the server has taken it. */
async function open(server: TestServer): Promise<Socket> {
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
