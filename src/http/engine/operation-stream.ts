import type { RunningOperation } from '../running-operation.ts';

export type StreamEnd<T> = {
  /** Called when the operation ends the stream. May return one more value to yield. */
  finalValue(): T | undefined;
  /** Called exactly once, whichever side ends the stream. */
  onEnd(): void;
};

export function isStream<T>(value: T | AsyncIterable<T>): value is AsyncIterable<T> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/**
 * Returns the same stream, except that it ends at once when its operation ends, even while its source waits for a
 * next value. The source's `return` is called, but not awaited.
 */
export function endWithOperation<T>(
  source: AsyncIterable<T>,
  operation: Pick<RunningOperation, 'onEnd'>,
  end: StreamEnd<T>,
): AsyncIterableIterator<T, undefined> {
  return new OperationStream(source[Symbol.asyncIterator](), operation, end);
}

class OperationStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #source: AsyncIterator<T>;
  readonly #end: StreamEnd<T>;
  /** Calls of `next` that have no answer yet. */
  #requests: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  #finalValue: T | undefined;
  #hasEnded = false;

  constructor(source: AsyncIterator<T>, operation: Pick<RunningOperation, 'onEnd'>, end: StreamEnd<T>) {
    this.#source = source;
    this.#end = end;
    operation.onEnd(() => this.#onOperationEnd());
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#hasEnded) return Promise.resolve(this.#takeFinalValue());
    const request = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#requests.push(request);
    this.#source.next().then(
      (result) => {
        if (!this.#removeRequest(request)) return;
        if (result.done === true) this.#markEnded();
        request.resolve(result.done === true ? { value: undefined, done: true } : result);
      },
      (error) => {
        if (!this.#removeRequest(request)) return;
        // A source that failed may still hold resources, and nobody else calls its `return`.
        this.#close();
        request.reject(error);
      },
    );
    return request.promise;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#finalValue = undefined;
    this.#close();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #onOperationEnd(): void {
    if (this.#hasEnded) return;
    this.#finalValue = this.#end.finalValue();
    this.#close();
  }

  #close(): void {
    if (this.#hasEnded) return;
    this.#markEnded();
    // Not awaited: a generator that waits for a promise returns only when that settles, which may be never.
    Promise.resolve(this.#source.return?.()).catch(() => {});
    for (const request of this.#requests.splice(0)) request.resolve(this.#takeFinalValue());
  }

  #markEnded(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#end.onEnd();
  }

  /** Returns whether the request was still unanswered. */
  #removeRequest(request: PromiseWithResolvers<IteratorResult<T, undefined>>): boolean {
    const index = this.#requests.indexOf(request);
    if (index !== -1) this.#requests.splice(index, 1);
    return index !== -1;
  }

  #takeFinalValue(): IteratorResult<T, undefined> {
    const value = this.#finalValue;
    this.#finalValue = undefined;
    return value === undefined ? { value: undefined, done: true } : { value, done: false };
  }
}
