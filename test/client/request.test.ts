import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGatewayClient, developmentToken } from '../../client/src/index.ts';
import { CreateOrganizationDocument, ViewerDocument } from '../../schema/generated/operations.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.dispose());

test('returns the data of a query, and of a mutation that is refused', async () => {
  const token = developmentToken(gateway.url, 'operator@vendor.example');
  const client = createGatewayClient({ url: gateway.url, token });
  const { viewer } = await client.execute(ViewerDocument, {});
  expect(viewer.account.email).toBe('operator@vendor.example');
  const { createOrganization } = await client.execute(CreateOrganizationDocument, { input: { name: '' } });
  expect(createOrganization).toMatchObject({
    __typename: 'InvalidInputError',
    fields: [{ path: 'input.name' }],
  });
});

describe('rejects with the code', () => {
  test('UNAUTHENTICATED for an invalid token', async () => {
    const client = createGatewayClient({ url: gateway.url, token: 'nonsense' });
    await expect(client.execute(ViewerDocument, {})).rejects.toMatchObject({
      name: 'RequestFailedError',
      code: 'UNAUTHENTICATED',
      status: 401,
    });
  });

  test('UNREACHABLE when nothing listens at the address', async () => {
    await using server = await listen(() => undefined);
    const { url } = server;
    await server[Symbol.asyncDispose]();
    const client = createGatewayClient({ url, token: 'any' });
    await expect(client.execute(ViewerDocument, {})).rejects.toMatchObject({
      code: 'UNREACHABLE',
      status: null,
    });
  });

  test.for<[string, RequestListener]>([
    ['an HTML page', (_, response) => response.end('<h1>Hello</h1>')],
    ['JSON of another API', (_, response) => response.end('{"hello": "world"}')],
    ['JSON that is no object', (_, response) => response.end('null')],
  ])('NOT_A_GATEWAY when the server answers with %s', async ([, listener]) => {
    await using server = await listen(listener);
    const client = createGatewayClient({ url: server.url, token: 'any' });
    await expect(client.execute(ViewerDocument, {})).rejects.toMatchObject({
      code: 'NOT_A_GATEWAY',
      status: 200,
    });
  });

  test('TIMED_OUT when there is no response in time', async () => {
    await using server = await listen(() => undefined);
    const client = createGatewayClient({ url: server.url, token: 'any' });
    await expect(client.execute(ViewerDocument, {}, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'TIMED_OUT',
    });
  });
});

test('a token source that hangs fails the request in time, and nothing is sent', async () => {
  let requests = 0;
  await using server = await listen(() => {
    requests += 1;
  });
  const client = createGatewayClient({ url: server.url, token: () => new Promise(() => undefined) });
  await expect(client.execute(ViewerDocument, {}, { timeoutMs: 50 })).rejects.toMatchObject({
    name: 'RequestFailedError',
    code: 'TOKEN_UNAVAILABLE',
  });
  const abort = new AbortController();
  const request = client.execute(ViewerDocument, {}, { signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(request).rejects.toThrow('enough');
  expect(requests).toBe(0);
});

test('a request that the caller aborts rejects with the reason of the signal', async () => {
  await using server = await listen(() => undefined);
  const client = createGatewayClient({ url: server.url, token: 'any' });
  const abort = new AbortController();
  const request = client.execute(ViewerDocument, {}, { signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(request).rejects.toThrow('enough');
});

async function listen(listener: RequestListener): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}
