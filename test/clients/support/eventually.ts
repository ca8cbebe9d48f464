import { vi } from 'vitest';

/** Waits until the check passes; the time is for a machine under load. */
export const eventually = (check: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(check, { timeout: 60_000, interval: 20 });
