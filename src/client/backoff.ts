const firstDelayMs = 250;
const longestDelayMs = 30_000;

/**
 * Milliseconds to wait before trying again: doubled with every try in a row that failed, up to half a
 * minute, and a random half of it, so that clients cut off together do not come back together.
 * @param attempt 1 for the first try again
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + random() / 2));
}
