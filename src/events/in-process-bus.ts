import type { BusHealth, WakeBus } from './bus.ts';

/** Joins gateways within one process; the only one there is needs no other bus. */
export type InProcessBus = {
  /** The bus as one gateway has it. */
  connect(): WakeBus;
  /** How many gateways are on it. */
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
  let due: NodeJS.Immediate | undefined;
  gateways.set(self, listeners);

  function wakeOthers(): void {
    due = undefined;
    for (const [gateway, theirs] of gateways) {
      if (gateway !== self) for (const wake of theirs) wake();
    }
  }

  return {
    publish() {
      if (gateways.has(self)) due ??= setImmediate(wakeOthers);
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
      clearImmediate(due);
      listeners.clear();
      if (gateways.delete(self) && due !== undefined) wakeOthers();
    },
  };
}
