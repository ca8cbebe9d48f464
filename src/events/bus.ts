/**
 * How gateways wake each other: after a commit, a gateway tells the others that there is something to read. A wake may
 * carry what was committed, so that it need not be read.
 *
 * If the bus loses, repeats or reorders wakes, no event is lost or repeated: a gateway reads the database when a wake
 * does not fit to what it has read, and at intervals without being woken.
 */
export type WakeBus = {
  /**
   * Wakes every other gateway on the bus soon. Never throws, never waits. Many calls may result in one wake.
   *
   * @param message makes what the wake carries, without spaces. It is not called if the message would not be sent.
   */
  publish(message?: () => string): void;
  /**
   * Calls the listener whenever another gateway has published, and whenever a publication may have been missed:
   * when the connection to the other gateways opens for the first time or again. A reader that reads at every
   * call therefore misses nothing that was published before it was connected.
   */
  subscribe(listener: WakeListener): Unsubscribe;
  health(): BusHealth;
  /** Stops calling listeners, and closes every connection and timer. May be called again. */
  dispose(): Promise<void>;
};

/** @param messages all that was published, in order; null if there may be more than messages say */
export type WakeListener = (messages: readonly string[] | null) => void;

export type Unsubscribe = () => void;

/** Whether wakes get through. While they do not, gateways poll the database more often. */
export type BusHealth = { state: 'UP' | 'DOWN'; since: Date };

/** The publications that the next wake stands for. */
export class Publications {
  #count = 0;
  #characters = 0;
  #messages: string[] | null = [];

  get count(): number {
    return this.#count;
  }

  /** @param message makes its message; undefined: it has none, or nobody will get it */
  add(message: (() => string) | undefined): void {
    this.#count += 1;
    const text = this.#messages === null ? undefined : message?.();
    this.#characters += text?.length ?? 0;
    if (text === undefined || this.#characters > maxCharacters) this.#messages = null;
    else this.#messages?.push(text);
  }

  /** The messages of all publications; null if some have none, or they are too long together. Then begins anew. */
  take(): { count: number; messages: readonly string[] | null } {
    const taken = { count: this.#count, messages: this.#messages };
    this.#count = 0;
    this.#characters = 0;
    this.#messages = [];
    return taken;
  }
}

/** Characters of the messages of one wake: about a hundred events. */
const maxCharacters = 128 * 1024;
