/** Set by `npm run test:full`: fault-injection and property tests run at their full length. */
export const fullSize: boolean = process.env['TEST_SIZE'] === 'full';

/** Returns `full` in a run of `npm run test:full`, else `everyday`. */
export function bySize<T>(everyday: T, full: T): T {
  return fullSize ? full : everyday;
}

/** A seed for what a run draws: the one in this variable, else another one each time. Tests print it in their names. */
export function seedOf(variable: string): number {
  return Number(process.env[variable] ?? Date.now() % 2 ** 31);
}

/** In a full run, all of them. On an ordinary day every so many-th, beginning with one that the seed chooses. */
export function everyNth<Item>(items: readonly Item[], seed: number, everyday: number): Item[] {
  return items.filter((_, index) => (index + seed) % bySize(everyday, 1) === 0);
}

/** In a full run, all of them. On an ordinary day this many, beginning with the one that the seed chooses. */
export function rotating<Item>(items: readonly Item[], seed: number, everyday = 1): Item[] {
  const first = seed % items.length;
  return [...items.slice(first), ...items.slice(0, first)].slice(0, bySize(everyday, items.length));
}
