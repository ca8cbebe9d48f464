/** Counts what each bearer has open, WebSockets and event streams together. */
export type ConnectionCounter = {
  /** Counts one more and returns how to give it back, or null when the bearer has the most allowed. */
  acquire(bearer: string): (() => void) | null;
};

export function createConnectionCounter(max: number): ConnectionCounter {
  const open = new Map<string, number>();
  return {
    acquire(bearer) {
      const count = open.get(bearer) ?? 0;
      if (count >= max) return null;
      open.set(bearer, count + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const left = (open.get(bearer) ?? 1) - 1;
        if (left === 0) open.delete(bearer);
        else open.set(bearer, left);
      };
    },
  };
}
