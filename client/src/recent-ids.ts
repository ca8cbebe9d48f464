/** Remembers the most recent ids, to recognize repeated events. */
export type RecentIds = {
  /** Adds the id. Returns whether it was not among those remembered. */
  add(id: string): boolean;
};

/** @param capacity how many ids are remembered; beyond that the oldest are forgotten */
export function createRecentIds(capacity: number): RecentIds {
  const ids = new Set<string>();
  return {
    add(id) {
      if (ids.has(id)) return false;
      ids.add(id);
      if (ids.size > capacity) {
        for (const oldest of ids) {
          ids.delete(oldest);
          break;
        }
      }
      return true;
    },
  };
}
