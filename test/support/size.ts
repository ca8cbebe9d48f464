/** Set by `npm run test:full`: fault-injection and property tests run at their full length. */
export const fullSize: boolean = process.env['TEST_SIZE'] === 'full';

/** Returns `full` in a run of `npm run test:full`, else `everyday`. */
export function bySize<T>(everyday: T, full: T): T {
  return fullSize ? full : everyday;
}
