/** A WebSocket that sends any message, valid or not. */
import { expect } from 'vitest';
import WebSocket from 'ws';
import { generousMs } from '../support/deadlines.ts';
import type { Json } from '../support/gateway.ts';

export type Socket = AsyncDisposable & {
  send(message: Record<string, unknown>): void;
  raw(message: string | Buffer): void;
  next(): Promise<Json>;
  closed(): Promise<number>;
};

/** Opens a WebSocket without connection_init. */
export async function open(url: string): Promise<Socket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const arrived: Json[] = [];
  const waiting: ((message: Json) => void)[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'ping') return;
    const next = waiting.shift();
    if (next === undefined) arrived.push(message);
    else next(message);
  });
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  const late = (what: string) =>
    new Promise<never>((_, reject) => {
      AbortSignal.timeout(generousMs).addEventListener('abort', () =>
        reject(new Error(`The ${what} did not come`)),
      );
    });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return {
    send: (message) => socket.send(JSON.stringify(message)),
    raw: (message) => socket.send(message),
    next: async () => {
      const message = arrived.shift();
      if (message !== undefined) return message;
      return await Promise.race([new Promise((resolve) => waiting.push(resolve)), late('message')]);
    },
    closed: () => Promise.race([closed, late('end')]),
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}

/** Opens a WebSocket and waits for connection_ack. */
export async function connect(url: string, token: string): Promise<Socket> {
  const socket = await open(url);
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  expect(await socket.next()).toMatchObject({ type: 'connection_ack' });
  return socket;
}
