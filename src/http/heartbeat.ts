import type { WebSocket } from 'ws';

/** Pings WebSockets and terminates those whose other end does not answer. */
export type Heartbeat = {
  /** Pings the socket at every interval. Terminates it if it has not answered by the next ping. */
  watch(socket: WebSocket): void;
  /** Must be called when the socket has closed. */
  forget(socket: WebSocket): void;
  dispose(): void;
};

/** Milliseconds between two groups of sockets: they are not all pinged at the same moment. */
const groupIntervalMs = 100;

/** @param intervalMs milliseconds from one ping of a socket to the next */
export function createHeartbeat(intervalMs: number): Heartbeat {
  const groups = Array.from(
    { length: Math.max(2, Math.round(intervalMs / groupIntervalMs)) },
    () => new Set<WebSocket>(),
  );
  const groupOf = new Map<WebSocket, Set<WebSocket>>();
  const unanswered = new Set<WebSocket>();
  let current = 0;
  let timer: NodeJS.Timeout | undefined;

  function onPong(this: WebSocket): void {
    unanswered.delete(this);
  }

  function pingNextGroup(): void {
    current = (current + 1) % groups.length;
    for (const socket of groups[current] ?? []) {
      if (unanswered.has(socket)) {
        socket.terminate();
      } else if (socket.readyState === socket.OPEN) {
        unanswered.add(socket);
        socket.ping();
      }
    }
  }

  return {
    watch(socket) {
      // The current group's turn comes last, so the first ping comes after a whole interval.
      const group = groups[current];
      if (group === undefined) return;
      group.add(socket);
      groupOf.set(socket, group);
      socket.on('pong', onPong);
      timer ??= setInterval(pingNextGroup, intervalMs / groups.length);
    },
    forget(socket) {
      groupOf.get(socket)?.delete(socket);
      groupOf.delete(socket);
      unanswered.delete(socket);
      if (groupOf.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    dispose() {
      clearInterval(timer);
      for (const group of groups) group.clear();
      groupOf.clear();
      unanswered.clear();
    },
  };
}
