/** What ends at a moment that is known before: a connection or a stream, when its token expires. */
export type Expiring = { expire(): void };

/** One timer for all that expires, however many they are and however far away. */
export type TokenExpiry = {
  /** Calls `expire` once, at the moment or within a few milliseconds after it, unless it is removed before. */
  add(item: Expiring, moment: Date): void;
  remove(item: Expiring, moment: Date): void;
  dispose(): void;
};

const longestTimerMs = 2 ** 31 - 1;

export function createTokenExpiry(): TokenExpiry {
  /** By moment, in milliseconds. Tokens expire at whole seconds, so there are few moments. */
  const due = new Map<number, Set<Expiring>>();
  let timer: NodeJS.Timeout | undefined;
  let timerIsFor = Number.POSITIVE_INFINITY;

  function setTimer(): void {
    clearTimeout(timer);
    timer = undefined;
    timerIsFor = Math.min(...due.keys());
    if (due.size === 0) return;
    timer = setTimeout(expireDue, Math.min(Math.max(timerIsFor - Date.now(), 0), longestTimerMs));
  }

  function expireDue(): void {
    const now = Date.now();
    for (const [moment, items] of due) {
      if (moment > now) continue;
      due.delete(moment);
      for (const item of items) item.expire();
    }
    setTimer();
  }

  return {
    add(item, moment) {
      const at = moment.getTime();
      const items = due.get(at) ?? new Set();
      due.set(at, items.add(item));
      if (at < timerIsFor) setTimer();
    },
    remove(item, moment) {
      const at = moment.getTime();
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
