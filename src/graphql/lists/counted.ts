/** How many items a list has. They are counted only for who asks, and only so far. */

/** What a connection has besides its page: how to count its list. Left out: the list is not counted. */
export type Counted = { count?: (() => Promise<Total>) | undefined };

export type Total = { count: number; isExact: boolean };

/** So many are counted. */
export const mostCounted = 1_000;

/** The total, given the number of items that were found by looking for one more than are counted. */
export function totalOf(found: number, isComplete = true): Total {
  return { count: Math.min(found, mostCounted), isExact: isComplete && found <= mostCounted };
}
