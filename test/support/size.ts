/** `TEST_SIZE=full`, as `npm run test:full` sets it: fault and property runs at their full length. */
const fullSize: boolean = process.env['TEST_SIZE'] === 'full';

/** The size of a run: the everyday one, or the full one where the whole is asked for. */
export function bySize<T>(everyday: T, full: T): T {
  return fullSize ? full : everyday;
}
