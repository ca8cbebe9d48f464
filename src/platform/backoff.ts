/** Milliseconds. */
const firstDelay = 50;
const longestDelay = 1_000;

/**
 * Returns the delay before the next attempt to reach a server, in milliseconds: exponential backoff from 50 to 1,000.
 * @param failures the number of consecutive failed attempts, 1 or more
 */
export function backoffDelay(failures: number): number {
  return Math.min(firstDelay * 2 ** (failures - 1), longestDelay);
}
