/** What goes out on one WebSocket. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Limits } from './limits.ts';

export type Outlet = {
  /**
   * Sends a message, or nothing once the socket is closing; those of one turn of the event loop leave in one
   * write. While the client is behind, resolves only when it has caught up: what holds back the source of a
   * client that reads slowly. Otherwise undefined, and the next may follow.
   */
  send(message: string): Promise<void> | undefined;
};

/** @param onOverflow called instead of sending when more than `socketBufferBytes` wait */
export function createOutlet(
  socket: WebSocket,
  connection: Duplex,
  limits: Pick<Limits, 'socketBufferBytes' | 'socketHighWaterBytes'>,
  onOverflow: (bufferedBytes: number) => void,
): Outlet {
  let corked = false;
  const uncork = () => {
    corked = false;
    connection.uncork();
  };

  return {
    send(message) {
      const { bufferedAmount } = socket;
      if (socket.readyState === socket.OPEN && bufferedAmount > limits.socketBufferBytes) {
        onOverflow(bufferedAmount);
      }
      if (socket.readyState !== socket.OPEN) return undefined;
      if (!corked) {
        corked = true;
        connection.cork();
        process.nextTick(uncork);
      }
      if (bufferedAmount < limits.socketHighWaterBytes) {
        socket.send(message);
        return undefined;
      }
      return new Promise((resolve) => socket.send(message, () => resolve()));
    },
  };
}
