import { backoffMs } from './backoff.ts';

/** Counts the attempts to connect since a connection last worked. */
export type Retries = {
  /** When a connection was lost, by `performance.now()`; null while one works. */
  readonly lostAt: number | null;
  /** Must be called when a connection works. */
  reset(): void;
  /**
   * Counts another attempt, the first of them at once if it is urgent. Returns null if it would begin after the time
   * to give up.
   */
  next(isUrgent: boolean): { attempt: number; delayMs: number } | null;
};

/** @param giveUpAfterMs milliseconds of failed attempts in a row after which there is no other */
export function createRetries(giveUpAfterMs: number): Retries {
  let lostAt: number | null = null;
  let attempt = 0;
  return {
    get lostAt() {
      return lostAt;
    },
    reset() {
      lostAt = null;
      attempt = 0;
    },
    next(isUrgent) {
      lostAt ??= performance.now();
      attempt += 1;
      const delayMs = isUrgent && attempt === 1 ? 0 : backoffMs(attempt);
      return performance.now() + delayMs - lostAt > giveUpAfterMs ? null : { attempt, delayMs };
    },
  };
}
