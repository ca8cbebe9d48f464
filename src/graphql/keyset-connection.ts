/**
 * Relay connections with keyset pagination. A page is read from the index by the key of the row before it, so a page
 * costs the same however deep in the list it is.
 */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { relationsOf, type TableOnTickets } from '../authorization/visible-pages.ts';
import { isId } from '../platform/ids.ts';
import type { RelatedWindow } from '../platform/json-rows.ts';
import type { PageWindow } from '../platform/page-windows.ts';
import { whereSql } from '../platform/where-sql.ts';
import { pageSize } from './builder.ts';
import type { Context } from './context.ts';
import { badUserInput } from './errors.ts';

export type PageArguments = {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
};

/** The order of a list: the key of each row, and the conditions for rows below or above a key. */
export type Ordering<Row, Where, OrderBy> = {
  /** The name of the list, which is part of its cursors: a cursor of another list is an error. */
  list: string;
  /** A client can read it in its cursors. */
  keyOf: (row: Row) => string;
  isKey: (text: string) => boolean;
  where: (below: string | null, above: string | null) => Where;
  orderBy: (direction: 'asc' | 'desc') => OrderBy;
};

type Between = { AND: { id: { lt?: string; gt?: string } }[] };
type ById = Ordering<{ id: string }, Between, { id: 'asc' | 'desc' }>;

/** Orders a list by id. Ids increase with the time at which they are made. */
export function byId(list: string): ById {
  return {
    list,
    keyOf: ({ id }) => id,
    isKey: isId,
    where: (below, above) => ({
      AND: [
        ...(below === null ? [] : [{ id: { lt: below } }]),
        ...(above === null ? [] : [{ id: { gt: above } }]),
      ],
    }),
    orderBy: (id) => ({ id }),
  };
}

type Bounds = Pick<PageWindow, 'below' | 'above'>;

/** As `byId`, for a loader that reads the page between two ids. */
export function boundedById(list: string): Ordering<{ id: string }, Bounds, PageWindow['order']> {
  return {
    ...byId(list),
    where: (below, above) => ({ below, above }),
    orderBy: (direction) => direction,
  };
}

/** The condition for ids between two bounds. */
export function betweenIds({ below, above }: Bounds): Between {
  return byId('').where(below, above);
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

/** The rows to read for a page: one more than its size, which shows whether there is another page. */
type Window<Where, OrderBy> = { where: Where; orderBy: OrderBy; take: number };

/**
 * What was found for a page by a search that looks at a limited number of rows. `stoppedAt` is the key of the row at which
 * it gave up: there may be more beyond that. Null: it did not give up.
 */
type Found<Row> = { rows: readonly Row[]; stoppedAt: string | null };

/** Returns one page of a list, highest keys (newest) first. */
export async function keysetConnection<Row, Where, OrderBy>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
  read: (window: Window<Where, OrderBy>) => Promise<Row[] | Found<Row>>,
): Promise<Page<Row>> {
  const found = await read(windowOf(args, ordering));
  if (Array.isArray(found)) return pageOf(args, ordering, found);
  const page = pageOf(args, ordering, found.rows);
  return found.stoppedAt === null
    ? page
    : continuedFrom(page, args, toCursor(ordering.list, found.stoppedAt));
}

/** A page that is not the last one, however few rows it has: the next one begins at the cursor. */
function continuedFrom<Row>(page: Page<Row>, args: PageArguments, cursor: string): Page<Row> {
  const { pageInfo } = page;
  return {
    ...page,
    pageInfo:
      args.last == null
        ? { ...pageInfo, hasNextPage: true, endCursor: cursor }
        : { ...pageInfo, hasPreviousPage: true, startCursor: cursor },
  };
}

/**
 * Returns which rows to read for the requested page.
 *
 * @throws BAD_USER_INPUT for a negative size, for `first` together with `last`, or for a cursor of another list.
 */
function windowOf<Row, Where, OrderBy>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
): Window<Where, OrderBy> {
  if (args.first != null && args.last != null) throw badUserInput('Give first or last, not both.');
  const size = sizeOf(args);
  if (size < 0) throw badUserInput('first and last must not be negative.');
  return {
    where: ordering.where(keyFrom(args.after, 'after', ordering), keyFrom(args.before, 'before', ordering)),
    orderBy: ordering.orderBy(args.last == null ? 'desc' : 'asc'),
    take: size + 1,
  };
}

/** Makes the page from the rows that were read for its window. */
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

/** The query for a page of a relation: the rows of the page among those that the viewer may see. */
export function relatedRows<Row, Where, OrderBy, Visible>(
  args: PageArguments,
  ordering: Ordering<Row, Where, OrderBy>,
  visible: Visible,
): Window<{ AND: (Visible | Where)[] }, OrderBy> {
  const { where, ...window } = windowOf(args, ordering);
  // Cursors need the id even if an operation selects no node. If it selects nodes, Pothos reads whole rows, so the
  // return type does not mention this narrower selection.
  const atLeast = { select: { id: true } };
  return { where: { AND: [visible, where] }, ...window, ...atLeast };
}

/** The same rows, for a query that is compiled. */
export function relatedWindow<Where extends object>(
  args: PageArguments,
  ordering: Ordering<{ id: string }, Where, { id: PageWindow['order'] }>,
  table: TableOnTickets,
  visible: object,
): RelatedWindow {
  const { where, orderBy, take } = windowOf(args, ordering);
  return {
    where: (alias) => whereSql({ AND: [visible, where] }, alias, relationsOf(table, alias)),
    orderBy: [{ column: 'id', direction: orderBy.id }],
    take,
  };
}

/** The path from a connection to its nodes. */
export const nodesPath = ['edges', 'node'];

/** The Prisma query that reads the nodes together with the relations that the operation selects on them. */
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
  const key = keyIn(cursor, list);
  if (key === null || !isKey(key)) {
    throw badUserInput(
      `${argument} is not a cursor of this list with this filter and this order. Use a cursor of this list exactly as it was returned, with the same filter and the same order.`,
    );
  }
  return key;
}

/** The keys in the cursors of a request, for an ordering that has to look them up. They are not checked. */
export function cursorKeys({ after, before }: PageArguments, list: string): string[] {
  return [after, before].flatMap((cursor) => (cursor == null ? [] : (keyIn(cursor, list) ?? [])));
}

function keyIn(cursor: string, list: string): string | null {
  const text = Buffer.from(cursor, 'base64url').toString();
  return text.startsWith(`${list}:`) ? text.slice(list.length + 1) : null;
}
