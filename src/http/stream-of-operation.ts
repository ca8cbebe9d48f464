import type { RunningOperation } from './operation.ts';

export type StreamEnd<T> = {
  /** May give one final value when the operation ends the stream. */
  lastWord(): T | undefined;
  /** Called exactly once, whichever side ends it. */
  onEnd(): void;
};

/**
 * The same stream, which ends at once when its operation does, even while its source is waiting for a next
 * value. The source is told to return, and not waited for.
 */
export function streamOfOperation<T>(
  source: AsyncIterable<T>,
  operation: Pick<RunningOperation, 'onEnd'>,
  end: StreamEnd<T>,
): AsyncIterableIterator<T, undefined> {
  return new OperationStream(source[Symbol.asyncIterator](), operation, end);
}

class OperationStream<T> implements AsyncIterableIterator<T, undefined> {
  readonly #source: AsyncIterator<T>;
  readonly #end: StreamEnd<T>;
  #waiting: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  #final: T | undefined;
  #hasEnded = false;

  constructor(source: AsyncIterator<T>, operation: Pick<RunningOperation, 'onEnd'>, end: StreamEnd<T>) {
    this.#source = source;
    this.#end = end;
    operation.onEnd(() => this.#cut());
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#hasEnded) return Promise.resolve(this.#takeFinal());
    const request = Promise.withResolvers<IteratorResult<T, undefined>>();
    this.#waiting.push(request);
    this.#source.next().then(
      (result) => {
        if (!this.#waits(request)) return;
        if (result.done === true) this.#finish();
        request.resolve(result.done === true ? { value: undefined, done: true } : result);
      },
      (error) => {
        if (!this.#waits(request)) return;
        // What failed may hold something all the same, and nobody else tells it that it is over.
        this.#leave();
        request.reject(error);
      },
    );
    return request.promise;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#final = undefined;
    this.#leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #cut(): void {
    if (this.#hasEnded) return;
    this.#final = this.#end.lastWord();
    this.#leave();
  }

  #leave(): void {
    if (this.#hasEnded) return;
    this.#finish();
    // A generator suspended on a promise answers only when that settles, which may be never.
    Promise.resolve(this.#source.return?.()).catch(() => {});
    for (const request of this.#waiting.splice(0)) request.resolve(this.#takeFinal());
  }

  #finish(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#end.onEnd();
  }

  /** Whether it still waited; from now on it does not. */
  #waits(request: PromiseWithResolvers<IteratorResult<T, undefined>>): boolean {
    const at = this.#waiting.indexOf(request);
    if (at !== -1) this.#waiting.splice(at, 1);
    return at !== -1;
  }

  #takeFinal(): IteratorResult<T, undefined> {
    const value = this.#final;
    this.#final = undefined;
    return value === undefined ? { value: undefined, done: true } : { value, done: false };
  }
}
