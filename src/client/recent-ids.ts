/** Remembers the last so many ids, to tell what was seen before. */
export type RecentIds = {
  /** Whether the id is new; from now on it is not. */
  isNew(id: string): boolean;
};

export function createRecentIds(capacity: number): RecentIds {
  const ids = new Set<string>();
  return {
    isNew(id) {
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
