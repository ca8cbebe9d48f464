/** The longest delay that timers accept, in milliseconds. With a longer one they would fire at once. */
const longestTimerMs = 2 ** 31 - 1;

/** The reason of a signal that aborts because a deadline has passed. */
export class DeadlinePassedError extends Error {
  override readonly name = 'DeadlinePassedError';
}

export type Deadline = {
  /** Aborts with a DeadlinePassedError when the time is over, or with the reason of the outer signal. */
  readonly signal: AbortSignal;
  /** Must be called when what the deadline was for has ended. */
  clear(): void;
};

/** Starts a deadline. Its timer keeps Node running, unlike that of AbortSignal.timeout. */
export function startDeadline(ms: number, outer?: AbortSignal): Deadline {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  const timer = setTimeout(
    () => controller.abort(new DeadlinePassedError(`it took longer than ${ms} ms`)),
    Math.min(ms, longestTimerMs),
  );
  outer?.addEventListener('abort', abort);
  if (outer?.aborted === true) abort();
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', abort);
    },
  };
}

/** Settles as the promise does; rejects with the reason of the signal if that aborts first. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Resolves after this many milliseconds, or as soon as the signal aborts. */
export function delay(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve();
    };
    const timer = setTimeout(stop, Math.min(ms, longestTimerMs));
    signal.addEventListener('abort', stop);
  });
}

/** Resolves at this time, in milliseconds since the epoch, or as soon as the signal aborts. */
export async function waitUntil(time: number, signal: AbortSignal): Promise<void> {
  // More than once for a time that is further away than the longest delay of a timer.
  while (Date.now() < time && !signal.aborted) await delay(time - Date.now(), signal);
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
