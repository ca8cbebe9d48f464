import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  createGatewayClient,
  developmentToken,
  type GatewayClient,
  type ResumableEvent,
  type ResumeOptions,
  type SubscriptionEndedError,
} from '../../client/src/index.ts';
import { GrantEventsDocument, type GrantEventsSubscription } from '../../schema/generated/operations.ts';
import { deleteAllEvents } from '../support/delete-events.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

type Event = GrantEventsSubscription['grantEvents'];
type Options = Partial<ResumeOptions<GrantEventsSubscription, { after?: string | null }, Event>>;

let gateway: TestGateway;
let world: World;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld());
});
afterAll(() => gateway.dispose());

/** A TCP proxy in front of the gateway, to cut and stall connections. */
async function startProxy(): Promise<TcpProxy & AsyncDisposable & { url: string }> {
  const proxy = await openTcpProxy(Number(new URL(gateway.url).port));
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${proxy.port}`,
    [Symbol.asyncDispose]: () => proxy.dispose(),
  });
}

function clientOf(email: string, url = gateway.url): GatewayClient {
  return createGatewayClient({ url, token: developmentToken(gateway.url, email) });
}

function subscribe(client: GatewayClient, options: Options = {}) {
  return client.subscribeWithResume({
    document: GrantEventsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    ...options,
  });
}

async function take(events: AsyncIterator<Event>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done === true) break;
    if (value.grant !== null) taken.push(`${value.grant.ticket.key} ${value.type}`);
  }
  return taken;
}

/** Files and assigns a ticket, which sends the engineer one event. */
async function ticket(): Promise<{ ticketId: string; key: string; grantId: string | null }> {
  return fileTicket(gateway, world);
}

async function endOf(events: AsyncIterator<unknown>): Promise<SubscriptionEndedError> {
  try {
    for (;;) {
      const { done } = await events.next();
      if (done === true) throw new Error('it ended without an error');
    }
  } catch (error) {
    return error as SubscriptionEndedError;
  }
}

describe('a lost connection', () => {
  test('is opened again, and the events of the meantime come first, each once', async () => {
    await using proxy = await startProxy();
    await using client = clientOf(world.engineer.email, proxy.url);
    const reconnected = Promise.withResolvers<string>();
    const reasons: string[] = [];
    await using events = subscribe(client, {
      onReconnecting: ({ reason }) => reasons.push(reason),
      onReconnected: ({ after }) => reconnected.resolve(after),
    });
    await events.started;
    const before = await ticket();
    expect(await take(events, 1)).toEqual([`${before.key} REASSIGNED`]);
    const { cursor } = events;

    proxy.cut();
    const during = [await ticket(), await ticket()];
    proxy.resume();
    expect(await reconnected.promise).toBe(cursor);
    const after = await ticket();

    expect(await take(events, 3)).toEqual([...during, after].map(({ key }) => `${key} REASSIGNED`));
    expect(reasons.length).toBeGreaterThan(0);
    expect(events.cursor).not.toBe(cursor);
  });

  test('loses and repeats no event, however often it happens, and also before the first event', async () => {
    await using proxy = await startProxy();
    await using client = clientOf(world.engineer.email, proxy.url);
    await using events = subscribe(client);
    await events.started;
    const filed: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      proxy.cut();
      filed.push((await ticket()).key);
      proxy.resume();
    }
    expect(await take(events, 6)).toEqual(filed.map((key) => `${key} REASSIGNED`));
  });

  test('is noticed by the missing answer to a ping', async () => {
    await using proxy = await startProxy();
    await using client = clientOf(world.engineer.email, proxy.url);
    const noticed = Promise.withResolvers<string>();
    await using events = subscribe(client, {
      silenceMs: 200,
      onReconnecting: ({ reason }) => noticed.resolve(reason),
    });
    await events.started;
    const before = await ticket();
    await take(events, 1);
    proxy.stall();
    const during = await ticket();
    expect(await noticed.promise).toContain('did not answer a ping');
    proxy.cut();
    proxy.resume();
    expect(await take(events, 1)).toEqual([`${during.key} REASSIGNED`]);
    expect(during.key).not.toBe(before.key);
  });

  test('ends the subscription after a while, and its cursor is still valid', async () => {
    await using proxy = await startProxy();
    await using client = clientOf(world.engineer.email, proxy.url);
    await using events = subscribe(client, { giveUpAfterMs: 700 });
    await events.started;
    await ticket();
    await take(events, 1);
    const cursor = events.cursor ?? '';
    proxy.cut();
    expect(await endOf(events)).toMatchObject({ name: 'SubscriptionEndedError', code: 'UNREACHABLE' });
    const missed = await ticket();

    await using resumed = subscribe(clientOf(world.engineer.email), { variables: { after: cursor } });
    expect(await take(resumed, 1)).toEqual([`${missed.key} REASSIGNED`]);
  });
});

test('the client reconnects to a gateway that has restarted, with a token of its new issuer', async () => {
  const first = await startGateway({ databaseUrl: gateway.databaseUrl });
  const port = Number(new URL(first.url).port);
  await using client = createGatewayClient({
    url: first.url,
    token: developmentToken(first.url, world.engineer.email),
  });
  await using events = subscribe(client);
  await events.started;
  const before = await ticket();
  expect(await take(events, 1)).toEqual([`${before.key} REASSIGNED`]);

  await first.dispose();
  const during = await ticket();
  await using _second = await startGateway({ databaseUrl: gateway.databaseUrl, config: { port } });
  expect(await take(events, 1)).toEqual([`${during.key} REASSIGNED`]);
});

describe('a subscription ends with an error', () => {
  test.for([
    ['invalid', 'CURSOR_MALFORMED'],
    ["another viewer's", 'CURSOR_OF_ANOTHER_VIEWER'],
  ])('when its cursor is %s', async ([kind, code]) => {
    let after = 'nonsense';
    if (kind !== 'invalid') {
      await using other = subscribe(clientOf(world.acme.emails.organizationAdmin));
      await other.started;
      await ticket();
      await take(other, 1);
      after = other.cursor ?? '';
    }
    await using events = subscribe(clientOf(world.engineer.email), { variables: { after } });
    expect(await endOf(events)).toMatchObject({
      code,
      message: expect.stringContaining('leave `after` out'),
    });
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test('when the events after its cursor have been deleted', async () => {
    const { gateway: own, world: ownWorld } = await startGatewayWithWorld();
    const { databaseUrl } = own;
    const client = createGatewayClient({
      url: own.url,
      token: developmentToken(own.url, ownWorld.engineer.email),
    });
    const events = subscribe(client);
    await events.started;
    await fileTicket(own, ownWorld);
    await fileTicket(own, ownWorld);
    await take(events, 1);
    const after = events.cursor ?? '';
    await deleteAllEvents(own.sql);
    // The first gateway still has the events in memory, so this needs another.
    await using other = await startGateway({ databaseUrl });
    await using later = subscribe(
      createGatewayClient({
        url: other.url,
        token: developmentToken(other.url, ownWorld.engineer.email),
      }),
      { variables: { after } },
    );
    expect(await endOf(later)).toMatchObject({ code: 'CURSOR_EXPIRED' });
    await own.dispose();
  });

  test('when the account is deactivated', async () => {
    const email = 'deactivated@vendor.example';
    const { id } = await done(world.operator, 'addSupportEngineer', { email, name: 'Dana' });
    await using events = subscribe(clientOf(email));
    await events.started;
    await done(world.operator, 'deactivateAccount', { accountId: id });
    expect(['ACCESS_ENDED', 'UNAUTHENTICATED', 'FORBIDDEN']).toContain((await endOf(events)).code);
  });

  test('when the token is invalid', async () => {
    const client = createGatewayClient({ url: gateway.url, token: 'nonsense' });
    await using events = subscribe(client);
    await expect(events.started).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await endOf(events)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('when no account has the email for which a development token is requested', async () => {
    await using events = subscribe(clientOf('nobody@vendor.example'));
    expect(await endOf(events)).toMatchObject({ code: 'UNKNOWN_PERSON' });
  });

  test.for<[string, () => Promise<string>, string]>([
    ['fails', () => Promise.reject(new Error('the issuer is away')), 'the issuer is away'],
    ['hangs', () => new Promise(() => undefined), 'it took longer than 50 ms'],
  ])('when the token source %s for too long', async ([, token, reason]) => {
    const client = createGatewayClient({ url: gateway.url, token });
    await using events = subscribe(client, { attemptTimeoutMs: 50, giveUpAfterMs: 300 });
    expect(await endOf(events)).toMatchObject({
      code: 'TOKEN_UNAVAILABLE',
      message: expect.stringContaining(reason),
      cause: { code: 'TOKEN_UNAVAILABLE' },
    });
  });

  test('when its events lack a cursor or a type', async () => {
    const client = clientOf(world.engineer.email);
    await using events = client.subscribeWithResume({
      document: 'subscription ($after: String) { grantEvents(after: $after) { id } }',
      eventOf: ({ grantEvents }: { grantEvents: ResumableEvent }) => grantEvents,
    });
    const { code, cause } = await endOf(events);
    expect({ code, cause: String(cause) }).toMatchObject({
      code: 'FAILED',
      cause: expect.stringContaining('select them'),
    });
  });

  test('when a callback of the caller throws', async () => {
    const broken = new Error('the callback failed');
    await using events = subscribe(clientOf(world.engineer.email), {
      eventOf: () => {
        throw broken;
      },
    });
    expect(await endOf(events)).toMatchObject({ code: 'FAILED', cause: broken });
  });
});

test('a document without `$after` is refused, because its subscription could not resume', () => {
  const document = 'subscription { grantEvents { id cursor type } }';
  const eventOf = (data: { grantEvents: ResumableEvent }) => data.grantEvents;
  expect(() => clientOf('any').subscribeWithResume({ document, eventOf })).toThrow('$after');
});

test('a slow consumer holds a limited number of events in memory, and misses none', async () => {
  await using proxy = await startProxy();
  await using client = clientOf(world.engineer.email, proxy.url);
  await using events = subscribe(client, { waitingEvents: 3 });
  await events.started;
  const filed: string[] = [];
  for (let round = 0; round < 8; round += 1) filed.push((await ticket()).key);
  await vi.waitFor(() => expect(proxy.connections).toBe(0));
  expect(await take(events, 8)).toEqual(filed.map((key) => `${key} REASSIGNED`));
});

test('disposing ends the iteration and the connection', async () => {
  await using proxy = await startProxy();
  const client = clientOf(world.engineer.email, proxy.url);
  const events = subscribe(client);
  await events.started;
  const next = events.next();
  await client.dispose();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(await events.next()).toEqual({ done: true, value: undefined });
});
