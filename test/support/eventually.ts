import { vi } from 'vitest';

/**
 * Repeats the assertion until it holds. The deadline is far beyond what any load needs: it only ends a test whose
 * assertion never holds.
 */
export function eventually<Result>(assertion: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(assertion, { timeout: 60_000, interval: 5 });
}
