import { monitorEventLoopDelay } from 'node:perf_hooks';

export type LatenessMeter = Disposable & {
  /** Milliseconds that a busy machine may have added to a measurement since the meter was started. */
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
    allowance: () => (3 * delays.max) / 1e6,
    [Symbol.dispose]: () => void delays.disable(),
  };
}
