import { type Client, type ClientOptions, createClient } from 'graphql-ws';
import type { Access } from './stage.ts';

/**
 * A graphql-ws client for subscriptions. It connects again whenever a connection is lost, and sends each
 * subscription again as it was; `grantEvents` then resumes from the last cursor that was received.
 */
export function createSockets(
  { webSocketUrl, token }: Access,
  options: Pick<ClientOptions, 'retryWait'> = {},
): Client {
  const client = createClient({
    url: webSocketUrl,
    // A function: the gateway closes a socket when its token expires, and the next one needs a newer token.
    connectionParams: () => ({ authorization: `Bearer ${token}` }),
    retryAttempts: Number.POSITIVE_INFINITY,
    ...options,
  });
  return {
    ...client,
    subscribe(payload, sink) {
      const variables = { ...payload.variables };
      return client.subscribe<{ grantEvents?: { cursor?: string } }>(
        { ...payload, variables },
        {
          ...sink,
          next(result) {
            const cursor = result.data?.grantEvents?.cursor;
            if (cursor !== undefined) variables['after'] = cursor;
            sink.next(result as Parameters<typeof sink.next>[0]);
          },
        },
      );
    },
  };
}
