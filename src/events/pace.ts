/** How gateways keep their own work in bounds when much is written: rarely at ease, together under load. */

/** A moment between two reads that grows while each brings many events, so that one read serves them all. */
export type Pace = {
  /** Milliseconds to leave before the next, after one that brought so many. */
  after(events: number): number;
};

/** Fewer do not need a pause; for more, the pause doubles. */
const few = 2;
const many = 4;

/** @param shortest milliseconds, at ease; @param longest under any load */
export function createPace({ shortest, longest }: { shortest: number; longest: number }): Pace {
  let pause = shortest;
  return {
    after(events) {
      if (events > many) pause = Math.min(pause * 2, longest);
      else if (events < few) pause = Math.max(pause / 2, shortest);
      return pause;
    },
  };
}

/** Some at once, and then one every so often. */
export type Allowance = {
  /** Takes the next one; answers how many milliseconds to wait for it. */
  take(): number;
};

export function createAllowance({ burst, every }: { burst: number; every: number }): Allowance {
  /** When it is whole again. */
  let wholeAt = 0;
  return {
    take() {
      const now = performance.now();
      wholeAt = Math.max(wholeAt, now) + every;
      return Math.max(0, wholeAt - now - burst * every);
    },
  };
}
