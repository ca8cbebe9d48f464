/**
 * How gateways wake each other: after a commit, a gateway tells the others that there is something to read.
 *
 * The bus carries no events. If it loses or repeats a wake, no event is lost or repeated: a gateway reads the
 * database when it is woken, and at intervals without being woken.
 */
export type WakeBus = {
  /** Wakes every other gateway on the bus soon. Never throws, never waits. Many calls may result in one wake. */
  publish(): void;
  /**
   * Calls the listener whenever another gateway has published, and whenever a publication may have been missed:
   * when the connection to the other gateways opens for the first time or again. A reader that reads at every
   * call therefore misses nothing that was published before it was connected.
   */
  subscribe(listener: () => void): Unsubscribe;
  health(): BusHealth;
  /** Stops calling listeners, and closes every connection and timer. May be called again. */
  dispose(): Promise<void>;
};

export type Unsubscribe = () => void;

/** Whether wakes get through. While they do not, gateways poll the database more often. */
export type BusHealth = { state: 'UP' | 'DOWN'; since: Date };
