import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { startScriptedServer } from '../support/scripted-server.ts';
import { shortWait } from '../support/subscriber.ts';
import { createSockets } from './graphql-ws.ts';

/**
 * Subscribes, receives one event, and then this end of the subscription. Returns the variables with which it
 * subscribes again, or what it was ended with.
 */
async function afterEnd(end: (socket: WebSocket, id: string) => void) {
  const outcome = Promise.withResolvers<{ variables?: unknown; error?: unknown }>();
  await using server = await startScriptedServer((socket, { id, payload: { variables } }, number) => {
    if (number === 2) return outcome.resolve({ variables });
    const payload = { data: { grantEvents: { cursor: 'last' } } };
    socket.send(JSON.stringify({ id, type: 'next', payload }));
    end(socket, id);
  });
  const access = { httpUrl: '', webSocketUrl: server.url, token: '', getToken: async () => '' };
  const sockets = createSockets(access, shortWait);
  sockets.subscribe(
    { query: 'subscription', variables: { filter: null } },
    { next: () => undefined, error: (error) => outcome.resolve({ error }), complete: () => undefined },
  );
  const result = await outcome.promise;
  await sockets.dispose();
  return result;
}

const errorOf = (code: string) => [{ message: 'It ended.', extensions: { code } }];
const endWith = (code: string) => (socket: WebSocket, id: string) =>
  socket.send(JSON.stringify({ id, type: 'error', payload: errorOf(code) }));

describe('a subscription that ends', () => {
  test.each(['FEED_UNAVAILABLE', 'FEED_CLOSED', 'SERVICE_UNAVAILABLE', 'TOO_MANY_OPERATIONS'])(
    'with %s resumes',
    async (code) => {
      expect(await afterEnd(endWith(code))).toEqual({ variables: { filter: null, after: 'last' } });
    },
  );

  test.each(['CURSOR_EXPIRED', 'CURSOR_MALFORMED', 'CURSOR_OF_ANOTHER_VIEWER', 'HISTORY_REPLACED'])(
    'with %s starts again with the current state',
    async (code) => {
      const variables = { filter: null, after: null, withCurrentState: true };
      expect(await afterEnd(endWith(code))).toEqual({ variables });
    },
  );

  test.each(['ACCESS_ENDED', 'FORBIDDEN', 'GRAPHQL_VALIDATION_FAILED'])('with %s has ended', async (code) => {
    expect(await afterEnd(endWith(code))).toEqual({ error: errorOf(code) });
  });

  test.each([1001, 1006, 1013, 4403, 4408, 4413, 4429, 4500])('by close code %i resumes', async (code) => {
    const end = (socket: WebSocket) => (code === 1006 ? socket.terminate() : socket.close(code));
    expect(await afterEnd(end)).toEqual({ variables: { filter: null, after: 'last' } });
  });

  test.each([1009, 4400, 4401, 4406, 4409])('by close code %i has ended', async (code) => {
    expect(await afterEnd((socket) => socket.close(code))).toMatchObject({ error: { code } });
  });
});
