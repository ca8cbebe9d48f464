import type { BusHealth, WakeBus } from './bus.ts';

/** Connects gateways within one process. A deployment of one gateway needs no other bus. */
export type InProcessBus = {
  /** Connects one more gateway. */
  connect(): WakeBus;
  /** How many gateways are connected. */
  readonly size: number;
};

export function createInProcessBus(): InProcessBus {
  const gateways = new Map<symbol, Set<() => void>>();
  return {
    connect: () => connect(gateways),
    get size() {
      return gateways.size;
    },
  };
}

function connect(gateways: Map<symbol, Set<() => void>>): WakeBus {
  const self = Symbol('gateway');
  const listeners = new Set<() => void>();
  const health: BusHealth = { state: 'UP', since: new Date() };
  let scheduled: NodeJS.Immediate | undefined;
  gateways.set(self, listeners);

  function wakeOthers(): void {
    scheduled = undefined;
    for (const [gateway, theirListeners] of gateways) {
      if (gateway !== self) for (const wake of theirListeners) wake();
    }
  }

  return {
    publish() {
      if (gateways.has(self)) scheduled ??= setImmediate(wakeOthers);
    },
    subscribe(listener) {
      listeners.add(listener);
      setImmediate(() => {
        if (listeners.has(listener)) listener();
      });
      return () => void listeners.delete(listener);
    },
    health: () => health,
    async dispose() {
      clearImmediate(scheduled);
      listeners.clear();
      if (gateways.delete(self) && scheduled !== undefined) wakeOthers();
    },
  };
}
