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
  /** Marks the list's cursors: another list's are refused. */
  list: string;
  keyOf: (row: Row) => string;
  isKey: (text: string) => boolean;
  where: (below: string | null, above: string | null) => Where;
  orderBy: (direction: 'asc' | 'desc') => OrderBy;
};

type ById = Ordering<{ id: string }, { id?: { lt?: string; gt?: string } }, { id: 'asc' | 'desc' }>;

/** By id: ids are made in the order of time. */
export function byId(list: string): ById {
  return {
    list,
    keyOf: ({ id }) => id,
    isKey: isId,
    where: (below, above) =>
      below === null && above === null
        ? {}
        : { id: { ...(below === null ? {} : { lt: below }), ...(above === null ? {} : { gt: above }) } },
    orderBy: (id) => ({ id }),
  };
}

export type Page<Row> = {
  edges: { cursor: string; node: Row }[];
  pageInfo: {
    hasNextPage: boolean;
    hasPreviousPage: boolean;
    startCursor: string | null;
    endCursor: string | null;
  };
};

/** Which rows to read for a page: one more than it holds, to know whether there is another page. */
type Window<Where, OrderBy> = { where: Where; orderBy: OrderBy; take: number };

/** One page of a list, highest keys (newest) first. */
export async function keysetConnection<Row, Where, OrderBy>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
  read: (window: Window<Where, OrderBy>) => Promise<Row[]>,
): Promise<Page<Row>> {
  return pageOf(args, ordering, await read(windowOf(args, ordering)));
}

/**
 * Which rows to read for the page that is asked for.
 *
 * @throws BAD_USER_INPUT for negative sizes, both directions at once, or a cursor that is not this list's.
 */
function windowOf<Row, Where, OrderBy>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
): Window<Where, OrderBy> {
  if (args.first != null && args.last != null) throw badUserInput('Ask for first or for last, not both.');
  const size = sizeOf(args);
  if (size < 0) throw badUserInput('first and last must not be negative.');
  return {
    where: ordering.where(keyFrom(args.after, 'after', ordering), keyFrom(args.before, 'before', ordering)),
    orderBy: ordering.orderBy(args.last == null ? 'desc' : 'asc'),
    take: size + 1,
  };
}

/** The page out of the rows that were read in its window. */
export function pageOf<Row, Where, OrderBy>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
  rows: readonly Row[],
): Page<Row> {
  const [backward, size] = [args.last != null, sizeOf(args)];
  const hasMore = rows.length > size;
  const page = rows.slice(0, size);
  if (backward) page.reverse();
  const edges = page.map((node) => ({ cursor: toCursor(ordering.list, ordering.keyOf(node)), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: backward ? args.before != null : hasMore,
      hasPreviousPage: backward ? hasMore : args.after != null,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** What a type selects of a list related to it: a page's rows among those that the viewer may see. */
export function relatedRows<Row, Where, OrderBy, Visible>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
  visible: Visible,
): Window<{ AND: (Visible | Where)[] }, OrderBy> {
  const { where, ...window } = windowOf(args, ordering);
  // Cursors are made of the id, also where an operation asks for no node. Where it asks for one, all of the
  // row is read, which is why the type does not tell of this narrower selection.
  const atLeast = { select: { id: true } };
  return { where: { AND: [visible, where] }, ...window, ...atLeast };
}

/** Where the nodes are in what an operation selects of a connection. */
export const nodesPath = ['edges', 'node'];

/** The relations that the operation selects on the nodes, so that they are read with them. */
export function nodesQuery(context: Context, info: GraphQLResolveInfo) {
  return queryFromInfo({ context, info, path: nodesPath, include: {} });
}

function sizeOf({ first, last }: PageArguments): number {
  return Math.min(first ?? last ?? pageSize.default, pageSize.max);
}

function toCursor(list: string, key: string): string {
  return Buffer.from(`${list}:${key}`).toString('base64url');
}

function keyFrom(
  cursor: string | null | undefined,
  argument: string,
  { list, isKey }: { list: string; isKey: (text: string) => boolean },
): string | null {
  if (cursor == null) return null;
  const text = Buffer.from(cursor, 'base64url').toString();
  const key = text.slice(list.length + 1);
  if (!text.startsWith(`${list}:`) || !isKey(key)) {
    throw badUserInput(
      `${argument} is not a cursor of this list. Use an endCursor or a startCursor as it was given.`,
    );
  }
  return key;
}
