/** Clients that mean no good: each gets what the contract says, and whoever listens beside them hears everything. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { closeOf } from '../http/server-fixture.ts';
import { type Json, startGateway, type TestGateway } from '../support/gateway.ts';
import { buildWorld, done, type World } from '../support/world.ts';
import { type Bystander, startBystander } from './bystander.ts';
import { connect, openSocket, type Talk } from './sockets.ts';

let gateway: TestGateway;
let world: World;
let bystander: Bystander;
let token: string;

beforeAll(async () => {
  gateway = await startGateway({ limits: { connectionInitMs: 3_000 } });
  world = await buildWorld(gateway);
  bystander = await startBystander(gateway, world);
  token = (await gateway.as(world.acme.emails.organizationAdmin)).token;
});
afterAll(() => gateway.dispose());

const hostileClients = 10;
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

describe('what no client may do closes its socket, and no other', () => {
  test.each<[string, number, (talk: Talk) => void]>([
    ['a message that is no JSON', 4400, ({ socket }) => socket.send('{"type": "subscribe", ')],
    ['JSON of 100,000 levels', 4400, ({ socket }) => socket.send('['.repeat(100_000))],
    ['random bytes', 4400, ({ socket }) => socket.send(randomBytes(64 * 1024))],
    [
      'bytes that are no text, as text',
      1007,
      ({ socket }) => socket.send(Buffer.of(0xff), { binary: false }),
    ],
    ['a frame that is too large', 1009, ({ socket }) => socket.send('x'.repeat(256 * 1024 + 1))],
    ['a message too large in small frames', 1009, ({ socket }) => sendInPieces(socket, 300 * 1024)],
    ['a second connection_init', 4429, ({ say }) => say({ type: 'connection_init' })],
    [
      'an id that is in use',
      4409,
      ({ say }) => {
        say(subscribe('1'));
        say(subscribe('1'));
      },
    ],
  ])('%s', async (_what, code, attack) => {
    const closes = await bystander.during(() =>
      Promise.all(
        Array.from({ length: hostileClients }, async () => {
          const talk = await connect(gateway.url, token);
          const close = closeOf(talk.socket);
          attack(talk);
          return (await close).code;
        }),
      ),
    );
    expect(closes).toEqual(closes.map(() => code));
  });
});

describe('what one operation does wrong is answered on its own id', () => {
  test.each<[string, object, string]>([
    ['a malformed query', { query: 'subscription { grantEvents {' }, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', { query: 'subscription { everything { id } }' }, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'an unknown operation',
      { query: `subscription A { grantEvents { id } }`, operationName: 'B' },
      'OPERATION_RESOLUTION_FAILURE',
    ],
    [
      'a cursor that is none',
      { query: 'subscription { grantEvents(after: "nonsense") { id } }' },
      'CURSOR_MALFORMED',
    ],
  ])('%s, again and again', async (_what, payload, code) => {
    const talk = await connect(gateway.url, token);
    talk.say(subscribe('good'));
    const times = 200;
    await bystander.during(async () => {
      for (let time = 0; time < times; time += 1) {
        talk.say(subscribe(`bad ${time}`, payload));
        await talk.until((messages) => answersOfBad(messages).length > time);
      }
    });
    expect(new Set(answersOfBad(talk.messages).map(codeOf))).toEqual(new Set([code]));
    await talk.until((messages) => messages.some(({ id, type }) => id === 'good' && type === 'next'));
    talk.socket.close();
  });

  /** What came back on their ids: an error, or a first result that is one. */
  const answersOfBad = (messages: readonly Json[]) =>
    messages.filter(({ id, type }) => String(id).startsWith('bad') && type !== 'complete');
  const codeOf = ({ type, payload }: Json) =>
    (type === 'error' ? payload : payload.errors)[0].extensions.code;
});

test('10,000 operations on one socket: 100 are under way, the others are refused each on its own id', async () => {
  const talk = await connect(gateway.url, token);
  const asked = 10_000;
  const refusals = () => talk.messages.filter(({ type }) => type === 'error');
  // Counted as they come: to look through all of them for each is more work than the gateway has with it.
  let count = 0;
  talk.socket.on('message', (text) => {
    if (String(text).includes('"type":"error"')) count += 1;
  });
  await bystander.during(async () => {
    for (let id = 0; id < asked; id += 1) talk.say(subscribe(String(id)));
    await talk.until(() => count === asked - 100);
  });
  expect(refusals()).toHaveLength(asked - 100);
  expect(new Set(refusals().map(({ payload }) => payload[0].extensions.code))).toEqual(
    new Set(['TOO_MANY_OPERATIONS']),
  );
  const refused = new Set(refusals().map(({ id }) => id));

  // An event that comes last comes to each of the others.
  const reporter = await gateway.as(world.acme.emails.reporter);
  const productId = world.acme.sites.main.products.jira;
  await done(reporter, 'createTicket', { productId, summary: 'The last', grantDataAccess: false });
  const { rows } = await gateway.sql.query(
    `SELECT id FROM events WHERE payload->>'kind' = 'grant' ORDER BY txid DESC LIMIT 1`,
  );
  const heardBy = () =>
    talk.messages.filter(({ payload }) => payload?.data?.grantEvents.id === rows[0]?.id).map(({ id }) => id);
  await talk.until(() => heardBy().length === 100);
  expect(heardBy().filter((id) => refused.has(id))).toEqual([]);
  talk.socket.close();
});

test('an id used again while it is being prepared closes the socket with 4409: no second stream begins unseen', async () => {
  const talk = await connect(gateway.url, token);
  const close = closeOf(talk.socket);
  await bystander.during(async () => {
    for (let time = 0; time < 300; time += 1) {
      talk.say(subscribe('1'));
      talk.say({ id: '1', type: 'complete' });
    }
    expect((await close).code).toBe(4409);
  });
});

test('an id used again while its query is executed closes the socket with 4409', async () => {
  const talk = await connect(gateway.url, token);
  const close = closeOf(talk.socket);
  const locking = await gateway.sql.connect();
  onTestFinished(() => locking.release(true));
  await locking.query('BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE');
  talk.say(subscribe('1', { query: '{ tickets(first: 1) { edges { node { key } } } }' }));
  await vi.waitFor(async () => {
    const { rows } = await gateway.sql.query(
      `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tickets'::regclass`,
    );
    expect(rows).not.toHaveLength(0);
  });
  talk.say({ id: '1', type: 'complete' });
  talk.say(subscribe('1'));
  expect((await close).code).toBe(4409);
});

test('300 connections that never say who they are: each is closed with 4408 after 3 s', async () => {
  const closes = await bystander.during(() =>
    Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = await openSocket(gateway.url);
        const openedAt = performance.now();
        const { code } = await closeOf(socket);
        return { code, within: performance.now() - openedAt };
      }),
    ),
  );
  expect(new Set(closes.map(({ code }) => code))).toEqual(new Set([4408]));
  expect(Math.max(...closes.map(({ within }) => within))).toBeLessThan(5_000);
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
  test('10,000 one after the other are answered', async () => {
    const { socket } = await connect(gateway.url, token);
    await bystander.during(async () => {
      for (let sent = 0; sent < 10_000; sent += 1) {
        socket.ping(String(sent));
        const [answer] = await once(socket, 'pong');
        if (String(answer) !== String(sent)) expect.fail(`ping ${sent} was answered with ${answer}`);
      }
    });
    socket.close();
  });

  test.each(['reads', 'does not read until then'])(
    '10,000 at once are answered to a client that %s',
    async (what) => {
      const { socket } = await connect(gateway.url, token);
      let answers = 0;
      socket.on('pong', () => {
        answers += 1;
      });
      if (what !== 'reads') socket.pause();
      await bystander.during(async () => {
        for (let sent = 1; sent < 10_000; sent += 1) socket.ping('x'.repeat(125));
        await new Promise((resolve) => socket.ping('the last', undefined, resolve));
        socket.resume();
        while (answers < 10_000) await once(socket, 'pong');
      });
      socket.close();
    },
  );

  test('of the subprotocol, faster than their answers are read: the socket is cut', async () => {
    const talk = await connect(gateway.url, token);
    const close = closeOf(talk.socket);
    talk.socket.pause();
    const message = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(60_000) } });
    await bystander.during(async () => {
      for (let sent = 0; sent < 2_000 && talk.socket.readyState === talk.socket.OPEN; sent += 1) {
        await new Promise((resolve) => talk.socket.send(message, resolve));
      }
      talk.socket.resume();
      expect([1006, 4413]).toContain((await close).code);
    });
  });
});

describe('before and beneath the protocol', () => {
  /** A connection that asks to become a WebSocket of this subprotocol; answers what came after that. */
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
      /** The code of the close frame that comes. */
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
  ])('%s, which no WebSocket sends: closed with 1002, as WebSocket has it', async (_what, frame) => {
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

  test('bytes that are no HTTP at all are answered with 400, and the connection ends', async () => {
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
