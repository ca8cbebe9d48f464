/** How gateways keep their own work in bounds when much is written: at once at ease, together under load. */

/** A moment from one time to the next that grows with what comes a second, so that one time serves many. */
export type Pace = {
  /** Milliseconds to leave before the next, after one that served so many. */
  after(served: number): number;
};

/** Up to so many a second nothing waits; from so many on it waits as long as it may. */
const ease = 150;
const load = 800;

/** Milliseconds over which what comes a second is measured. */
const memory = 200;

/** @param longest milliseconds, under any load */
export function createAdaptiveThrottle({ longest }: { longest: number }): Pace {
  let recent = 0;
  let at = performance.now();
  return {
    after(served) {
      const now = performance.now();
      recent = recent * Math.exp((at - now) / memory) + served;
      at = now;
      const perSecond = (recent * 1000) / memory;
      return longest * Math.min(Math.max((perSecond - ease) / (load - ease), 0), 1);
    },
  };
}
