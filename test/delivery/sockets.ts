/** Raw WebSockets, on which a test can send any message. */
import { EventEmitter, once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Json } from '../support/gateway.ts';

/** Milliseconds that a test waits for messages: shorter than the limit of any test, so that it says what it waited for. */
const patience = 100_000;

export type TestSocket = {
  readonly socket: WebSocket;
  /** Every message received so far, except the response to `connection_init`. */
  readonly messages: readonly Json[];
  send(message: object): void;
  /** Resolves once the received messages are enough; rejects if the socket closes before, or if that takes too long. */
  until(enough: (messages: readonly Json[]) => boolean): Promise<void>;
};

/** Opens a WebSocket and sends nothing. */
export async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return socket;
}

/** Opens a WebSocket and waits until the gateway has acknowledged it. */
export async function connect(url: string, token: string): Promise<TestSocket> {
  const socket = await openSocket(url);
  const messages: Json[] = [];
  const changes = new EventEmitter<{ change: [] }>().setMaxListeners(0);
  let end: string | undefined;
  socket.on('close', (code, reason) => {
    end = `${code} ${reason}`;
    changes.emit('change');
  });
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    changes.emit('change');
  });
  const testSocket: TestSocket = {
    socket,
    messages,
    send: (message) => socket.send(JSON.stringify(message)),
    async until(enough) {
      const late = AbortSignal.timeout(patience);
      const received = () =>
        `${messages.length} messages, the last of them ${JSON.stringify(messages.at(-1))}`;
      while (!enough(messages)) {
        if (end !== undefined) throw new Error(`The socket was closed with ${end} after ${received()}`);
        await once(changes, 'change', { signal: late }).catch((error: unknown) => {
          throw new Error(`What is waited for has not come, only ${received()}`, { cause: error });
        });
      }
    },
  };
  testSocket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await testSocket.until(([first]) => first?.type === 'connection_ack');
  messages.length = 0;
  return testSocket;
}
