/** Tokens that come late, are short, or expire, against a gateway with an issuer of its own. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGatewayClient, type ResumeOptions } from '../../client/src/index.ts';
import { GrantEventsDocument, type GrantEventsSubscription } from '../../schema/generated/operations.ts';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
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
  const limits = { connectionInitMs: 200 };
  gateway = stack.use(await startGateway({ databaseUrl, config: { identity }, limits, maintenance: false }));
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

test('a token source may take longer than the gateway waits for a token', async () => {
  const losses: string[] = [];
  await using events = subscribe(
    async () => {
      const token = await tokenFor(600);
      // As long as the gateway waits for the token of a WebSocket that is opened now.
      const withoutToken = new WebSocket(
        `${gateway.url.replace('http', 'ws')}/graphql`,
        'graphql-transport-ws',
      );
      const [closed] = await once(withoutToken, 'close');
      expect(closed.code).toBe(4408);
      return token;
    },
    { onReconnecting: ({ reason }) => losses.push(reason) },
  );
  await events.started;
  const key = await ticket();
  expect(await take(events, 1)).toEqual([key]);
  expect(losses).toEqual([]);
});

describe('before its token expires', () => {
  test('a subscription has moved to another connection, and events arrive once, in order', async () => {
    await using opened = new AsyncDisposableStack();
    const target = Number(new URL(gateway.url).port);
    const proxy = opened.adopt(await openTcpProxy(target), (open) => open.dispose());
    const losses: string[] = [];
    const renewing = Promise.withResolvers<void>();
    let asked = 0;
    await using events = subscribe(
      () => {
        asked += 1;
        if (asked === 2) renewing.resolve();
        return tokenFor(asked === 1 ? 15 : 600);
      },
      { onReconnecting: ({ reason }) => losses.push(reason) },
      `http://127.0.0.1:${proxy.port}`,
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
    const losses: string[] = [];
    const old = await tokenFor(3);
    const expiresAt = Date.now() + 3_000;
    let asked = 0;
    await using events = subscribe(
      async () => {
        asked += 1;
        return losses.length === 0 ? old : tokenFor(600);
      },
      { onReconnecting: ({ reason }) => losses.push(reason) },
    );
    await events.started;
    const before = await ticket();
    expect(await take(events, 1)).toEqual([before]);
    await vi.waitFor(() => expect(losses).toHaveLength(1));
    expect(losses[0]).toContain('4403');
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
    const after = await ticket();
    expect(await take(events, 1)).toEqual([after]);
    expect(asked).toBeGreaterThanOrEqual(3);
  });
});
