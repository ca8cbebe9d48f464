import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Limits } from './limits.ts';

type SocketWriterLimits = Pick<Limits, 'socketBufferBytes' | 'socketHighWaterBytes'>;

/** What goes out on one WebSocket. */
export class SocketWriter {
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  readonly #limits: SocketWriterLimits;
  #isCorked = false;

  /** @param connection what the WebSocket writes to */
  constructor(socket: WebSocket, connection: Duplex, limits: SocketWriterLimits) {
    this.#socket = socket;
    this.#connection = connection;
    this.#limits = limits;
  }

  /** Whether so much waits for the client that it is to be cut rather than sent more. */
  get isOverfull(): boolean {
    return this.#socket.bufferedAmount > this.#limits.socketBufferBytes;
  }

  /**
   * Sends a message, or nothing once the socket is closing; those of one turn of the event loop leave in one
   * write. While the client is behind, resolves only when it has caught up: what holds back the source of a
   * client that reads slowly. Otherwise undefined, and the next may follow.
   */
  send(message: string): Promise<undefined> | undefined {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return undefined;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#connection.cork();
      process.nextTick(uncork, this);
    }
    if (socket.bufferedAmount < this.#limits.socketHighWaterBytes) {
      socket.send(message);
      return undefined;
    }
    return new Promise((resolve) => socket.send(message, () => resolve(undefined)));
  }

  uncork(): void {
    this.#isCorked = false;
    this.#connection.uncork();
  }
}

function uncork(outlet: SocketWriter): void {
  outlet.uncork();
}
