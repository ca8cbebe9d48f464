/**
 * Detects slow consumers: clients for which bytes are waiting while their kernel has accepted none for a while.
 *
 * It measures what the kernel accepts, not how fast results are produced: a slow resolver, an unavailable database
 * or a large page that is still being computed are not the client's fault.
 *
 * The handler closes the connection: websocket-connection.ts with 4413, server.ts by destroying the socket of an event
 * stream. A WebSocket is also cut when too many bytes wait for it: socket-writer.ts.
 */
import type { Socket } from 'node:net';

/** Called once, to close the connection of a slow consumer. */
export type SlowConsumerHandler = { onSlowConsumer(socket: Socket): void };

export type SlowConsumerWatch = {
  /**
   * Calls the handler as soon as the client has read nothing for too long. Watching a socket again replaces its
   * handler.
   */
  watch(socket: Socket, handler: SlowConsumerHandler): void;
  dispose(): void;
};

/** Milliseconds between two checks. */
const checkIntervalMs = 500;

/** Byte counts at the last progress, and when that was on the clock of `performance.now()`. */
type Progress = { waiting: number; taken: number; since: number };

/** @param timeoutMs how many milliseconds a client may accept nothing of what waits for it */
export function createSlowConsumerWatch(timeoutMs: number): SlowConsumerWatch {
  const handlers = new Map<Socket, SlowConsumerHandler>();
  const progress = new Map<Socket, Progress>();
  let timer: NodeJS.Timeout | undefined;

  function forgetThis(this: Socket): void {
    handlers.delete(this);
    progress.delete(this);
    if (handlers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  function check(): void {
    const now = performance.now();
    for (const [socket, handler] of handlers) {
      const waiting = bytesWaiting(socket);
      if (waiting === 0) {
        progress.delete(socket);
        continue;
      }
      const taken = socket.bytesWritten - socket.writableLength;
      const last = progress.get(socket);
      if (last?.waiting !== waiting || last.taken !== taken) {
        progress.set(socket, { waiting, taken, since: now });
      } else if (now - last.since >= timeoutMs) {
        progress.delete(socket);
        handlers.delete(socket);
        handler.onSlowConsumer(socket);
      }
    }
  }

  return {
    watch(socket, handler) {
      if (!handlers.has(socket)) socket.on('close', forgetThis);
      handlers.set(socket, handler);
      timer ??= setInterval(check, Math.min(checkIntervalMs, timeoutMs / 4));
    },
    dispose() {
      clearInterval(timer);
      handlers.clear();
      progress.clear();
    },
  };
}

type SocketWithHandle = Socket & { _handle?: { writeQueueSize?: number } | null };

/**
 * Bytes of the current write that the kernel has not accepted. Only Node's internal handle shows a large write
 * shrink; where there is no handle, a write counts as a whole until it is finished.
 */
function bytesWaiting(socket: SocketWithHandle): number {
  return socket.writableLength === 0 ? 0 : (socket._handle?.writeQueueSize ?? socket.writableLength);
}
