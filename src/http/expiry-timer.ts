/** A connection or a stream that ends when its token expires. */
export type Expirable = { expire(): void };

/** Ends things when their tokens expire. It uses one timer, however many there are. */
export type ExpiryTimer = {
  /**
   * Calls `expire` once, within a few milliseconds after `at`, unless it is cancelled before. For a time in the past
   * it calls soon, but never during this call.
   */
  schedule(item: Expirable, at: Date): void;
  /** Cancels what was scheduled with the same arguments. Does nothing if there is no such thing. */
  cancel(item: Expirable, at: Date): void;
  dispose(): void;
};

/** The longest delay that Node's timers accept. */
const longestTimerMs = 2 ** 31 - 1;

/** @param clock by which they expire */
export function createExpiryTimer(clock: () => Date): ExpiryTimer {
  /** By time in milliseconds since the epoch. Tokens expire at whole seconds, so there are few keys. */
  const due = new Map<number, Set<Expirable>>();
  let timer: NodeJS.Timeout | undefined;
  let timerIsFor = Number.POSITIVE_INFINITY;

  function setTimer(): void {
    clearTimeout(timer);
    timer = undefined;
    timerIsFor = Math.min(...due.keys());
    if (due.size === 0) return;
    timer = setTimeout(expireDue, Math.min(Math.max(timerIsFor - clock().getTime(), 0), longestTimerMs));
  }

  function expireDue(): void {
    const now = clock().getTime();
    for (const [at, items] of due) {
      if (at > now) continue;
      due.delete(at);
      for (const item of items) item.expire();
    }
    setTimer();
  }

  return {
    schedule(item, date) {
      const at = date.getTime();
      const items = due.get(at) ?? new Set();
      due.set(at, items.add(item));
      if (at < timerIsFor) setTimer();
    },
    cancel(item, date) {
      const at = date.getTime();
      const items = due.get(at);
      items?.delete(item);
      if (items?.size !== 0) return;
      due.delete(at);
      if (at === timerIsFor) setTimer();
    },
    dispose() {
      clearTimeout(timer);
      due.clear();
    },
  };
}
