/**
 * Relay connections over ordered lists. A page is found through the index by the key it starts after, so
 * it costs the same at any depth.
 */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { isId } from '../platform/ids.ts';
import { pageSize } from './builder.ts';
import type { Context } from './context.ts';
import { badUserInput } from './errors.ts';

export type PageArguments = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
};

/** What a list is ordered by: how a row's key reads, and what is below or above a key. */
export type Ordering<Row, Where, OrderBy> = {
  keyOf: (row: Row) => string;
  isKey: (text: string) => boolean;
  where: (below: string | null, above: string | null) => Where;
  orderBy: (direction: 'asc' | 'desc') => OrderBy;
};

/** By id: ids are made in the order of time. */
export const byId: Ordering<{ id: string }, { id?: { lt?: string; gt?: string } }, { id: 'asc' | 'desc' }> = {
  keyOf: ({ id }) => id,
  isKey: isId,
  where: (below, above) => ({
    id: { ...(below === null ? {} : { lt: below }), ...(above === null ? {} : { gt: above }) },
  }),
  orderBy: (id) => ({ id }),
};

export type Page<Row> = {
  edges: { cursor: string; node: Row }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
};

/**
 * One page of a list, highest keys (newest) first. `list` is asked for one row more than the page holds,
 * to know whether there is another page.
 */
export async function keysetConnection<Row, Where, OrderBy>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
  list: (window: { where: Where; orderBy: OrderBy; take: number }) => Promise<Row[]>,
): Promise<Page<Row>> {
  if (args.first != null && args.last != null) throw badUserInput('Ask for first or for last, not both.');
  const backward = args.last != null;
  const size = Math.min(args.first ?? args.last ?? pageSize.default, pageSize.max);
  if (size < 0) throw badUserInput('first and last must not be negative.');

  const key = (cursor: string | null | undefined, argument: string) =>
    keyFrom(cursor, argument, ordering.isKey);
  const [after, before] = [key(args.after, 'after'), key(args.before, 'before')];
  const rows = await list({
    where: ordering.where(after, before),
    orderBy: ordering.orderBy(backward ? 'asc' : 'desc'),
    take: size + 1,
  });

  const hasMore = rows.length > size;
  const page = hasMore ? rows.slice(0, size) : rows;
  if (backward) page.reverse();
  const edges = page.map((node) => ({ cursor: toCursor(ordering.keyOf(node)), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: backward ? before !== null : hasMore,
      hasPreviousPage: backward ? hasMore : after !== null,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** The relations that the operation selects on the nodes, so that they are read with them. */
export function nodesQuery(context: Context, info: GraphQLResolveInfo) {
  return queryFromInfo({ context, info, path: ['edges', 'node'], include: {} });
}

const prefix = 'at:';

function toCursor(key: string): string {
  return Buffer.from(prefix + key).toString('base64url');
}

function keyFrom(
  cursor: string | null | undefined,
  argument: string,
  isKey: (text: string) => boolean,
): string | null {
  if (cursor == null) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  const key = text.slice(prefix.length);
  if (!text.startsWith(prefix) || !isKey(key)) {
    throw badUserInput(
      `${argument} is not a cursor of this list. Use an endCursor or a startCursor as it was given.`,
    );
  }
  return key;
}
