/** Counts the open connections of each bearer: WebSockets and event streams together. */
export type ConnectionCounter = {
  /** Counts one more connection; returns false, and counts nothing, when the bearer has the most allowed. */
  acquire(bearer: string): boolean;
  /** Must be called once for each successful `acquire`. */
  release(bearer: string): void;
};

export function createConnectionCounter(max: number): ConnectionCounter {
  const open = new Map<string, number>();
  return {
    acquire(bearer) {
      const count = open.get(bearer) ?? 0;
      if (count >= max) return false;
      open.set(bearer, count + 1);
      return true;
    },
    release(bearer) {
      const left = (open.get(bearer) ?? 1) - 1;
      if (left === 0) open.delete(bearer);
      else open.set(bearer, left);
    },
  };
}
