import type { Session } from './authentication.ts';

export type EndOfOperation =
  /** The client completed it, closed its connection, or vanished. Also after the answer was sent. */
  | 'CLIENT_GONE'
  | 'TOKEN_EXPIRED'
  | 'TOOK_TOO_LONG'
  /** It let events wait for too long: its connection is closed with it. */
  | 'SLOW_CONSUMER'
  | 'SHUTTING_DOWN';

/** The reason of an operation's aborted signal. */
export class OperationEndedError extends Error {
  override readonly name = 'OperationEndedError';
  readonly end: EndOfOperation;

  constructor(end: EndOfOperation) {
    super(`The operation was ended: ${end}.`);
    this.end = end;
  }
}

/** One GraphQL operation under way, whatever it came in through. */
export type Operation = {
  readonly transport: 'HTTP' | 'WEBSOCKET';
  readonly session: Session;
  /** Aborts when nobody will read the result any more, with an {@link OperationEndedError} as reason. */
  readonly signal: AbortSignal;
  /**
   * To be called when events have waited too long for the client to take them. Ends the operation, and closes
   * the connection it came in through: nothing else would reach a client that does not read.
   */
  clientIsSlow(): void;
};

/** An operation together with the way to end it, which only transports have, and when it began. */
export type RunningOperation = Operation & {
  end(reason: EndOfOperation): void;
  /** As `performance.now()` tells it. */
  readonly begunAt: number;
};

/** What a transport hands to the engine with each operation. */
export type EngineContext = { operation: RunningOperation };

/** `closeConnection` is called when the client is too slow, after the operation was ended. */
export function startOperation(
  transport: Operation['transport'],
  session: Session,
  closeConnection: () => void,
): RunningOperation {
  const controller = new AbortController();
  const end = (reason: EndOfOperation) => controller.abort(new OperationEndedError(reason));
  return {
    transport,
    session,
    signal: controller.signal,
    begunAt: performance.now(),
    end,
    clientIsSlow() {
      if (controller.signal.aborted) return;
      end('SLOW_CONSUMER');
      closeConnection();
    },
  };
}
