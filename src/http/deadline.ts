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

const longestTimerMs = 2 ** 31 - 1;

/** Calls `action` at `moment`, however far away, unless cancelled by the function returned. */
export function at(moment: Date, action: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = () => {
    const left = moment.getTime() - Date.now();
    timer = left > longestTimerMs ? setTimeout(wait, longestTimerMs) : setTimeout(action, Math.max(left, 0));
  };
  wait();
  return () => clearTimeout(timer);
}
