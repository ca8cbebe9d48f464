/**
 * The same value, or a rejection with what `late` makes once `ms` milliseconds have passed. The work itself
 * goes on; its result is dropped.
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
