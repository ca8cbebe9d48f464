import { vi } from 'vitest';

/**
 * Repeats the assertion until it passes. The deadline is longer than any load can require: it only ends a test whose
 * assertion never passes.
 */
export function eventually<Result>(assertion: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(assertion, { timeout: 60_000, interval: 5 });
}
