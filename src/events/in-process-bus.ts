import { type BusHealth, Publications, type WakeBus, type WakeListener } from './bus.ts';

/** Connects gateways within one process. A deployment of one gateway needs no other bus. */
export type InProcessBus = {
  /** Connects one more gateway. */
  connect(): WakeBus;
  /** How many gateways are connected. */
  readonly size: number;
};

export function createInProcessBus(): InProcessBus {
  const gateways = new Map<symbol, Set<WakeListener>>();
  return {
    connect: () => connect(gateways),
    get size() {
      return gateways.size;
    },
  };
}

function connect(gateways: Map<symbol, Set<WakeListener>>): WakeBus {
  const self = Symbol('gateway');
  const listeners = new Set<WakeListener>();
  const health: BusHealth = { state: 'UP', since: new Date() };
  const unsent = new Publications();
  let scheduled: NodeJS.Immediate | undefined;
  gateways.set(self, listeners);

  function wakeOthers(): void {
    scheduled = undefined;
    const { messages } = unsent.take();
    for (const [gateway, theirListeners] of gateways) {
      if (gateway !== self) for (const wake of theirListeners) wake(messages);
    }
  }

  return {
    publish(message) {
      if (!gateways.has(self) || gateways.size === 1) return;
      unsent.add(message);
      scheduled ??= setImmediate(wakeOthers);
    },
    subscribe(listener) {
      listeners.add(listener);
      setImmediate(() => {
        if (listeners.has(listener)) listener(null);
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
