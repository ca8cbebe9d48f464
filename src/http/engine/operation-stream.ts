import type { EventSource, Subscriber } from '../../events/subscriber.ts';
import type { RunningOperation } from '../running-operation.ts';

export type StreamEnd<T> = {
  /** Called when the operation ends the stream. May return one more value to yield. */
  finalValue(): T | undefined;
  /** Called exactly once, whichever side ends the stream. */
  onEnd(): void;
};

/**
 * Returns an iterator over what the source pushes, as GraphQL servers want one. It starts the source with the first call
 * of `next`, and lets it push a value only while a call waits. It ends at once when its operation ends, even while the
 * source waits for a next value.
 */
export function iterate<T>(
  source: EventSource<T>,
  operation: Pick<RunningOperation, 'onEnd'>,
  end: StreamEnd<T>,
): AsyncIterableIterator<T, undefined> {
  return new OperationStream(source, operation, end);
}

class OperationStream<T> implements AsyncIterableIterator<T, undefined>, Subscriber<T> {
  readonly #source: EventSource<T>;
  readonly #end: StreamEnd<T>;
  /** Calls of `next` that have no answer yet. */
  #requests: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  /** Lets the source push its next value; undefined while it may. */
  #mayPush: (() => void) | undefined;
  #finalValue: T | undefined;
  #error: Error | undefined;
  #hasStarted = false;
  #hasEnded = false;

  constructor(source: EventSource<T>, operation: Pick<RunningOperation, 'onEnd'>, end: StreamEnd<T>) {
    this.#source = source;
    this.#end = end;
    operation.onEnd(() => this.#onOperationEnd());
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#hasEnded) return this.#lastResult();
    const request = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#requests.push(request);
    if (this.#hasStarted) this.#mayPush?.();
    else {
      this.#hasStarted = true;
      this.#source.start(this);
    }
    return request.promise;
  }

  onEvent(value: T): Promise<void> | undefined {
    if (this.#hasEnded) return undefined;
    this.#requests.shift()?.resolve({ value, done: false });
    if (this.#requests.length > 0) return undefined;
    return new Promise((resolve) => {
      this.#mayPush = resolve;
    });
  }

  onEnd(error?: Error): void {
    if (!this.#hasEnded) this.#error = error;
    this.#close();
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#stop();
    this.#finalValue = undefined;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #onOperationEnd(): void {
    if (this.#hasEnded) return;
    this.#finalValue = this.#end.finalValue();
    this.#stop();
  }

  #stop(): void {
    if (this.#hasEnded) return;
    this.#close();
    if (this.#hasStarted) this.#source.end();
  }

  #close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#end.onEnd();
    for (const request of this.#requests.splice(0))
      void this.#lastResult().then(request.resolve, request.reject);
  }

  /** The error or the final value, once; then the end. */
  #lastResult(): Promise<IteratorResult<T, undefined>> {
    const [error, value] = [this.#error, this.#finalValue];
    this.#error = undefined;
    this.#finalValue = undefined;
    if (error !== undefined) return Promise.reject(error);
    return Promise.resolve(value === undefined ? { value: undefined, done: true } : { value, done: false });
  }
}
