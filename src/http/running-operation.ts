import type { SendText } from '../graphql/subscriptions/subscribe.ts';
import { OuterSpan } from '../metrics/spans.ts';
import type { RequestSource } from '../platform/request-source.ts';
import type { Account } from './admission/lane.ts';
import type { Place } from './admission/place.ts';
import type { Session } from './authentication.ts';

export type OperationEndReason =
  /** The client completed the operation, closed its connection or vanished. Also used once the result was sent. */
  | 'CLIENT_GONE'
  | 'TOKEN_EXPIRED'
  | 'TOOK_TOO_LONG'
  /** The client does not read. Its connection is closed as well. */
  | 'SLOW_CONSUMER'
  | 'SHUTTING_DOWN';

/** The field of the schema that an operation asks for, of a bounded number of names, and its type such as `query`. */
export type OperationName = { readonly field: string; readonly type: string };

/** Of an operation whose document is not known, or has no such operation. */
export const unnamed: OperationName = { field: 'other', type: 'other' };

/** The `reason` of an ended operation's abort signal. */
class OperationEndedError extends Error {
  override readonly name = 'OperationEndedError';

  constructor(reason: OperationEndReason) {
    super(`The operation was ended: ${reason}.`);
  }
}

/** What the schema's context may know about a running GraphQL operation. It cannot end the operation. */
export type OperationInfo = {
  readonly transport: 'HTTP' | 'WEBSOCKET';
  readonly session: Session;
  /** Where its request came from: over a WebSocket, the one that has opened that. */
  readonly source: RequestSource;
  /** Aborts when nobody will read the result any more. The reason is an OperationEndedError. */
  readonly signal: AbortSignal;
  readonly isOver: boolean;
  /** Whether it is a subscription that has begun to stream. */
  readonly isStreaming: boolean;
  /** Whether it only ends access, and so has connections of its own. */
  readonly endsAccess: boolean;
  /** Whether it is a query that can be answered again, should its viewer have changed since they were last read. */
  readonly isRepeatable: boolean;
  /** Tells whose operation it is, so that the next one counts for their organization, too. */
  identify(account: Account): void;
};

/**
 * One running GraphQL operation, on any transport, with the means to end it. Every idle subscriber holds one, so
 * it creates its AbortController only when somebody asks for the signal.
 */
export class RunningOperation implements OperationInfo {
  readonly transport: OperationInfo['transport'];
  readonly session: Session;
  readonly source: RequestSource;
  /** Sends a serialized result; undefined on transports that do not frame results themselves. */
  readonly sendText: SendText | undefined;
  /** In milliseconds on the clock of `performance.now()`. */
  readonly startedAt = performance.now();
  /** True for a subscription: the client waits for no final answer, so draining need not wait for one either. */
  isStream = false;
  isStreaming = false;
  /** Characters of the message that started it, if its transport keeps that message while it runs. */
  keptCharacters = 0;
  /** What was admitted; undefined before that. */
  place: Place | undefined;
  name: OperationName = unnamed;
  isRepeatable = false;
  /** Why the operation ended; null while it runs. */
  ended: OperationEndReason | null = null;
  /** Of the operation until it is answered or streams. */
  #span: OuterSpan | undefined;
  #listener: (() => void) | undefined;
  #controller: AbortController | undefined;

  constructor(
    transport: OperationInfo['transport'],
    session: Session,
    source: RequestSource,
    sendText?: SendText,
  ) {
    this.transport = transport;
    this.session = session;
    this.source = source;
    this.sendText = sendText;
    this.#span = new OuterSpan('operation', { 'latchkey.transport': transport });
  }

  get isOver(): boolean {
    return this.ended !== null;
  }

  get endsAccess(): boolean {
    return this.place?.lane === 'ENDING';
  }

  identify(account: Account): void {
    this.place?.identify(account);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.ended !== null) this.#controller.abort(new OperationEndedError(this.ended));
    }
    return this.#controller.signal;
  }

  /** Calls the listener when the operation ends; at once if it has ended. A new listener replaces the last. */
  onEnd(listener: () => void): void {
    if (this.ended === null) this.#listener = listener;
    else listener();
  }

  /** Names it, and its span, after the field of the root. */
  named(name: OperationName): void {
    this.name = name;
    this.#span?.rename(`${name.type} ${name.field}`);
  }

  /** Does a step of the operation, within a span of this name. */
  within<T>(step: string, work: () => T): T {
    return this.#span === undefined ? work() : this.#span.within(step, work);
  }

  /** It streams from now on: it has no turn, and counts no longer. */
  streams(): void {
    this.isStreaming = true;
    this.#endSpan();
    this.place?.end();
    this.place = undefined;
  }

  /** Ends the operation. Calls after the first have no effect. */
  end(reason: OperationEndReason): void {
    if (this.ended !== null) return;
    this.ended = reason;
    this.#endSpan({ 'latchkey.ended': reason });
    this.#controller?.abort(new OperationEndedError(reason));
    this.place?.end();
    this.#listener?.();
    this.#listener = undefined;
  }

  #endSpan(attributes: Record<string, string> = {}): void {
    this.#span?.end(attributes);
    this.#span = undefined;
  }
}

/** What a transport passes to the engine with each operation. */
export type EngineContext = { operation: RunningOperation };
