/** One subscription over one WebSocket, by the graphql-transport-ws protocol. It does not reconnect. */
import { createClient } from 'graphql-ws/client';

export type Connection = {
  /** `ws://127.0.0.1:4000/graphql` */
  url: string;
  getToken: () => Promise<string>;
  /** Whether `getToken` may return another token next time. */
  canRenewToken: boolean;
};

export type Stream = {
  /**
   * Resolves when the stream has ended. `by` is an array of GraphQL errors, a close event, whatever else was thrown,
   * or null for a stream that the gateway completed. Never rejects.
   */
  readonly ended: Promise<'CLOSED' | { by: unknown }>;
  close(): void;
};

/** Milliseconds for connecting and for the gateway to accept the token. */
const acceptanceMs = 15_000;

export function openStream(
  { url, getToken }: Connection,
  request: {
    query: string;
    variables: Record<string, unknown>;
    /** Milliseconds without a message after which the gateway is pinged. It has half as long to answer. */
    silenceMs: number;
    /** Called when the gateway has accepted the token. */
    onAccepted: () => void;
    /** Called with the data of every result. */
    onData: (data: unknown) => void;
  },
): Stream {
  const { promise: ended, resolve } = Promise.withResolvers<'CLOSED' | { by: unknown }>();
  let pongTimer: NodeJS.Timeout | undefined;
  let hasEnded = false;
  const client = createClient({
    url,
    connectionParams: async () => ({ authorization: `Bearer ${await getToken()}` }),
    lazy: true,
    retryAttempts: 0,
    keepAlive: request.silenceMs,
    connectionAckWaitTimeout: acceptanceMs,
    on: {
      connected() {
        clearTimeout(acceptanceTimer);
        if (!hasEnded) request.onAccepted();
      },
      ping(received) {
        if (!received)
          pongTimer = setTimeout(
            () => end({ by: new Error('the gateway did not answer a ping in time') }),
            request.silenceMs / 2,
          );
      },
      pong(received) {
        if (received) clearTimeout(pongTimer);
      },
      closed: () => clearTimeout(pongTimer),
    },
  });
  const acceptanceTimer = setTimeout(
    () => end({ by: new Error('the gateway did not accept the connection in time') }),
    acceptanceMs,
  );

  function end(how: 'CLOSED' | { by: unknown }): void {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(acceptanceTimer);
    clearTimeout(pongTimer);
    resolve(how);
    unsubscribe();
    client.terminate();
  }

  const unsubscribe = client.subscribe(
    { query: request.query, variables: request.variables },
    {
      next({ data, errors }) {
        if (hasEnded) return;
        // An event with errors was not delivered: the subscription resumes before it.
        if (errors !== undefined || data == null) end({ by: errors ?? null });
        else request.onData(data);
      },
      error: (error) => end({ by: error }),
      complete: () => end({ by: null }),
    },
  );
  return { ended, close: () => end('CLOSED') };
}
