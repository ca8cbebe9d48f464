/** docker/nginx.conf, in a real nginx in front of two gateways. */
import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { generousMs } from '../support/deadlines.ts';
import { startNginx } from '../support/nginx.ts';
import { reservePort } from '../support/ports.ts';
import { answersWhile, ProxiedGateway, proxyConfiguration, withoutLimits } from './proxied-gateway.ts';

const ada = 'ada@customer.example';

const running = new AsyncDisposableStack();
const gateways: ProxiedGateway[] = [];
let url: string;
let authorization: string;

/** The configuration as it is shipped, but for its addresses: nginx before 1.27.3 resolves none while it runs. */
const configuration = async (port: number): Promise<string> =>
  (await proxyConfiguration(port)).replace(
    /gateway-(\d):4000 resolve/g,
    (_, index) => `127.0.0.1:${gateways[Number(index) - 1]?.port}`,
  );

/** Starts a proxy; without its limits of requests, unless they are wanted. */
async function startProxy(limits: 'as shipped' | 'none'): Promise<string> {
  const port = await reservePort();
  const shipped = await configuration(port);
  const address = `http://127.0.0.1:${port}`;
  const files = { 'nginx.conf': limits === 'none' ? withoutLimits(shipped) : shipped };
  await startNginx(running, files, `${address}/healthz`);
  return address;
}

beforeAll(async () => {
  const issuer = await createDevelopmentIssuer();
  authorization = `Bearer ${(await issuer.issue(ada)).token}`;
  for (let count = 0; count < 2; count++) {
    const gateway = new ProxiedGateway(await reservePort(), issuer);
    gateways.push(gateway);
    running.defer(() => gateway.stop());
  }
  // The second one is missing while nginx starts.
  await gateways[0]?.start();
  url = await startProxy('none');
  await gateways[1]?.start();
});
afterAll(() => running.disposeAsync());

const post = (body: string, to = url) =>
  fetch(`${to}/graphql`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body,
  });

test('a body that is too large is refused as by a gateway', async () => {
  const body = JSON.stringify({ query: '{ hello }', variables: { padding: 'x'.repeat(256 * 1024) } });
  const [proxied, direct] = await Promise.all([
    post(body),
    post(body, `http://127.0.0.1:${gateways[0]?.port}`),
  ]);
  expect([proxied.status, proxied.headers.get('content-type')]).toEqual([413, 'application/json']);
  expect(await proxied.json()).toEqual(await direct.json());
});

test('the gateways learn the address of a client from the proxy, whatever the client forges', async () => {
  const query = encodeURIComponent('{ clientAddress }');
  const asked = request(`${url}/graphql?query=${query}`, {
    ...{ localAddress: '127.0.0.2', signal: AbortSignal.timeout(generousMs) },
    headers: { authorization, 'x-forwarded-for': '198.51.100.1, 127.0.0.1', accept: 'application/json' },
  }).end();
  const [response] = await once(asked, 'response');
  expect(JSON.parse(await text(response))).toEqual({ data: { clientAddress: '127.0.0.2' } });
});

test('a rolling restart refuses nobody', async () => {
  const answers = await answersWhile(
    () => post('{"query":"mutation { add(to: 1) }"}'),
    async () => {
      for (const gateway of gateways) {
        await gateway.untilUsed();
        await gateway.stop();
        await gateway.start();
        await gateway.untilUsed();
      }
    },
  );
  expect(answers).toEqual(['200 {"data":{"add":2}}']);
});

test('while no gateway answers, callers get the error of one that is not available', async () => {
  for (const gateway of gateways) await gateway.stop();
  const response = await post('{"query":"{ hello }"}');
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
});

test('too many requests of one address are refused with 429', async () => {
  const limited = await startProxy('as shipped');
  const body = '{"query":"{ hello }"}';
  const responses = await Promise.all(Array.from({ length: 600 }, () => post(body, limited)));
  const refused = responses.find(({ status }) => status === 429);
  expect(refused?.headers.get('retry-after')).toBe('1');
  expect(await refused?.json()).toMatchObject({ errors: [{ extensions: { code: 'TOO_MANY_REQUESTS' } }] });
});
