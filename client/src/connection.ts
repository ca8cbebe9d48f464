/** One subscription over one WebSocket, by the graphql-transport-ws protocol. It does not reconnect. */
import type { GraphQLFormattedError } from 'graphql';
import { createClient } from 'graphql-ws/client';

export type StreamRequest = {
  /** `ws://127.0.0.1:4000/graphql` */
  url: string;
  token: string;
  query: string;
  variables: Record<string, unknown>;
  /** Milliseconds for connecting, and for the gateway to accept the token. */
  acceptanceMs: number;
  /** Milliseconds from the answer to a ping until the next ping. The gateway has half as long to send anything. */
  silenceMs: number;
  /** Called when the gateway has accepted the token. */
  onAccepted: () => void;
  /** Called with the data of every result, and the errors of the fields that are null in it because they failed. */
  onData: (data: unknown, errors: readonly GraphQLFormattedError[]) => void;
};

/** Milliseconds for the first result after the acceptance: the gateway may have to wait for its database. */
const firstResultMs = 45_000;

/** `by` is an array of GraphQL errors, a close event, whatever else was thrown, or null if the gateway completed it. */
export type StreamEnd = 'CLOSED' | { by: unknown };

export type Stream = {
  /** Resolves when the stream has ended. Never rejects. */
  readonly ended: Promise<StreamEnd>;
  close(): void;
};

export function openStream(request: StreamRequest): Stream {
  const { promise: ended, resolve } = Promise.withResolvers<StreamEnd>();
  let hasEnded = false;
  const failLater = (ms: number, missing: string) =>
    setTimeout(() => end({ by: new Error(`the gateway did not ${missing} in time`) }), ms);
  let startTimer = failLater(request.acceptanceMs, 'accept the connection');
  let pongTimer: ReturnType<typeof setTimeout> | undefined;

  function awaitPong(): void {
    clearTimeout(pongTimer);
    pongTimer = failLater(request.silenceMs / 2, 'answer a ping');
  }

  function stopAwaitingPong(): void {
    clearTimeout(pongTimer);
    pongTimer = undefined;
  }

  const client = createClient({
    url: request.url,
    connectionParams: { authorization: `Bearer ${request.token}` },
    retryAttempts: 0,
    keepAlive: request.silenceMs,
    on: {
      connected() {
        if (hasEnded) return;
        clearTimeout(startTimer);
        startTimer = failLater(firstResultMs, 'start the subscription');
        request.onAccepted();
      },
      ping(received) {
        if (!received) awaitPong();
      },
      message() {
        // The answer to the ping comes after what was sent before it.
        if (pongTimer !== undefined) awaitPong();
      },
      pong(received) {
        if (received) stopAwaitingPong();
      },
      closed: stopAwaitingPong,
    },
  });

  function end(how: StreamEnd): void {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(startTimer);
    stopAwaitingPong();
    resolve(how);
    unsubscribe();
    client.terminate();
  }

  const unsubscribe = client.subscribe(
    { query: request.query, variables: request.variables },
    {
      next({ data, errors }) {
        if (hasEnded) return;
        clearTimeout(startTimer);
        if (data == null) end({ by: errors ?? null });
        else request.onData(data, errors ?? []);
      },
      error: (error) => end({ by: error }),
      complete: () => end({ by: null }),
    },
  );
  return { ended, close: () => end('CLOSED') };
}
