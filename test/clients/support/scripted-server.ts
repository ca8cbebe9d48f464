import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

type Subscribe = { id: string; payload: { variables?: Record<string, unknown> } };

/**
 * A server of graphql-transport-ws for what a gateway does only under rare conditions: it accepts every connection and
 * answers each `subscribe` as the test says.
 * @param answer called with the number of the `subscribe` message, from 1
 */
export async function startScriptedServer(
  answer: (socket: WebSocket, message: Subscribe, number: number) => void,
): Promise<{ url: string } & AsyncDisposable> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: ([first]) => first ?? false,
  });
  await once(server, 'listening');
  let count = 0;
  server.on('connection', (socket) =>
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
      if (message.type !== 'subscribe') return;
      count += 1;
      answer(socket, message, count);
    }),
  );
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}
