/** Lets so many of them work at once. The others wait in their order. */
export interface Permits {
  /**
   * Resolves when the caller may work, with the function by which it says that it is done.
   *
   * @throws Error if that takes longer than `patienceMs` milliseconds
   */
  take(patienceMs: number): Promise<() => void>;
  /** Changes how many may work at once. Those who work already go on. */
  setLimit(limit: number): void;
  /** How many wait. */
  readonly waiting: number;
}

export function createPermits(limit: number, late: () => Error): Permits {
  let current = limit;
  let taken = 0;
  const waiting = new Set<() => void>();

  const admit = (): void => {
    for (const start of waiting) {
      if (taken >= current) return;
      waiting.delete(start);
      taken += 1;
      start();
    }
  };
  const once = (): (() => void) => {
    let isDone = false;
    return () => {
      if (isDone) return;
      isDone = true;
      taken -= 1;
      admit();
    };
  };
  return {
    take(patienceMs) {
      return new Promise((resolve, reject) => {
        const start = (): void => {
          clearTimeout(timer);
          resolve(once());
        };
        const timer = setTimeout(() => {
          if (waiting.delete(start)) reject(late());
        }, patienceMs);
        waiting.add(start);
        admit();
      });
    },
    setLimit(changed) {
      current = changed;
      admit();
    },
    get waiting() {
      return waiting.size;
    },
  };
}
