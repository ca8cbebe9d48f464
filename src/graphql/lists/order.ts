/** The orders in which lists are read, and their cursors, which are good for one order and one filter. */
import { createHash } from 'node:crypto';
import { builder } from '../builder.ts';
import type { Ordering } from '../keyset-connection.ts';

const newestAndOldest = {
  NEWEST: { description: 'The newest first.' },
  OLDEST: { description: 'The oldest first.' },
} as const;

export const ListOrder = builder.enumType('ListOrder', {
  description: 'The order of a list.',
  values: newestAndOldest,
});

export const GrantOrder = builder.enumType('GrantOrder', {
  description: 'The order of a list of grants.',
  values: {
    ...newestAndOldest,
    DUE_SOONEST: {
      description: 'Only requests that wait for a decision: those with the earliest `approvalDueAt` first.',
    },
  } as const,
});

export type Asked = { filter?: object | null | undefined; orderBy?: string | null | undefined };

/** The list of rows by their ids, or by another key, as it was asked for: in this order, with cursors for this order and filter. */
export function asked<Row, Where, OrderBy>(
  ordering: (list: string) => Ordering<Row, Where, OrderBy>,
  list: string,
  args: Asked,
): Ordering<Row, Where, OrderBy> {
  return inAskedOrder(ordering(nameInCursors(list, args)), args);
}

/** An ordering has the highest keys, the newest rows, first. */
export function inAskedOrder<Row, Where, OrderBy>(
  ordering: Ordering<Row, Where, OrderBy>,
  { orderBy }: Asked,
): Ordering<Row, Where, OrderBy> {
  if (orderBy == null || orderBy === 'NEWEST') return ordering;
  return {
    ...ordering,
    where: (below, above) => ordering.where(above, below),
    orderBy: (direction) => ordering.orderBy(direction === 'desc' ? 'asc' : 'desc'),
  };
}

/**
 * The name of the list in its cursors, which says what was asked for. Conditions that say the same in another order of
 * fields are the same filter.
 */
export function nameInCursors(list: string, { filter, orderBy }: Asked): string {
  const order = orderBy ?? 'NEWEST';
  const conditions = Object.entries(filter ?? {})
    .filter(([, value]) => value != null)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (conditions.length === 0 && order === 'NEWEST') return list;
  const digest = createHash('sha256')
    .update(JSON.stringify([conditions, order]))
    .digest('base64url');
  return `${list}@${digest.slice(0, 16)}`;
}
