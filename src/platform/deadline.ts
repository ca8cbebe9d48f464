/**
 * Settles as `work` does, or rejects with the error that `late` creates if `work` takes longer than `ms`
 * milliseconds; zero and less count as one millisecond.
 *
 * The work itself is not stopped. What it returns or throws after the deadline is ignored.
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
