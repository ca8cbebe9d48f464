/**
 * The same stream, which ends at once when `signal` aborts, even while its source is waiting for a next
 * value; `lastWord` may give one final value then. The source is told to return, and not waited for.
 * `onEnd` is called exactly once, whichever side ends it.
 */
export function endOnAbort<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  { lastWord, onEnd }: { lastWord: () => T | undefined; onEnd: () => void },
): AsyncIterableIterator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const done = { value: undefined, done: true } as const;
  const waiting = new Set<(result: IteratorResult<T>) => void>();
  let final: T | undefined;
  let ended = false;

  const finish = () => {
    if (ended) return;
    ended = true;
    signal.removeEventListener('abort', abort);
    onEnd();
  };
  const leaveSource = () => {
    // A generator suspended on a promise answers only when that settles, which may be never.
    Promise.resolve(iterator.return?.()).catch(() => {});
  };
  const takeFinal = (): IteratorResult<T> => {
    if (final === undefined) return done;
    const value = final;
    final = undefined;
    return { value, done: false };
  };
  const abort = () => {
    if (ended) return;
    final = lastWord();
    finish();
    leaveSource();
    for (const resolve of waiting) resolve(takeFinal());
    waiting.clear();
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (ended) return Promise.resolve(takeFinal());
      return new Promise((resolve, reject) => {
        waiting.add(resolve);
        iterator.next().then(
          (result) => {
            if (!waiting.delete(resolve)) return;
            if (result.done === true) finish();
            resolve(result);
          },
          (error) => {
            if (!waiting.delete(resolve)) return;
            finish();
            reject(error);
          },
        );
      });
    },
    return() {
      final = undefined;
      if (!ended) {
        finish();
        leaveSource();
        for (const resolve of waiting) resolve(done);
        waiting.clear();
      }
      return Promise.resolve(done);
    },
  };
}
