/**
 * Notices clients that do not read: bytes wait for them, and their kernel has taken none for a while.
 *
 * It looks at what the kernel takes, not at who asks for more: a slow resolver, a database that is away, or
 * a large page under way are no fault of the client's.
 */
import type { Socket } from 'node:net';

export type UnreadWatch = {
  /** Calls `onUnread` once, as soon as the client has not read for too long. Stops when the socket closes. */
  watch(socket: Socket, onUnread: () => void): void;
  dispose(): void;
};

/** Milliseconds between two looks. */
const lookInterval = 500;

type Watched = { onUnread: () => void; waiting: number; taken: number; since: number };

/** @param patienceMs how long a client may take nothing of what waits for it */
export function createUnreadWatch(patienceMs: number): UnreadWatch {
  const sockets = new Map<Socket, Watched>();
  let looking: NodeJS.Timeout | undefined;

  function forget(socket: Socket): void {
    sockets.delete(socket);
    if (sockets.size > 0) return;
    clearInterval(looking);
    looking = undefined;
  }

  function look(): void {
    const now = performance.now();
    for (const [socket, watched] of sockets) {
      const waiting = bytesWaiting(socket);
      if (waiting === 0) {
        watched.waiting = 0;
        continue;
      }
      const taken = socket.bytesWritten - socket.writableLength;
      if (waiting !== watched.waiting || taken !== watched.taken) {
        Object.assign(watched, { waiting, taken, since: now });
      } else if (now - watched.since >= patienceMs) {
        forget(socket);
        watched.onUnread();
      }
    }
  }

  return {
    watch(socket, onUnread) {
      if (!sockets.has(socket)) socket.once('close', () => forget(socket));
      sockets.set(socket, { onUnread, waiting: 0, taken: 0, since: performance.now() });
      looking ??= setInterval(look, Math.min(lookInterval, patienceMs / 4));
    },
    dispose() {
      clearInterval(looking);
      sockets.clear();
    },
  };
}

type WithQueue = Socket & { _handle?: { writeQueueSize?: number } | null };

/**
 * Bytes of the write under way that the kernel has not taken. Node tells it on the handle only, and only there
 * is a large message seen to shrink; without it a message counts as a whole.
 */
function bytesWaiting(socket: WithQueue): number {
  return socket._handle?.writeQueueSize ?? socket.writableLength;
}
