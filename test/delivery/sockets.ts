/** WebSockets of clients that may do whatever they like. */
import { EventEmitter, once } from 'node:events';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Json } from '../support/gateway.ts';

export type Talk = {
  readonly socket: WebSocket;
  /** Every message received so far, but the answer to `connection_init`. */
  readonly messages: readonly Json[];
  say(message: object): void;
  /** Resolves once what was received is enough; rejects, saying what was, when the socket closes before. */
  until(enough: (messages: readonly Json[]) => boolean): Promise<void>;
};

/** A WebSocket on which nothing was said yet. */
export async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return socket;
}

/** One that the gateway has acknowledged. */
export async function connect(url: string, token: string): Promise<Talk> {
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
  const talk: Talk = {
    socket,
    messages,
    say: (message) => socket.send(JSON.stringify(message)),
    async until(enough) {
      while (!enough(messages)) {
        if (end !== undefined)
          throw new Error(
            `The socket was closed with ${end} after ${messages.length} messages, the last of them ${JSON.stringify(messages.at(-1))}`,
          );
        await once(changes, 'change');
      }
    },
  };
  talk.say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await talk.until(([first]) => first?.type === 'connection_ack');
  messages.length = 0;
  return talk;
}
