import { vi } from 'vitest';

/** Repeats the assertion until it passes, as often as `vi.waitFor` cannot by default: every few milliseconds. */
export function eventually<Result>(assertion: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(assertion, { interval: 5 });
}
