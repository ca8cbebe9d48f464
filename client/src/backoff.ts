const firstDelayMs = 250;
const longestDelayMs = 30_000;

/**
 * Milliseconds to wait before reconnecting: exponential backoff from 250 ms to 30 s, less a random part of up to half,
 * so that clients that lost their connections together do not reconnect together.
 * @param attempt 1 for the first attempt after a connection was lost
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + random() / 2));
}
