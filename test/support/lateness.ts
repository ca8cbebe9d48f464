import { monitorEventLoopDelay } from 'node:perf_hooks';

export type LatenessMeter = Disposable & {
  /** Milliseconds that a busy machine may have added to a measurement since the meter was started. */
  allowance(): number;
};

/**
 * Measures how late this process is for its own timers. A test that asserts that something happens within a time
 * adds the allowance: on a quiet machine it is a few milliseconds.
 */
export function measureLateness(): LatenessMeter {
  const delays = monitorEventLoopDelay({ resolution: 5 });
  delays.enable();
  return {
    // What is measured takes a few turns of the event loop, each of which may be as late as the latest.
    allowance: () => (3 * delays.max) / 1e6,
    [Symbol.dispose]: () => void delays.disable(),
  };
}
