/** docker/nginx.conf, in a real nginx in front of two gateways. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultLimits } from '../../src/http/limits.ts';
import { createDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { contextOf, startTestServer, type TestServer } from '../http/server-fixture.ts';
import { generousMs } from '../support/deadlines.ts';
import { startNginx } from '../support/nginx.ts';
import { reservePort } from '../support/ports.ts';

const ada = 'ada@customer.example';

class Gateway {
  readonly port: number;
  readonly #issuer: DevelopmentIssuer;
  #server: TestServer | undefined;
  /** Called with each operation that it runs. */
  onOperation: () => void = () => undefined;

  constructor(port: number, issuer: DevelopmentIssuer) {
    this.port = port;
    this.#issuer = issuer;
  }

  async start(): Promise<void> {
    this.#server = await startTestServer({
      port: this.port,
      limits: { drainIdleMs: defaultLimits.drainIdleMs },
      authenticate: (token) => this.#issuer.verifier.verify(token),
      isTrustedProxy: (address) => address === '127.0.0.1',
      createContext: (operation) => {
        this.onOperation();
        return { ...contextOf(operation), serial: 0 };
      },
    });
  }

  async stop(): Promise<void> {
    await this.#server?.server.dispose();
  }

  /** Resolves when it has run many operations: the proxy has found that it answers. */
  untilUsed(): Promise<void> {
    let operations = 0;
    return new Promise((resolve) => {
      this.onOperation = () => {
        operations += 1;
        if (operations === 40) resolve();
      };
    });
  }
}

const running = new AsyncDisposableStack();
const gateways: Gateway[] = [];
let url: string;
let authorization: string;

/** The configuration as it is shipped, but for its addresses: nginx before 1.27.3 resolves none while it runs. */
async function configuration(port: number): Promise<string> {
  const shipped = await readFile(new URL('../../docker/nginx.conf', import.meta.url), 'utf8');
  return shipped
    .replace(/gateway-(\d):4000 resolve/g, (_, index) => `127.0.0.1:${gateways[Number(index) - 1]?.port}`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`)
    .replace('pid /tmp/', 'pid ');
}

/** Starts a proxy; without its limits of requests, unless they are wanted. */
async function startProxy(limits: 'as shipped' | 'none'): Promise<string> {
  const port = await reservePort();
  const shipped = await configuration(port);
  const address = `http://127.0.0.1:${port}`;
  const files = { 'nginx.conf': limits === 'none' ? shipped.replaceAll(/^ *limit_.*$/gm, '') : shipped };
  await startNginx(running, files, `${address}/healthz`);
  return address;
}

beforeAll(async () => {
  const issuer = await createDevelopmentIssuer();
  authorization = `Bearer ${(await issuer.issue(ada)).token}`;
  for (let count = 0; count < 2; count++) {
    const gateway = new Gateway(await reservePort(), issuer);
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
  const answers: string[] = [];
  let isOver = false;
  const callers = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const response = await post('{"query":"mutation { add(to: 1) }"}');
      answers.push(`${response.status} ${await response.text()}`);
    }
  });
  for (const gateway of gateways) {
    await gateway.untilUsed();
    await gateway.stop();
    await gateway.start();
    await gateway.untilUsed();
  }
  isOver = true;
  await Promise.all(callers);
  expect(answers.length).toBeGreaterThan(8);
  expect([...new Set(answers)]).toEqual(['200 {"data":{"add":2}}']);
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
