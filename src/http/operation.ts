import type { Session } from './authentication.ts';

export type EndOfOperation =
  /** The client completed it, closed its connection, or vanished. Also after the answer was sent. */
  'CLIENT_GONE' | 'TOKEN_EXPIRED' | 'TOOK_TOO_LONG' | 'SHUTTING_DOWN';

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

/** An operation together with the way to end it, which only transports have. */
export type RunningOperation = Operation & { end(reason: EndOfOperation): void };

export function startOperation(transport: Operation['transport'], session: Session): RunningOperation {
  const controller = new AbortController();
  return {
    transport,
    session,
    signal: controller.signal,
    end: (reason) => controller.abort(new OperationEndedError(reason)),
  };
}
