/**
 * How gateways wake each other: after a commit, one tells the others that there is something new to read.
 *
 * The bus carries no events. Whatever it loses or repeats, no event is lost or repeated: a gateway reads the
 * database when it is woken, and now and then without being woken.
 */
export type WakeBus = {
  /** Wakes every other gateway on the bus, soon. Never throws, never waits. Many calls may make one wake. */
  publish(): void;
  /**
   * From now on the listener is called whenever another gateway has published, and whenever publications
   * may have gone unheard: when the way to the other gateways is open for the first time or again. A reader
   * that reads at every call therefore misses nothing that was published before it could hear.
   */
  subscribe(listener: () => void): Unsubscribe;
  health(): BusHealth;
  /** Hears nothing more, and lets go of every connection and timer. May be called again. */
  dispose(): Promise<void>;
};

export type Unsubscribe = () => void;

/** Whether wakes get through; while they do not, gateways read more often by themselves. */
export type BusHealth = { state: 'UP' | 'DOWN'; since: Date };
