/** Tokens that come late, are short, or expire, against a gateway with an issuer of its own. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGatewayClient, type ResumeOptions } from '../../client/src/index.ts';
import { GrantEventsDocument, type GrantEventsSubscription } from '../../schema/generated/operations.ts';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { measureLateness } from '../support/lateness.ts';
import { setMachineClock, withMachineClock } from '../support/machine-clock.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

type Event = GrantEventsSubscription['grantEvents'];
type Options = Partial<ResumeOptions<GrantEventsSubscription, { after?: string | null }, Event>>;

const stack = new AsyncDisposableStack();
/** Issues its own tokens, to everybody who acts in these tests. */
let office: TestGateway;
let world: World;
/** The gateway to which the subscriptions under test connect, on the same database. */
let gateway: TestGateway;
let sign: Awaited<ReturnType<Awaited<ReturnType<typeof startIssuer>>['addKey']>>;

beforeAll(async () => {
  ({ gateway: office, world } = stack.use(await startGatewayWithWorld()));
  const issuer = stack.use(await startIssuer());
  sign = await issuer.addKey('ES256');
  const identity = {
    kind: 'oidc',
    issuer: issuerName,
    audience: audienceName,
    jwksUrl: issuer.jwksUrl,
    emailVerified: 'OPTIONAL',
  } as const;
  const { databaseUrl } = office;
  gateway = stack.use(await startGateway({ databaseUrl, config: { identity }, maintenance: false }));
});
afterAll(() => stack.disposeAsync());

/** A token of the engineer that expires after this many seconds. */
async function tokenFor(seconds: number): Promise<string> {
  const { email } = world.engineer;
  const exp = Math.ceil(Date.now() / 1_000) + seconds;
  return sign({ sub: email, email, email_verified: true, exp });
}

function subscribe(token: () => Promise<string>, options: Options = {}, url = gateway.url) {
  return createGatewayClient({ url, token }).subscribeWithResume({
    document: GrantEventsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    ...options,
  });
}

const ticket = async () => (await fileTicket(office, world)).key;

async function take(events: AsyncIterator<Event>, count: number): Promise<string[]> {
  const keys: string[] = [];
  while (keys.length < count) keys.push((await events.next()).value?.grant?.ticket.key ?? 'the end');
  return keys;
}

/** A proxy in front of the gateway, with the number of connections that there have been. */
async function openProxy(): Promise<TcpProxy & AsyncDisposable & { url: string }> {
  const proxy = await openTcpProxy(Number(new URL(gateway.url).port));
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${proxy.port}`,
    [Symbol.asyncDispose]: () => proxy.dispose(),
  });
}

test('a token source may take longer than the gateway waits for a token: no connection is open meanwhile', async () => {
  await using proxy = await openProxy();
  const asked = Promise.withResolvers<void>();
  const token = Promise.withResolvers<string>();
  const losses: string[] = [];
  await using events = subscribe(
    () => {
      asked.resolve();
      return token.promise;
    },
    { onReconnecting: ({ reason }) => losses.push(reason) },
    proxy.url,
  );
  await asked.promise;
  // A connection that was opened before would be accepted before this one.
  const later = connect(proxy.port, '127.0.0.1');
  await vi.waitFor(() => expect(proxy.accepted).toBeGreaterThan(0));
  later.destroy();
  expect(proxy.accepted).toBe(1);
  token.resolve(await tokenFor(600));
  await events.started;
  const key = await ticket();
  expect(await take(events, 1)).toEqual([key]);
  expect(losses).toEqual([]);
});

describe('before its token expires', () => {
  test('a subscription has moved to another connection, and events arrive once, in order', async () => {
    // By the clock of the client the token expires soon; to the gateway it is good for long, however slow this is.
    withMachineClock();
    setMachineClock(600_000);
    await using proxy = await openProxy();
    const losses: string[] = [];
    const renewing = Promise.withResolvers<void>();
    let asked = 0;
    await using events = subscribe(
      () => {
        asked += 1;
        if (asked === 2) renewing.resolve();
        return tokenFor(asked === 1 ? 6 : 600);
      },
      { onReconnecting: ({ reason }) => losses.push(reason) },
      proxy.url,
    );
    await events.started;
    const keys = [await ticket()];
    await renewing.promise;
    while (proxy.accepted < 2 || proxy.connections > 1) keys.push(await ticket());
    keys.push(await ticket());
    expect(await take(events, keys.length)).toEqual(keys);
    expect({ asked, losses }).toEqual({ asked: 2, losses: [] });
  });

  test('a token source that returns the old one is asked again, and at the latest when it has expired', async () => {
    using lateness = measureLateness();
    const { events, losses, asked, expiresAt } = await startWithShortToken();
    await using _events = events;
    const before = await ticket();
    expect(await take(events, 1)).toEqual([before]);
    await vi.waitFor(() => expect(losses).toHaveLength(1));
    expect(losses[0]).toContain('4403');
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
    const after = await ticket();
    expect(await take(events, 1)).toEqual([after]);
    // A process that is this late notices the expiry before it could ask.
    expect(asked()).toBeGreaterThanOrEqual(lateness.allowance() < 1_000 ? 3 : 2);
  });

  /** Begins with a token source that returns the same token until that has expired. It tries longer ones if starting takes too long. */
  async function startWithShortToken() {
    for (let seconds = 4; ; seconds *= 2) {
      const losses: string[] = [];
      const old = await tokenFor(seconds);
      const expiresAt = Date.now() + seconds * 1_000;
      let asked = 0;
      const events = subscribe(
        async () => {
          asked += 1;
          return losses.length === 0 ? old : tokenFor(600);
        },
        { onReconnecting: ({ reason }) => losses.push(reason) },
      );
      const hasStarted = await events.started.then(
        () => true,
        () => false,
      );
      if (hasStarted && Date.now() < expiresAt - seconds * 500)
        return { events, losses, asked: () => asked, expiresAt };
      await events[Symbol.asyncDispose]();
    }
  }
});
