/** Clients subscribe and disconnect in every possible way: the gateway holds nothing for them afterwards. */
import { once } from 'node:events';
import { request } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Feed } from '../../src/events/feed.ts';
import { origin } from '../../src/events/position.ts';
import type { Relay } from '../../src/events/relay.ts';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis } from '../support/redis.ts';
import { bySize } from '../support/size.ts';
import { done, fileTicket, startGatewayWithWorld } from '../support/world.ts';

const cycles = bySize(300, 500);
const warmUp = 100;
const atATime = 10;
const channel = 'latchkey-cycles';
const query = 'subscription { grantEvents(withCurrentState: true) { id cursor } }';

const waysToLeave = ['complete', 'close', 'cut'] as const;
type Visit = {
  url: string;
  token: string;
  by: 'WebSocket' | 'event stream';
  leave: (typeof waysToLeave)[number];
  /** Whether it waits for its first event, or leaves while its subscription begins. */
  stays: boolean;
};

test(`the gateway holds nothing for ${cycles} clients after they have disconnected`, async () => {
  await using stack = new AsyncDisposableStack();
  const redisServer = stack.adopt(await startRedis(), (server) => server.stop());
  let feed: Feed | undefined;
  let relay: Relay | undefined;
  const subscriptions = rememberWeakly();
  const webSockets = rememberWeakly();
  stack.use(noteWebSockets(webSockets.add));
  const { gateway, world } = stack.use(
    await startGatewayWithWorld({
      onDeliveryCreated: (parts) => {
        ({ feed, relay } = parts);
        noteSubscriptions(parts.feed, subscriptions.add);
      },
      limits: { slowConsumerMs: generousMs },
      // A pool of few database connections, all of which are open from the beginning.
      config: { databasePoolSize: 2, redis: { url: redisServer.url, topology: 'SINGLE', channel } },
    }),
  );
  await fileTicket(gateway, world);
  const redis = stack.adopt(new Redis(redisServer.url), (client) => client.disconnect());
  const emails = [world.engineer.email, world.acme.emails.organizationAdmin, world.services.watching];
  const tokens = await Promise.all(emails.map(async (email) => (await gateway.as(email)).token));
  const reporter = await gateway.as(world.acme.emails.reporter);

  /** Makes this many visits of every kind in turn, some at the same time, while events are written. */
  async function makeVisits(visits: number): Promise<void> {
    let begun = 0;
    const visitInTurn = async () => {
      for (let number = begun++; number < visits; number = begun++) {
        const [token = ''] = tokens.slice(number % tokens.length);
        const [leave = 'cut'] = waysToLeave.slice(Math.floor(number / 2) % waysToLeave.length);
        await visit({
          ...{ url: gateway.url, token, leave },
          by: number % 2 === 0 ? 'WebSocket' : 'event stream',
          stays: number % 5 !== 0,
        });
        if (number % 25 === 0) await writeEvent();
      }
    };
    await Promise.all(Array.from({ length: atATime }, visitInTurn));
  }
  let written: Promise<unknown> = Promise.resolve();
  /** One after the other: each of several simultaneous requests would leave a connection open to be used again. */
  const writeEvent = () => {
    const ticket = {
      ...{ productId: world.acme.sites.main.products.jira, summary: 'Meanwhile' },
      grantDataAccess: false,
    };
    written = written.then(() => done(reporter, 'createTicket', ticket));
    return written;
  };

  /** What the gateway holds for its clients, and the channels it is subscribed to. */
  const counted = () => ({ feed: feed?.stats(), relayListeners: relay?.stats().listeners });
  const census = async () => ({
    ...counted(),
    redis: {
      channels: await redis.pubsub('CHANNELS'),
      subscriptions: await redis.pubsub('NUMSUB', channel),
      clients: String(await redis.client('LIST'))
        .trim()
        .split('\n').length,
    },
    ...inMemory(),
  });
  const inMemory = () => {
    collectGarbage();
    return { subscriptionsInMemory: subscriptions.count(), webSocketsInMemory: webSockets.count() };
  };
  const withoutClients = {
    feed: { subscriptions: 0, topicEntries: 0, viewers: 0, live: 0, queued: 0 },
    relayListeners: 1,
    // The gateway's three connections, and the test's.
    redis: { channels: [channel], subscriptions: [channel, 1], clients: 4 },
    subscriptionsInMemory: 0,
    webSocketsInMemory: 0,
  };
  const untilWithoutClients = async () => {
    // A census takes as long as a garbage collection: not before the rest is as it must be.
    await eventually(() => expect(withoutClients).toMatchObject(counted()));
    await eventually(async () => expect(await census()).toEqual(withoutClients));
  };

  await makeVisits(warmUp);
  // Two at the same time: both connections for reading events are open from here on.
  await Promise.all([relay?.read(origin), relay?.read(origin)]);
  await untilWithoutClients();
  // Each WebSocket at both of its ends.
  expect({ subscriptions: subscriptions.added, webSockets: webSockets.added }).toEqual({
    subscriptions: expect.toSatisfy((noted: number) => noted >= warmUp / 2),
    webSockets: warmUp,
  });
  const [heapBefore, resourcesBefore] = [heapUsed(), resourcesInUse()];

  await makeVisits(cycles);
  await untilWithoutClients();
  await eventually(() => {
    const more = [...resourcesInUse()].filter(([kind, count]) => count > (resourcesBefore.get(kind) ?? 0));
    expect(more, 'timers and handles that are more than before').toEqual([]);
  });
  const grownBy = heapUsed() - heapBefore;
  expect(grownBy, `bytes that the heap grew by in ${cycles} cycles`).toBeLessThan(cycles * 8 * 1024);
  for (const token of tokens) {
    expect(await connectUntilRefused(gateway.url, token), 'connections that one account may have').toEqual({
      accepted: 50,
      refusedWith: 4429,
    });
  }
});

async function visit({ by, ...how }: Visit): Promise<void> {
  return by === 'WebSocket' ? visitBySocket(how) : visitByEventStream(how);
}

async function visitBySocket({ url, token, leave, stays }: Omit<Visit, 'by'>): Promise<void> {
  const socket = await openWebSocket(url, token);
  expect(await nextMessage(socket)).toEqual({ type: 'connection_ack' });
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  if (stays)
    expect(await nextMessage(socket)).toMatchObject({ type: 'next', payload: { data: { grantEvents: {} } } });
  if (leave === 'complete') socket.send(JSON.stringify({ id: '1', type: 'complete' }));
  if (leave === 'cut') socket.terminate();
  else socket.close();
  await once(socket, 'close');
}

/** The data of the first event of a stream, once all of it has arrived. */
const firstEvent = /^data: (\{.*)\n/m;

async function visitByEventStream({ url, token, leave, stays }: Omit<Visit, 'by'>): Promise<void> {
  const asked = request(`${url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: {
      ...{ accept: 'text/event-stream', 'content-type': 'application/json' },
      authorization: `Bearer ${token}`,
    },
  });
  asked.on('error', () => undefined);
  asked.end(JSON.stringify({ query }));
  const [response] = await once(asked, 'response');
  expect(response.statusCode).toBe(200);
  response.on('error', () => undefined);
  response.setEncoding('utf8');
  const arrived = Promise.withResolvers<void>();
  let text = '';
  // One listener for all chunks: several of them may arrive in the same turn of the event loop.
  response.on('data', (chunk: string) => {
    text += chunk;
    if (firstEvent.test(text)) arrived.resolve();
  });
  if (stays) await Promise.race([arrived.promise, once(response, 'end')]);
  if (stays)
    expect(JSON.parse(firstEvent.exec(text)?.[1] ?? '')).toMatchObject({ data: { grantEvents: {} } });
  const closed = once(asked, 'close');
  if (leave === 'complete') asked.destroy();
  if (leave === 'close') asked.socket?.end();
  if (leave === 'cut') asked.socket?.resetAndDestroy();
  await closed;
}

async function openWebSocket(url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  return socket;
}

async function nextMessage(socket: WebSocket): Promise<unknown> {
  const [data] = await once(socket, 'message');
  return JSON.parse(String(data));
}

/** The number of connections that this account may open before one is refused, and the close code of that one. */
async function connectUntilRefused(url: string, token: string) {
  const sockets: WebSocket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.terminate();
  });
  for (let accepted = 0; ; accepted += 1) {
    const socket = await openWebSocket(url, token);
    sockets.push(socket);
    const answer = once(socket, 'message');
    const refusedWith = await Promise.race([
      answer.then(() => null),
      once(socket, 'close').then(([code]) => Number(code)),
    ]);
    if (refusedWith !== null) return { accepted, refusedWith };
  }
}

/** Objects that may be collected as garbage, and how many of them are in memory. */
function rememberWeakly() {
  let kept: WeakRef<object>[] = [];
  let added = 0;
  return {
    add(object: object) {
      added += 1;
      kept.push(new WeakRef(object));
    },
    get added() {
      return added;
    },
    count() {
      kept = kept.filter((reference) => reference.deref() !== undefined);
      return kept.length;
    },
  };
}

/** Calls `note` with every subscription that the feed opens. */
function noteSubscriptions(feed: Feed, note: (subscription: object) => void): void {
  const { subscribe } = feed;
  Object.assign(feed, {
    subscribe(...wanted: Parameters<Feed['subscribe']>) {
      const subscription = subscribe(...wanted);
      note(subscription);
      return subscription;
    },
  });
}

/** Calls `note` with every WebSocket that this process opens or accepts, until it is disposed of. */
function noteWebSockets(note: (socket: object) => void): Disposable {
  // Both ends get their connection by this method of the package.
  const prototype = WebSocket.prototype as unknown as { setSocket(...given: unknown[]): void };
  const { setSocket } = prototype;
  prototype.setSocket = function (...given) {
    note(this);
    setSocket.apply(this, given);
  };
  return { [Symbol.dispose]: () => Object.assign(prototype, { setSocket }) };
}

/** What keeps this process alive: timers, sockets and the like, by kind. */
function resourcesInUse(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function heapUsed(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
