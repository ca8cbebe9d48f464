/** Spaces out reads and wakes: no delay at a low event rate, batches at a high one. */

/** A delay between two batches that grows with the event rate, so that one batch serves many events. */
export type AdaptiveThrottle = {
  /** Records a batch of `count` events. Returns the milliseconds to wait before the next batch. */
  delayAfter(count: number): number;
};

/** Events per second: up to the first there is no delay, from the second on the longest delay. */
const noDelayRate = 150;
const fullDelayRate = 800;

/** Milliseconds over which the event rate is averaged. */
const averagingWindow = 200;

/** @param longest the longest delay, in milliseconds */
export function createAdaptiveThrottle({ longest }: { longest: number }): AdaptiveThrottle {
  let recent = 0;
  let at = performance.now();
  return {
    delayAfter(count) {
      const now = performance.now();
      recent = recent * Math.exp((at - now) / averagingWindow) + count;
      at = now;
      const perSecond = (recent * 1000) / averagingWindow;
      const load = (perSecond - noDelayRate) / (fullDelayRate - noDelayRate);
      return longest * Math.min(Math.max(load, 0), 1);
    },
  };
}
