/** Milliseconds. */
const firstDelay = 50;
const longestDelay = 1_000;

/**
 * Milliseconds to wait before trying again to reach a server: 50 at first, doubled with every failure in a row, up to
 * a second.
 * @param failures how many attempts have failed in a row, 1 or more
 */
export function backoffDelay(failures: number): number {
  return Math.min(firstDelay * 2 ** (failures - 1), longestDelay);
}
