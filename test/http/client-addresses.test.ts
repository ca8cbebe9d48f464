/** From which address an operation comes, over each transport, and on the lines that the log has about it. */
import { on, once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { trustedProxies } from '../../src/platform/client-address.ts';
import { createWebhookCounters } from '../../src/webhooks/counters.ts';
import { generousMs } from '../support/deadlines.ts';
import { startTestServer, type TestServer } from './server-fixture.ts';

const forwarded = { 'x-forwarded-for': '198.51.100.1, 192.0.2.9' };

/** A gateway behind a proxy at this address. The tests connect from 127.0.0.1. */
const startBehind = (proxy: string, options: Parameters<typeof startTestServer>[0] = {}) =>
  startTestServer({ isTrustedProxy: trustedProxies([proxy]) ?? (() => false), ...options });

async function overHttp(server: TestServer, headers: Record<string, string>): Promise<unknown> {
  const response = await server.post({ query: '{ clientAddress }' }, { headers });
  return ((await response.json()) as { data: { clientAddress: unknown } }).data.clientAddress;
}

async function overEventStream(server: TestServer, headers: Record<string, string>): Promise<unknown> {
  const response = await server.post(
    { query: 'subscription { clientAddress }' },
    { headers: { ...headers, accept: 'text/event-stream' } },
  );
  const [, data = 'null'] = /^data: (\{.*)$/m.exec(await response.text()) ?? [];
  return JSON.parse(data).data.clientAddress;
}

/** By two operations and a subscription on one WebSocket. */
async function overSocket(server: TestServer, headers: Record<string, string>): Promise<unknown[]> {
  const socket = server.openSocket('graphql-transport-ws', headers);
  const deadline = AbortSignal.timeout(generousMs);
  await once(socket, 'open', { signal: deadline });
  const say = (message: object) => socket.send(JSON.stringify(message));
  say({ type: 'connection_init', payload: { token: await server.tokenOf('ada@customer.example') } });
  const addresses: unknown[] = [];
  for await (const [data] of on(socket, 'message', { signal: deadline })) {
    const { type, payload } = JSON.parse(String(data));
    if (type === 'next') addresses.push(payload.data.clientAddress);
    if (type === 'connection_ack')
      for (const [id, query] of [
        '{ clientAddress }',
        '{ clientAddress }',
        'subscription { clientAddress }',
      ].entries())
        say({ type: 'subscribe', id: `operation ${id}`, payload: { query } });
    if (addresses.length === 3) break;
  }
  return addresses;
}

describe('behind a trusted proxy, the client is whom the proxy names', () => {
  test.each(['127.0.0.1', '127.0.0.0/8', '::ffff:127.0.0.1'])('%s', async (proxy) => {
    await using server = await startBehind(proxy);
    expect(await overHttp(server, forwarded)).toBe('192.0.2.9');
    expect(await overEventStream(server, forwarded)).toBe('192.0.2.9');
    expect(await overSocket(server, forwarded)).toEqual(['192.0.2.9', '192.0.2.9', '192.0.2.9']);
    expect(await overHttp(server, {})).toBe('127.0.0.1');
  });
});

test('of a client that is no trusted proxy, the header counts for nothing', async () => {
  await using server = await startBehind('192.0.2.9');
  expect(await overHttp(server, forwarded)).toBe('127.0.0.1');
  expect(await overEventStream(server, forwarded)).toBe('127.0.0.1');
  expect(await overSocket(server, forwarded)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
});

test('by default, no proxy is trusted', async () => {
  await using server = await startTestServer();
  expect(await overHttp(server, forwarded)).toBe('127.0.0.1');
});

test('requests on one connection come each from its own client', async () => {
  await using server = await startBehind('127.0.0.1');
  const clients = ['192.0.2.1', '2001:db8::1', '192.0.2.1'];
  const seen = [];
  for (const client of clients) seen.push(await overHttp(server, { 'x-forwarded-for': client }));
  expect(seen).toEqual(clients);
});

describe('a line of the log about a request has the address of its client', () => {
  const lineOf = ({ log }: TestServer, message: string) =>
    log.entries.find((entry) => entry.message === message)?.fields;

  test('where an operation has failed, over every transport', async () => {
    await using server = await startBehind('127.0.0.1');
    await server.post({ query: '{ broken }' }, { headers: forwarded });
    expect(lineOf(server, 'An operation failed unexpectedly')).toMatchObject({ clientAddress: '192.0.2.9' });
    await server.post({ query: '{ offline }' }, { headers: forwarded });
    expect(lineOf(server, 'An operation failed because a dependency is unavailable')).toMatchObject({
      clientAddress: '192.0.2.9',
    });
  });

  test('where its context could not be created', async () => {
    await using server = await startBehind('127.0.0.1', {
      createContext() {
        throw new Error('no context');
      },
    });
    await server.post({ query: '{ hello }' }, { headers: forwarded });
    expect(lineOf(server, 'An operation failed unexpectedly')).toMatchObject({ clientAddress: '192.0.2.9' });
  });

  test('where a WebSocket broke its protocol', async () => {
    await using server = await startBehind('127.0.0.1', { limits: { requestBytes: 1_000 } });
    const socket = server.openSocket('graphql-transport-ws', forwarded);
    await once(socket, 'open');
    socket.send('x'.repeat(2_000));
    await once(socket, 'close');
    await expect
      .poll(() => lineOf(server, 'A WebSocket failed'))
      .toMatchObject({ clientAddress: '192.0.2.9' });
  });

  test('where a webhook was refused', async () => {
    await using server = await startBehind('127.0.0.1', {
      ticketWebhooks: {
        integrations: [{ name: 'desk', account: 'desk@vendor.example', secrets: [] }],
        receive: () => Promise.reject(new Error('nothing is received')),
        clock: () => new Date(),
        counters: createWebhookCounters(),
      },
    });
    const response = await fetch(`${server.origin}/webhooks/tickets/desk`, {
      ...{ method: 'POST', body: '{}', headers: { ...forwarded, 'content-type': 'application/json' } },
    });
    expect(response.status).toBe(401);
    expect(lineOf(server, 'Webhooks were refused')).toMatchObject({ clientAddress: '192.0.2.9' });
  });
});
