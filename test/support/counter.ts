export type Counter = {
  readonly count: number;
  add(more: number): void;
  /** Resolves when it has counted so many more from now on. */
  more(count: number): Promise<void>;
};

/** Counts what happens, so that others can wait for a number of it. */
export function createCounter(): Counter {
  let count = 0;
  let waiting: { at: number; resolve: () => void }[] = [];
  return {
    get count() {
      return count;
    },
    add(more) {
      count += more;
      if (!waiting.some(({ at }) => at <= count)) return;
      const reached = waiting.filter(({ at }) => at <= count);
      waiting = waiting.filter(({ at }) => at > count);
      for (const { resolve } of reached) resolve();
    },
    more(wanted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ at: count + wanted, resolve });
      return promise;
    },
  };
}
