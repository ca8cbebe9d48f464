/** Clients of a real gateway that stop reading while events wait for them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Limits } from '../../src/http/limits.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { grantEvent } from '../events/events.ts';
import { openPool, write } from '../events/gateway.ts';
import { generousMs } from '../support/deadlines.ts';
import { startGateway } from '../support/gateway.ts';
import { measureLateness } from '../support/lateness.ts';
import { done } from '../support/world.ts';
import { closeOf } from './server-fixture.ts';

const email = 'erin@vendor.example';
const query = `subscription Events($after: String) {
  grantEvents(after: $after) { id cursor grant { justification } }
}`;
const floodLength = 300;
const bigText = 'x'.repeat(64 * 1024);

type Received = { id: string; cursor: string };

/** Starts a gateway with an engineer, and writes more bytes of events for her than any kernel buffers. */
async function openFlood(limits: Partial<Limits> = {}) {
  const lines = new EventEmitter<{ line: [string] }>();
  const logger = createLogger('warn', { write: (line) => void lines.emit('line', line) });
  const stack = new AsyncDisposableStack();
  const gateway = stack.use(await startGateway({ logger, limits }));
  const pool = stack.adopt(openPool(gateway.databaseUrl, 1), (opened) => opened.end());
  const operator = await gateway.as('operator@vendor.example');
  await done(operator, 'addSupportEngineer', { email, name: 'Erin' });
  const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email]);
  const person = await gateway.as(email);

  function largeEvent() {
    const engineerIds = [String(rows[0].id)];
    const base = grantEvent({
      audience: { organizationId: newId(), siteId: newId(), reporterId: newId(), engineerIds },
    });
    return { ...base, grant: { ...base.grant, justification: bigText } };
  }

  return {
    token: person.token,
    httpUrl: `${gateway.url}/graphql`,
    socketUrl: `${gateway.url.replace('http', 'ws')}/graphql`,
    port: Number(new URL(gateway.url).port),
    /** Writes so many large events that a client that does not read cannot receive all. Resolves to their ids. */
    async flood(): Promise<string[]> {
      const ids: string[] = [];
      for (let written = 0; written < floodLength; written += 50) {
        const events = Array.from({ length: 50 }, largeEvent);
        await write(pool, ...events);
        ids.push(...events.map(({ id }) => id));
      }
      return ids;
    },
    async logged(text: string): Promise<void> {
      for (;;) {
        const [line] = await once(lines, 'line');
        if (line.includes(text)) return;
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

type Flood = Awaited<ReturnType<typeof openFlood>>;

/** Subscribes on a new socket, and records what it receives. */
async function subscribeOver({ socketUrl, token }: Flood, after: string | null = null) {
  const socket = new WebSocket(socketUrl, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  const received: Received[] = [];
  const arrivals = new EventEmitter<{ event: [] }>();
  arrivals.setMaxListeners(0);
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'connection_ack') {
      const payload = { query, variables: { after } };
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    }
    if (message.type !== 'next') return;
    received.push(message.payload.data.grantEvents);
    arrivals.emit('event');
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  return {
    socket,
    received,
    first: once(arrivals, 'event'),
    async hasAll(ids: readonly string[]): Promise<void> {
      for (;;) {
        const known = new Set(received.map(({ id }) => id));
        if (ids.every((id) => known.has(id))) return;
        await once(arrivals, 'event');
      }
    },
  };
}

/** Resolves to the gateway's end of the next connection it accepts. */
async function nextAccepted(): Promise<Socket> {
  const accepted = Promise.withResolvers<Socket>();
  const note = (message: unknown) => accepted.resolve((message as { socket: Socket }).socket);
  subscribe('net.server.socket', note);
  onTestFinished(() => void unsubscribe('net.server.socket', note));
  return accepted.promise;
}

const closedBecauseSlow = 'A WebSocket was closed because its client does not read';

test('a WebSocket that does not read is closed with 4413 within 5 s, and other clients are not affected', async () => {
  // However late this client reads, it reads the close frame.
  await using flood = await openFlood({ socketCloseMs: generousMs });
  const stalled = await subscribeOver(flood);
  const healthy = await subscribeOver(flood);
  await Promise.all([stalled.first, healthy.first]);
  stalled.socket.pause();

  const closed = flood.logged(closedBecauseSlow);
  const ids = await flood.flood();
  await healthy.hasAll(ids);
  using lateness = measureLateness();
  const waitingSince = Date.now();
  await closed;
  expect(Date.now() - waitingSince).toBeLessThan(5_000 + lateness.allowance());

  const close = closeOf(stalled.socket);
  stalled.socket.resume();
  expect(await close).toEqual({ code: 4413, reason: 'Slow consumer' });
  expect(stalled.received.map(({ id }) => id)).not.toContain(ids.at(-1));
  expect(healthy.received.filter(({ id }) => ids.includes(id)).map(({ id }) => id)).toEqual(ids);
  expect(healthy.socket.readyState).toBe(WebSocket.OPEN);
});

test('a WebSocket that does not read its close frame is terminated, and resumes without loss', async () => {
  await using flood = await openFlood();
  const connection = nextAccepted();
  const stalled = await subscribeOver(flood);
  const ours = await connection;
  await stalled.first;
  stalled.socket.pause();

  const closed = flood.logged(closedBecauseSlow);
  const cut = once(ours, 'close');
  const ids = await flood.flood();
  await closed;
  using lateness = measureLateness();
  const closedAt = Date.now();
  await cut;
  expect(Date.now() - closedAt).toBeLessThan(3_000 + lateness.allowance());

  const close = closeOf(stalled.socket);
  stalled.socket.resume();
  expect(await close).toMatchObject({ code: 1006 });
  const resumed = await subscribeOver(flood, stalled.received.at(-1)?.cursor);
  await resumed.hasAll(ids.filter((id) => !stalled.received.some((event) => event.id === id)));
  expect(new Set(resumed.received.map(({ id }) => id)).size).toBe(resumed.received.length);
});

test('an event stream that is not read is cut, and resumes without loss', async () => {
  await using flood = await openFlood();
  const connection = nextAccepted();
  const stalled = openEventStream(flood);
  const ours = await connection;
  await stalled.first;
  stalled.socket.pause();

  const cut = once(ours, 'close');
  const closed = flood.logged('A connection was cut because its client does not read');
  const ids = await flood.flood();
  await Promise.all([closed, cut]);

  const end = once(stalled.socket, 'close');
  stalled.socket.resume();
  await end;
  const received = stalled.received();
  const resumed = await subscribeOver(flood, received.at(-1)?.cursor);
  await resumed.hasAll(ids.filter((id) => !received.some((event) => event.id === id)));
});

/** Subscribes to an event stream on a socket that the test can pause. */
function openEventStream({ port, token }: Flood) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  const arrivals = new EventEmitter<{ event: [] }>();
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.includes('data: {')) arrivals.emit('event');
  });
  const body = JSON.stringify({ query });
  socket.write(
    [
      'POST /graphql HTTP/1.1',
      'Host: localhost',
      'Accept: text/event-stream',
      'Content-Type: application/json',
      `Authorization: Bearer ${token}`,
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  );
  return {
    socket,
    first: once(arrivals, 'event'),
    received(): Received[] {
      return [...text.matchAll(/^data: (\{.*\})$/gm)].map(
        ([, data]) => JSON.parse(data ?? '').data.grantEvents,
      );
    },
  };
}
