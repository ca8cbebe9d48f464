import type { Session } from './authentication.ts';

export type EndOfOperation =
  /** The client completed it, closed its connection, or vanished. Also after the answer was sent. */
  | 'CLIENT_GONE'
  | 'TOKEN_EXPIRED'
  | 'TOOK_TOO_LONG'
  /** It did not read: its connection is closed with it. */
  | 'SLOW_CONSUMER'
  | 'SHUTTING_DOWN';

/** The reason of an operation's aborted signal. */
class OperationEndedError extends Error {
  override readonly name = 'OperationEndedError';

  constructor(end: EndOfOperation) {
    super(`The operation was ended: ${end}.`);
  }
}

/** One GraphQL operation under way, whatever it came in through. */
export type Operation = {
  readonly transport: 'HTTP' | 'WEBSOCKET';
  readonly session: Session;
  /** Aborts when nobody will read the result any more, with an OperationEndedError as reason. */
  readonly signal: AbortSignal;
};

/**
 * Sends a result that is text already, without passing it through the stream of results; nothing once the
 * operation is over. A promise holds back what comes next until the client has caught up.
 */
export type SendText = (result: string) => Promise<undefined> | undefined;

/**
 * An operation together with the way to end it, which only transports have. There is one for every idle
 * subscriber, so it makes nothing before it is needed.
 */
export class RunningOperation implements Operation {
  readonly transport: Operation['transport'];
  readonly session: Session;
  /** Where a transport frames each result by itself. */
  readonly sendText: SendText | undefined;
  /** As `performance.now()` tells it. */
  readonly begunAt = performance.now();
  /** Whether it tells as long as it runs: nobody waits for an answer. */
  isStream = false;
  /** Why it is over; null while it is not. */
  ended: EndOfOperation | null = null;
  #listener: (() => void) | undefined;
  #controller: AbortController | undefined;

  constructor(transport: Operation['transport'], session: Session, sendText?: SendText) {
    this.transport = transport;
    this.session = session;
    this.sendText = sendText;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.ended !== null) this.#controller.abort(new OperationEndedError(this.ended));
    }
    return this.#controller.signal;
  }

  /** Calls the listener, the only one, when the operation is ended; at once when it is over. */
  onEnd(listener: () => void): void {
    if (this.ended === null) this.#listener = listener;
    else listener();
  }

  /** Only the first end counts. */
  end(reason: EndOfOperation): void {
    if (this.ended !== null) return;
    this.ended = reason;
    this.#controller?.abort(new OperationEndedError(reason));
    this.#listener?.();
    this.#listener = undefined;
  }
}

/** What a transport hands to the engine with each operation. */
export type EngineContext = { operation: RunningOperation };
