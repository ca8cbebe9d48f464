import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Metrics } from '../metrics/metrics.ts';
import { type DrainingClient, whenClosed } from './drain.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { SlowConsumerWatch } from './slow-consumers.ts';
import type { SourceOf } from './source-of.ts';
import { Connection, type ConnectionDependencies } from './websocket-connection.ts';
import { createProtocol, type ProtocolOptions } from './websocket-protocol.ts';

export type WebSocketOptions = Omit<ProtocolOptions, 'isDraining'> &
  ConnectionDependencies & {
    slowConsumers: SlowConsumerWatch;
    sourceOf: SourceOf;
    metrics?: Pick<Metrics, 'webSocketClosed'> | undefined;
  };

export type WebSocketTransport = {
  /** Takes over an upgrade request whose path and origin have been checked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Refuses new operations from now on, and returns the connected clients. Draining one closes it with 1001 as soon
   * as its running requests are answered; a client that does not answer the close frame in time is terminated.
   */
  startDraining(): DrainingClient[];
  /** Terminates all connections that are left. */
  terminateAll(): void;
  dispose(): void;
};

/** GraphQL over WebSocket, by the graphql-transport-ws protocol, on the same engine as HTTP. */
export function createWebSocketTransport(options: WebSocketOptions): WebSocketTransport {
  const { slowConsumers, sourceOf, limits, log, metrics } = options;
  const serverOptions: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    // Until the client has shown its token: then websocket-connection.ts lets it send more.
    maxPayload: Math.min(limits.initMessageBytes, limits.requestBytes),
    perMessageDeflate: false,
    // One message per turn of the event loop: a client that sends many at once delays nobody else.
    allowSynchronousEvents: false,
    closeTimeout: limits.socketCloseMs,
    handleProtocols,
  };
  const server = new WebSocketServer(serverOptions);
  const connections = new Map<WebSocket, Connection>();
  const heartbeat = createHeartbeat(limits.pingMs);
  let draining = false;
  const protocol = createProtocol({ ...options, isDraining: () => draining });

  server.on('connection', (socket, request) => {
    const { socket: stream } = request;
    const source = sourceOf(request);
    const connection = new Connection(socket, stream, source, options);
    connections.set(socket, connection);
    slowConsumers.watch(stream, connection);
    heartbeat.watch(socket);
    const closed = protocol.opened(connection, connection);
    // The client broke the WebSocket protocol or exceeded the size of a message. The ws package closes the socket.
    socket.on('error', (error) => log.debug({ ...source, err: error }, 'A WebSocket failed'));
    socket.on('close', (code, reason) => {
      connections.delete(socket);
      heartbeat.forget(socket);
      connection.onClosed();
      const { closeCode } = connection;
      metrics?.webSocketClosed(closeCode === null ? 'client' : 'gateway', closeCode ?? code);
      closed(code, String(reason)).catch((error: unknown) => {
        log.error({ ...source, err: error }, 'A closed WebSocket could not be cleaned up');
      });
    });
  });

  return {
    upgrade(request, socket, head) {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit('connection', webSocket, request);
      });
    },
    startDraining() {
      draining = true;
      return [...connections].map(([socket, connection]) => ({
        startDraining: () => connection.startDraining(),
        closed: whenClosed(socket),
      }));
    },
    terminateAll() {
      for (const socket of server.clients) socket.terminate();
    },
    dispose: heartbeat.dispose,
  };
}
