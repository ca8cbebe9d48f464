/**
 * Notices clients that do not read: bytes wait for them, and their kernel has taken none for a while.
 *
 * It looks at what the kernel takes, not at who asks for more: a slow resolver, a database that is away, or
 * a large page under way are no fault of the client's.
 */
import type { Socket } from 'node:net';

/** Who is told that a socket's client does not read: once, and it closes the socket. */
export type SocketOwner = { onSlowConsumer(socket: Socket): void };

export type SlowConsumerWatch = {
  /** Tells the owner, the one named last, as soon as the client has not read for too long. */
  watch(socket: Socket, owner: SocketOwner): void;
  dispose(): void;
};

/** Milliseconds between two looks. */
const lookInterval = 500;

/** Bytes that waited and bytes that were taken when something moved last, and when that was. */
type Standstill = { waiting: number; taken: number; since: number };

/** @param patienceMs how long a client may take nothing of what waits for it */
export function createSlowConsumerWatch(patienceMs: number): SlowConsumerWatch {
  const owners = new Map<Socket, SocketOwner>();
  const standstills = new Map<Socket, Standstill>();
  let looking: NodeJS.Timeout | undefined;

  function forgetThis(this: Socket): void {
    owners.delete(this);
    standstills.delete(this);
    if (owners.size > 0) return;
    clearInterval(looking);
    looking = undefined;
  }

  function look(): void {
    const now = performance.now();
    for (const [socket, owner] of owners) {
      const waiting = bytesWaiting(socket);
      if (waiting === 0) {
        standstills.delete(socket);
        continue;
      }
      const taken = socket.bytesWritten - socket.writableLength;
      const before = standstills.get(socket);
      if (before?.waiting !== waiting || before.taken !== taken) {
        standstills.set(socket, { waiting, taken, since: now });
      } else if (now - before.since >= patienceMs) {
        standstills.delete(socket);
        owners.delete(socket);
        owner.onSlowConsumer(socket);
      }
    }
  }

  return {
    watch(socket, owner) {
      if (!owners.has(socket)) socket.on('close', forgetThis);
      owners.set(socket, owner);
      looking ??= setInterval(look, Math.min(lookInterval, patienceMs / 4));
    },
    dispose() {
      clearInterval(looking);
      owners.clear();
      standstills.clear();
    },
  };
}

type WithQueue = Socket & { _handle?: { writeQueueSize?: number } | null };

/**
 * Bytes of the write under way that the kernel has not taken. Node tells it on the handle only, and only there
 * is a large message seen to shrink; without it a message counts as a whole.
 */
function bytesWaiting(socket: WithQueue): number {
  return socket.writableLength === 0 ? 0 : (socket._handle?.writeQueueSize ?? socket.writableLength);
}
