/** Hostile clients: each gets the response that the contract states, and a subscriber beside them receives everything. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { closeOf } from '../http/server-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { type Json, startGateway, type TestGateway } from '../support/gateway.ts';
import { measureLateness } from '../support/lateness.ts';
import { bySize } from '../support/size.ts';
import { done, startGatewayWithWorld, type World } from '../support/world.ts';
import { type Bystander, startBystander } from './bystander.ts';
import { connect, openSocket, type TestSocket } from './sockets.ts';

let gateway: TestGateway;
let world: World;
let bystander: Bystander;
let token: string;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld());
  bystander = await startBystander(gateway, world);
  token = (await gateway.as(world.acme.emails.organizationAdmin)).token;
});
afterAll(() => gateway.dispose());

const hostileClients = bySize(4, 10);
const subscription = 'subscription { grantEvents { id } }';
const subscribe = (id: string, payload: object = { query: subscription }) => ({
  ...{ id, type: 'subscribe' },
  payload,
});

/** A message in pieces, each a frame of its own. */
function sendInPieces(socket: WebSocket, bytes: number): void {
  const piece = 'x'.repeat(16 * 1024);
  for (let sent = 0; sent < bytes; sent += piece.length) socket.send(piece, { fin: false });
}

describe('a violation of the protocol closes the socket of that client, and no other', () => {
  test.each<[string, number, (client: TestSocket) => void]>([
    ['a message that is not JSON', 4400, ({ socket }) => socket.send('{"type": "subscribe", ')],
    ['JSON of 100,000 levels', 4400, ({ socket }) => socket.send('['.repeat(100_000))],
    ['random bytes', 4400, ({ socket }) => socket.send(randomBytes(64 * 1024))],
    ['a text frame that is not UTF-8', 1007, ({ socket }) => socket.send(Buffer.of(0xff), { binary: false })],
    ['a frame that is too large', 1009, ({ socket }) => socket.send('x'.repeat(256 * 1024 + 1))],
    ['a message that is too large, in small frames', 1009, ({ socket }) => sendInPieces(socket, 300 * 1024)],
    ['a second connection_init', 4429, ({ send }) => send({ type: 'connection_init' })],
    [
      'an id that is in use',
      4409,
      ({ send }) => {
        send(subscribe('1'));
        send(subscribe('1'));
      },
    ],
  ])('%s', async (_what, code, attack) => {
    const closes = await bystander.during(() =>
      Promise.all(
        Array.from({ length: hostileClients }, async () => {
          const client = await connect(gateway.url, token);
          const close = closeOf(client.socket);
          attack(client);
          return (await close).code;
        }),
      ),
    );
    expect(closes).toEqual(closes.map(() => code));
  });
});

describe('an invalid operation gets an error on its own id', () => {
  test.each<[string, object, string]>([
    ['a malformed query', { query: 'subscription { grantEvents {' }, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', { query: 'subscription { everything { id } }' }, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'an unknown operation',
      { query: `subscription A { grantEvents { id } }`, operationName: 'B' },
      'OPERATION_RESOLUTION_FAILURE',
    ],
    [
      'an invalid cursor',
      { query: 'subscription { grantEvents(after: "nonsense") { id } }' },
      'CURSOR_MALFORMED',
    ],
  ])('%s, again and again', async (_what, payload, code) => {
    const client = await connect(gateway.url, token);
    client.send(subscribe('good'));
    const times = bySize(20, 200);
    await bystander.during(async () => {
      for (let time = 0; time < times; time += 1) {
        client.send(subscribe(`bad ${time}`, payload));
        await client.until((messages) => answersOfBad(messages).length > time);
      }
    });
    expect(new Set(answersOfBad(client.messages).map(codeOf))).toEqual(new Set([code]));
    await client.until((messages) => messages.some(({ id, type }) => id === 'good' && type === 'next'));
    client.socket.close();
  });

  /** The responses on their ids: an error, or a first result with errors. */
  const answersOfBad = (messages: readonly Json[]) =>
    messages.filter(({ id, type }) => String(id).startsWith('bad') && type !== 'complete');
  const codeOf = ({ type, payload }: Json) =>
    (type === 'error' ? payload : payload.errors)[0].extensions.code;
});

test('thousands of operations on one socket: 100 run, each of the others is refused on its own id', async () => {
  const client = await connect(gateway.url, token);
  const asked = bySize(2_000, 10_000);
  const refusals = () => client.messages.filter(({ type }) => type === 'error');
  // Counted as they arrive: searching all messages for each would cost more than the gateway's own work.
  let count = 0;
  client.socket.on('message', (text) => {
    if (String(text).includes('"type":"error"')) count += 1;
  });
  await bystander.during(async () => {
    for (let id = 0; id < asked; id += 1) client.send(subscribe(String(id)));
    await client.until(() => count === asked - 100);
  });
  expect(refusals()).toHaveLength(asked - 100);
  expect(new Set(refusals().map(({ payload }) => payload[0].extensions.code))).toEqual(
    new Set(['TOO_MANY_OPERATIONS']),
  );
  const refused = new Set(refusals().map(({ id }) => id));

  // Each of the 100 that run has started, and receives an event written afterwards.
  const started = () => client.messages.filter(({ type }) => type === 'next');
  await client.until(() => new Set(started().map(({ id }) => id)).size === 100);
  const reporter = await gateway.as(world.acme.emails.reporter);
  const productId = world.acme.sites.main.products.jira;
  await done(reporter, 'createTicket', { productId, summary: 'The last', grantDataAccess: false });
  const { rows } = await gateway.sql.query(
    `SELECT id FROM events WHERE payload->>'kind' = 'grant' ORDER BY txid DESC LIMIT 1`,
  );
  const receivedBy = () =>
    client.messages
      .filter(({ payload }) => payload?.data?.grantEvents.id === rows[0]?.id)
      .map(({ id }) => id);
  await client.until(() => receivedBy().length === 100);
  expect(receivedBy().filter((id) => refused.has(id))).toEqual([]);
  client.socket.close();
});

test('an id used again while its operation is being prepared closes the socket with 4409', async () => {
  const client = await connect(gateway.url, token);
  const close = closeOf(client.socket);
  await bystander.during(async () => {
    for (let time = 0; time < 300; time += 1) {
      client.send(subscribe('1'));
      client.send({ id: '1', type: 'complete' });
    }
    expect((await close).code).toBe(4409);
  });
});

test('an id used again while its query is executed closes the socket with 4409', async () => {
  const client = await connect(gateway.url, token);
  const close = closeOf(client.socket);
  const locking = await gateway.sql.connect();
  onTestFinished(() => locking.release(true));
  await locking.query('BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE');
  client.send(subscribe('1', { query: '{ tickets(first: 1) { edges { node { key } } } }' }));
  await eventually(async () => {
    const { rows } = await gateway.sql.query(
      `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tickets'::regclass`,
    );
    expect(rows).not.toHaveLength(0);
  });
  client.send({ id: '1', type: 'complete' });
  client.send(subscribe('1'));
  expect((await close).code).toBe(4409);
});

test('300 connections that never authenticate: each is closed with 4408 in time', async () => {
  await using impatient = await startGateway({
    ...{ databaseUrl: gateway.databaseUrl, maintenance: false },
    limits: { connectionInitMs: 1_000 },
  });
  const beside = await startBystander(impatient, world);
  using lateness = measureLateness();
  const closes = await beside.during(() =>
    Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = await openSocket(impatient.url);
        const openedAt = performance.now();
        const { code } = await closeOf(socket);
        return { code, within: performance.now() - openedAt };
      }),
    ),
  );
  expect(new Set(closes.map(({ code }) => code))).toEqual(new Set([4408]));
  expect(Math.max(...closes.map(({ within }) => within))).toBeLessThan(2_000 + lateness.allowance());
});

test('a flood of connections of one account: 50 stay, the others are closed with 4429', async () => {
  const reporter = await gateway.as(world.globex.emails.reporter);
  const { opened, refused } = await bystander.during(async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 200 }, () => connect(gateway.url, reporter.token)),
    );
    return {
      opened: attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : [])),
      refused: attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [String(attempt.reason)] : [])),
    };
  });
  expect(opened).toHaveLength(50);
  expect(refused.filter((reason) => !reason.includes('4429'))).toEqual([]);
  for (const { socket } of opened) socket.terminate();
});

describe('pings', () => {
  const pings = bySize(2_000, 10_000);

  test('thousands one after the other are answered', async () => {
    const { socket } = await connect(gateway.url, token);
    await bystander.during(async () => {
      for (let sent = 0; sent < pings; sent += 1) {
        socket.ping(String(sent));
        const [answer] = await once(socket, 'pong');
        if (String(answer) !== String(sent)) expect.fail(`ping ${sent} was answered with ${answer}`);
      }
    });
    socket.close();
  });

  test.each(['reads', 'does not read until then'])(
    'thousands at once are answered to a client that %s',
    async (what) => {
      const { socket } = await connect(gateway.url, token);
      let answers = 0;
      socket.on('pong', () => {
        answers += 1;
      });
      if (what !== 'reads') socket.pause();
      await bystander.during(async () => {
        for (let sent = 1; sent < pings; sent += 1) socket.ping('x'.repeat(125));
        await new Promise((resolve) => socket.ping('the last', undefined, resolve));
        socket.resume();
        while (answers < pings) await once(socket, 'pong');
      });
      socket.close();
    },
  );

  test('of the subprotocol, faster than their answers are read: the socket is cut', async () => {
    const client = await connect(gateway.url, token);
    const close = closeOf(client.socket);
    client.socket.pause();
    const message = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(60_000) } });
    await bystander.during(async () => {
      for (let sent = 0; sent < 2_000 && client.socket.readyState === client.socket.OPEN; sent += 1) {
        await new Promise((resolve) => client.socket.send(message, resolve));
      }
      client.socket.resume();
      expect([1006, 4413]).toContain((await close).code);
    });
  });
});

describe('before and beneath the protocol', () => {
  /** Requests an upgrade to a WebSocket with this subprotocol; returns the connection. */
  async function upgrade(subprotocol: string) {
    const socket = connectTcp(Number(new URL(gateway.url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    socket.write(
      [
        ...['GET /graphql HTTP/1.1', 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket'],
        ...['Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`],
        ...[`Sec-WebSocket-Protocol: ${subprotocol}`, '', ''],
      ].join('\r\n'),
    );
    while (!bytes.includes('\r\n\r\n')) await once(socket, 'data');
    expect(String(bytes)).toMatch(/^HTTP\/1\.1 101 /);
    return {
      socket,
      /** The code of the close frame that arrives. */
      async closeCode(): Promise<number> {
        const frames = () => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
        const end = once(socket, 'close');
        while (frames().length < 4 && !socket.destroyed) await Promise.race([once(socket, 'data'), end]);
        socket.destroy();
        expect(frames()[0], 'a close frame').toBe(0x88);
        return frames().readUInt16BE(2);
      },
    };
  }

  test.each(['graphql-ws', 'soap', 'graphql-transport-ws2'])(
    'a client of the subprotocol %s is closed with 4406',
    async (subprotocol) => {
      const code = await bystander.during(async () => (await upgrade(subprotocol)).closeCode());
      expect(code).toBe(4406);
    },
  );

  test.each<[string, Buffer]>([
    ['reserved bits', Buffer.of(0xf1, 0x80, 0, 0, 0, 0)],
    ['a frame without a mask', Buffer.of(0x81, 0x02, 0x7b, 0x7d)],
    ['a frame of an unknown kind', Buffer.of(0x83, 0x80, 0, 0, 0, 0)],
    ['a ping that is too long', Buffer.of(0x89, 0xfe, 0x01, 0x00, 0, 0, 0, 0)],
  ])('%s, which no WebSocket client sends: closed with 1002, as RFC 6455 says', async (_what, frame) => {
    const codes = await bystander.during(() =>
      Promise.all(
        Array.from({ length: hostileClients }, async () => {
          const { socket, closeCode } = await upgrade('graphql-transport-ws');
          socket.write(frame);
          return closeCode();
        }),
      ),
    );
    expect(codes).toEqual(codes.map(() => 1002));
  });

  test('bytes that are not HTTP get 400, and the connection is closed', async () => {
    const answers = await bystander.during(() =>
      Promise.all(
        Array.from({ length: hostileClients }, async () => {
          const socket = connectTcp(Number(new URL(gateway.url).port), '127.0.0.1').setEncoding('latin1');
          socket.on('error', () => undefined);
          let text = '';
          socket.on('data', (chunk) => {
            text += chunk;
          });
          socket.end(Buffer.concat([Buffer.of(0), randomBytes(10_000)]));
          await once(socket, 'close');
          return text.split('\r\n')[0];
        }),
      ),
    );
    expect(answers).toEqual(answers.map(() => 'HTTP/1.1 400 Bad Request'));
  });
});
