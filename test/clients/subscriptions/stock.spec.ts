/** What stock clients do that the recipes are for. */
import { createClient as createSseClient } from 'graphql-sse';
import { createClient, type Sink } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { grantEvents } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { keepEvents, shortWait } from '../support/subscriber.ts';
import { openUnsteadyGateway } from '../support/unsteady-gateway.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

describe('graphql-ws as it is', () => {
  test.each<[number, 'connects again' | 'gives up']>([
    [1001, 'connects again'],
    // Node's WebSocket reports an error before this close event.
    [1006, 'gives up'],
    [1009, 'gives up'],
    [1013, 'connects again'],
    [4400, 'gives up'],
    [4401, 'gives up'],
    [4403, 'connects again'],
    [4406, 'gives up'],
    [4408, 'connects again'],
    [4409, 'gives up'],
    [4413, 'connects again'],
    [4429, 'gives up'],
    [4500, 'gives up'],
  ])('after close code %i it %s', async (code, expected) => {
    const outcome = Promise.withResolvers<typeof expected>();
    await using server = await startScriptedServer((socket, _message, number) => {
      if (number === 2) outcome.resolve('connects again');
      else if (code === 1006) socket.terminate();
      else socket.close(code);
    });
    const client = createClient({ url: server.url, retryAttempts: 1, retryWait: async () => undefined });
    client.subscribe(
      { query: 'subscription { events }' },
      { next: () => undefined, error: () => outcome.resolve('gives up'), complete: () => undefined },
    );
    expect(await outcome.promise).toBe(expected);
    await client.dispose();
  });

  test('gives up when a connection cannot be opened', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    const { webSocketUrl, getToken } = unsteady.accessOf(stage.world.services.watching);
    const client = createClient({
      url: webSocketUrl,
      connectionParams: async () => ({ authorization: `Bearer ${await getToken()}` }),
      retryWait: shortWait,
    });
    const { received, ends, sink } = keepEvents();
    client.subscribe({ query: grantEvents }, sink as Sink);
    await eventually(() => expect(received.length).toBeGreaterThan(0));
    await unsteady.cut(() => eventually(() => expect(ends.length).toBe(1)));
  });
});

describe('graphql-sse as it is', () => {
  test('sends a refused token again', async () => {
    const { httpUrl } = stage.accessOf(await stage.asEngineer());
    let requests = 0;
    const client = createSseClient({
      url: httpUrl,
      headers: { authorization: 'Bearer none' },
      retry: shortWait,
      retryAttempts: 2,
      fetchFn: (url: string, init: RequestInit) => {
        requests += 1;
        return fetch(url, init);
      },
    });
    const { ends, sink } = keepEvents();
    client.subscribe({ query: grantEvents }, sink as Sink);
    await eventually(() => expect(ends).toMatchObject([{ response: { status: 401 } }]));
    expect(requests).toBe(3);
  });
});
