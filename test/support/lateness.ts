import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Milliseconds. */
const mostAllowance = 1_500;

export type LatenessMeter = Disposable & {
  /**
   * Milliseconds that a busy machine may have added to a measurement since the meter was started. Infinite if it was so
   * late that other processes, such as the database, may have been later still: then no time can be asserted.
   */
  allowance(): number;
};

/**
 * Measures how late the timers of this process run. A test that asserts a maximum duration adds the allowance, which is
 * a few milliseconds on an idle machine.
 */
export function measureLateness(): LatenessMeter {
  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  return {
    // A measured operation takes a few turns of the event loop, and each may be as late as the latest timer.
    allowance() {
      const allowance = (3 * delays.max) / 1e6;
      return allowance <= mostAllowance ? allowance : Number.POSITIVE_INFINITY;
    },
    [Symbol.dispose]: () => void delays.disable(),
  };
}
