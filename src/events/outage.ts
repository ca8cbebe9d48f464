/** What a subscription does while the database is unavailable. */
import { setTimeout as wait } from 'node:timers/promises';
import { FeedError, FeedUnavailableError } from './errors.ts';

/** Milliseconds for which the database may be unavailable before subscriptions end. */
export const longestOutage = 30_000;

/** Milliseconds between two attempts. */
const retryDelay = 250;

/**
 * Returns the result of the first attempt that succeeds. Failed attempts are repeated for as long as an outage may last.
 *
 * @param attempt gets the moment, on the clock of `performance`, at which the outage has lasted too long
 * @throws FeedUnavailableError if no attempt has succeeded after `outage` milliseconds; at once, a FeedError of an attempt
 */
export async function untilAvailable<Result>(
  outage: number,
  attempt: (deadline: number) => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + outage;
  for (;;) {
    try {
      return await attempt(deadline);
    } catch (error) {
      if (error instanceof FeedError) throw error;
      if (performance.now() + retryDelay >= deadline) throw new FeedUnavailableError({ cause: error });
      await wait(retryDelay);
    }
  }
}
