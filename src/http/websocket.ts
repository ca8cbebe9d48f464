import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { type DrainingClient, whenClosed } from './drain.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { SlowConsumerWatch } from './slow-consumers.ts';
import { Connection, type ConnectionSurroundings } from './websocket-connection.ts';
import { createProtocol, type ProtocolOptions } from './websocket-protocol.ts';

export type WebSocketOptions = Omit<ProtocolOptions, 'isDraining'> &
  ConnectionSurroundings & { unread: SlowConsumerWatch };

export type WebSocketTransport = {
  /** Takes over an upgrade request whose path and origin have been checked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * How to leave each client: by closing with 1001, once the requests under way are answered; whoever does
   * not answer the close in time is cut. From now on, an operation that begins is refused.
   */
  leave(): DrainingClient[];
  /** Cuts whoever is left. */
  terminateAll(): void;
  dispose(): void;
};

/** GraphQL over WebSocket, by the graphql-transport-ws protocol, on the same engine as HTTP. */
export function createWebSocketTransport(options: WebSocketOptions): WebSocketTransport {
  const { unread, limits, log } = options;
  const serverOptions: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    maxPayload: limits.requestBytes,
    perMessageDeflate: false,
    // One message a turn: who sends many at once keeps nobody else waiting.
    allowSynchronousEvents: false,
    closeTimeout: limits.socketCloseMs,
    handleProtocols,
  };
  const server = new WebSocketServer(serverOptions);
  const open = new Map<WebSocket, Connection>();
  const pings = createHeartbeat(limits.pingMs);
  let draining = false;
  const protocol = createProtocol({ ...options, isDraining: () => draining });

  // The client broke the WebSocket protocol or the limit on messages: ws closes with the code for it.
  const onError = (error: Error) => log.debug({ err: error }, 'A WebSocket failed');

  server.on('connection', (socket, { socket: stream }) => {
    const connection = new Connection(socket, stream, options);
    open.set(socket, connection);
    unread.watch(stream, connection);
    pings.watch(socket);
    const closed = protocol.opened(connection, connection);
    socket.on('error', onError);
    socket.on('close', (code, reason) => {
      open.delete(socket);
      pings.forget(socket);
      connection.closed();
      closed(code, String(reason)).catch((error: unknown) => {
        log.error({ err: error }, 'A closed WebSocket could not be cleaned up');
      });
    });
  });

  return {
    upgrade(request, socket, head) {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit('connection', webSocket, request);
      });
    },
    leave() {
      draining = true;
      return [...open].map(([socket, connection]) => ({
        leave: () => connection.leave(),
        gone: whenClosed(socket),
      }));
    },
    terminateAll() {
      for (const socket of server.clients) socket.terminate();
    },
    dispose: pings.dispose,
  };
}
