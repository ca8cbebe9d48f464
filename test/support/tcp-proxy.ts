import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A proxy between a client and a server that can break or stall their connections. */
export interface TcpProxy {
  /** The port on 127.0.0.1. It never changes. */
  readonly port: number;
  /** Open connections from clients. */
  readonly connections: number;
  /** How many connections from clients there have been. */
  readonly accepted: number;
  /** Breaks every connection and refuses new ones. */
  cut(): void;
  /** Accepts and keeps connections but forwards nothing either way, as if packets were lost. */
  stall(): void;
  /** Forwards everything again, including the data held back, and accepts connections. */
  resume(): void;
  dispose(): Promise<void>;
}

/** Forwards to a port of 127.0.0.1; with a function, to the port that it returns for each connection. */
export async function openTcpProxy(target: number | (() => number)): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  /** Their other end closed while the proxy was stalled. */
  const halfClosed = new Set<Socket>();
  let accepted = 0;
  let state: 'OPEN' | 'STALLED' | 'CUT' = 'OPEN';

  function keep(socket: Socket): void {
    sockets.add(socket);
    if (state === 'STALLED') socket.pause();
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      clients.delete(socket);
    });
  }

  function join(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => {
          if (state === 'OPEN') from.resume();
        });
      }
    });
    from.on('close', () => {
      // While the proxy is stalled, it does not forward the end of a connection.
      if (state === 'STALLED') halfClosed.add(to);
      else to.destroy();
    });
  }

  const server = createServer((client) => {
    if (state === 'CUT') {
      client.resetAndDestroy();
      return;
    }
    accepted += 1;
    clients.add(client);
    const upstream = connect(typeof target === 'number' ? target : target(), '127.0.0.1');
    keep(client);
    keep(upstream);
    join(client, upstream);
    join(upstream, client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No TCP port was given');

  return {
    port: address.port,
    get connections() {
      return clients.size;
    },
    get accepted() {
      return accepted;
    },
    cut() {
      state = 'CUT';
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stall() {
      state = 'STALLED';
      for (const socket of sockets) socket.pause();
    },
    resume() {
      state = 'OPEN';
      for (const socket of halfClosed) socket.destroy();
      halfClosed.clear();
      for (const socket of sockets) socket.resume();
    },
    async dispose() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
