/**
 * Settles as `work` does, or rejects with the error that `late` creates if `work` takes longer than `ms`
 * milliseconds. Zero or a negative number counts as one millisecond.
 *
 * The work itself is not stopped. Its result or error after the deadline is ignored.
 */
export async function withDeadline<T>(work: T | PromiseLike<T>, ms: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** A signal that aborts with the other signal, or after `ms` milliseconds. Disposing it stops its timer. */
export function abortAfter(ms: number, other: AbortSignal): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new Error('It was to be over by now.'));
  const timer = setTimeout(abort, ms);
  if (other.aborted) abort();
  else other.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      other.removeEventListener('abort', abort);
    },
  };
}
