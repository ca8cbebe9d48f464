/** One stream over one WebSocket, by the graphql-transport-ws protocol: from its opening to its end. */
import { createClient } from 'graphql-ws/client';

export type Connection = {
  /** `ws://127.0.0.1:4000/graphql` */
  url: string;
  getToken: () => Promise<string>;
  /** Whether `getToken` may answer another token next time. */
  canRenewToken: boolean;
};

export type Stream = {
  /**
   * How it ended: closed by us, or by what: GraphQL errors, a close event, anything else thrown, or null for
   * a stream that was completed. Never rejects.
   */
  readonly ended: Promise<'CLOSED' | { by: unknown }>;
  close(): void;
};

/** Milliseconds to connect and be accepted. */
const acceptanceMs = 15_000;
export function openStream(
  { url, getToken }: Connection,
  request: {
    query: string;
    variables: Record<string, unknown>;
    /** Milliseconds of silence after which the gateway is asked for a sign of life; half as long for it. */
    silenceMs: number;
    /** Called when the gateway has accepted the token. */
    onAccepted: () => void;
    /** Called with the data of every result. */
    onData: (data: unknown) => void;
  },
): Stream {
  const { promise: ended, resolve } = Promise.withResolvers<'CLOSED' | { by: unknown }>();
  let signOfLife: NodeJS.Timeout | undefined;
  let isOver = false;
  const client = createClient({
    url,
    connectionParams: async () => ({ authorization: `Bearer ${await getToken()}` }),
    lazy: true,
    retryAttempts: 0,
    keepAlive: request.silenceMs,
    connectionAckWaitTimeout: acceptanceMs,
    on: {
      connected() {
        clearTimeout(acceptance);
        if (!isOver) request.onAccepted();
      },
      ping(received) {
        if (!received)
          signOfLife = setTimeout(() => end({ by: new Error('no sign of life') }), request.silenceMs / 2);
      },
      pong(received) {
        if (received) clearTimeout(signOfLife);
      },
      closed: () => clearTimeout(signOfLife),
    },
  });
  const acceptance = setTimeout(() => end({ by: new Error('not accepted in time') }), acceptanceMs);

  function end(how: 'CLOSED' | { by: unknown }): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(acceptance);
    clearTimeout(signOfLife);
    resolve(how);
    unsubscribe();
    client.terminate();
  }

  const unsubscribe = client.subscribe(
    { query: request.query, variables: request.variables },
    {
      next({ data, errors }) {
        if (isOver) return;
        // An event that could not be told is one to resume before.
        if (errors !== undefined || data == null) end({ by: errors ?? null });
        else request.onData(data);
      },
      error: (error) => end({ by: error }),
      complete: () => end({ by: null }),
    },
  );
  return { ended, close: () => end('CLOSED') };
}
