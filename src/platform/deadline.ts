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
