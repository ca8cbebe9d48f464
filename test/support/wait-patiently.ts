/** Setup of every test: `vi.waitFor` waits as long as a slow machine needs, unless the test says how long. */
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
