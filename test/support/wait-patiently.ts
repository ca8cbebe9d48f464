/** Gives `vi.waitFor` a default timeout that is long enough for a slow machine. */
import { vi } from 'vitest';
import { generousMs } from './deadlines.ts';

const { waitFor } = vi;

Object.assign(vi, {
  waitFor: ((callback, options) =>
    waitFor(
      callback,
      typeof options === 'number' ? options : { timeout: generousMs, ...options },
    )) satisfies typeof waitFor,
});
