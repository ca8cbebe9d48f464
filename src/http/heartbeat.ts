import type { WebSocket } from 'ws';

/** Finds out which WebSockets have nobody at their other end any more. */
export type Heartbeat = {
  /** Heartbeat the socket every so often, and cuts it when it has not answered by the next time. */
  watch(socket: WebSocket): void;
  /** To be called when the socket has closed. */
  forget(socket: WebSocket): void;
  dispose(): void;
};

/** Milliseconds between two shares of the sockets: they are not pinged all at the same moment. */
const shareMs = 100;

/** @param everyMs from one ping of a socket to the next */
export function createHeartbeat(everyMs: number): Heartbeat {
  const shares = Array.from(
    { length: Math.max(2, Math.round(everyMs / shareMs)) },
    () => new Set<WebSocket>(),
  );
  const shareOf = new Map<WebSocket, Set<WebSocket>>();
  const unanswered = new Set<WebSocket>();
  let at = 0;
  let timer: NodeJS.Timeout | undefined;

  function hear(this: WebSocket): void {
    unanswered.delete(this);
  }

  function pingNextShare(): void {
    at = (at + 1) % shares.length;
    for (const socket of shares[at] ?? []) {
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
      // The share that comes last from now on, so that the first ping comes after the whole time.
      const share = shares[at];
      if (share === undefined) return;
      share.add(socket);
      shareOf.set(socket, share);
      socket.on('pong', hear);
      timer ??= setInterval(pingNextShare, everyMs / shares.length);
    },
    forget(socket) {
      shareOf.get(socket)?.delete(socket);
      shareOf.delete(socket);
      unanswered.delete(socket);
      if (shareOf.size > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    dispose() {
      clearInterval(timer);
      for (const share of shares) share.clear();
      shareOf.clear();
      unanswered.clear();
    },
  };
}
