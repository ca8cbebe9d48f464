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
};

/**
 * Sends a result that is text already, without passing it through the stream of results; nothing once the
 * operation is over. A promise holds back what comes next until the client has caught up.
 */
export type SendText = (result: string) => Promise<void> | undefined;

/** An operation together with the way to end it, which only transports have, and when it began. */
export type RunningOperation = Operation & {
  end(reason: EndOfOperation): void;
  /** Where a transport frames each result by itself. */
  readonly sendText?: SendText;
  /** As `performance.now()` tells it. */
  readonly begunAt: number;
};

/** What a transport hands to the engine with each operation. */
export type EngineContext = { operation: RunningOperation };

export function startOperation(
  transport: Operation['transport'],
  session: Session,
  sendText?: SendText,
): RunningOperation {
  const controller = new AbortController();
  const { signal } = controller;
  return {
    transport,
    session,
    signal,
    begunAt: performance.now(),
    end: (reason) => controller.abort(new OperationEndedError(reason)),
    ...(sendText === undefined
      ? {}
      : { sendText: (result) => (signal.aborted ? undefined : sendText(result)) }),
  };
}
