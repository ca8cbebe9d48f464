import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Limits } from './limits.ts';

type SocketWriterLimits = Pick<Limits, 'socketBufferBytes' | 'socketHighWaterBytes'>;

/** Writes the messages of one WebSocket, with backpressure. */
export class SocketWriter {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #limits: SocketWriterLimits;
  #isCorked = false;

  /** @param stream the network connection below the WebSocket */
  constructor(socket: WebSocket, stream: Duplex, limits: SocketWriterLimits) {
    this.#socket = socket;
    this.#stream = stream;
    this.#limits = limits;
  }

  /** Whether more bytes wait for the client than may be buffered: the connection should be terminated. */
  get isOverfull(): boolean {
    return this.#socket.bufferedAmount > this.#limits.socketBufferBytes;
  }

  /**
   * Sends a message, or nothing once the socket is closing. All messages of one turn of the event loop leave in one
   * write.
   * @returns undefined when the next message may follow at once. Above the high-water mark, a promise that resolves
   *   when this message is written; a source that awaits it produces no faster than its client reads.
   */
  send(message: string): Promise<undefined> | undefined {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return undefined;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#stream.cork();
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
    this.#stream.uncork();
  }
}

function uncork(writer: SocketWriter): void {
  writer.uncork();
}
