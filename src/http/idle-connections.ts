/** Bounds the connections on which nobody is doing anything: they cost memory, and whoever opens them needs no token. */
import type { Socket } from 'node:net';
import type { Log } from './log.ts';

export type IdleConnections = {
  readonly count: number;
  /** The connection is open and carries no request. Over the limit, the one that has been idle for longest is closed. */
  add(socket: Socket): void;
  /** The connection carries a request, or a WebSocket whose client has shown a good token. */
  remove(socket: Socket): void;
};

/** Milliseconds between two lines of the log, while there are too many all the time. */
const logIntervalMs = 60_000;

export function createIdleConnections(max: number, log: Log): IdleConnections {
  /** In the order in which they became idle. */
  const idle = new Set<Socket>();
  let loggedAt = Number.NEGATIVE_INFINITY;

  function forgetThis(this: Socket): void {
    idle.delete(this);
  }

  function closeLongestIdle(): void {
    const [oldest] = idle;
    oldest?.destroy();
    if (performance.now() - loggedAt < logIntervalMs) return;
    loggedAt = performance.now();
    log.warn({ max }, 'There are too many idle connections: the ones that were idle for longest are closed');
  }

  return {
    get count() {
      return idle.size;
    },
    add(socket) {
      if (socket.destroyed) return;
      // Once for each connection, however often it is idle.
      if (!socket.listeners('close').includes(forgetThis)) socket.on('close', forgetThis);
      idle.delete(socket);
      idle.add(socket);
      if (idle.size > max) closeLongestIdle();
    },
    remove: (socket) => void idle.delete(socket),
  };
}
