/** Lists of tickets, of what is on them, of accounts and of their roles: pages of what the viewer sees, under a filter, in an order. */
import type { GraphQLResolveInfo } from 'graphql';
import {
  countVisible,
  listVisiblePages,
  readVisible,
  readVisiblePages,
  type SortKey,
  type VisiblePage,
  type Way,
} from '../../authorization/visible-pages.ts';
import { narrowed } from '../../authorization/ways.ts';
import type { Viewer } from '../../identity/viewer.ts';
import type { JsonRows } from '../../platform/json-rows.ts';
import type { PageWindow } from '../../platform/page-windows.ts';
import { selectedRows } from '../compiled/selected-rows.ts';
import { type Context, viewerOf } from '../context.ts';
import {
  betweenIds,
  boundedById,
  keysetConnection,
  nodesQuery,
  type Ordering,
  type Page,
  type PageArguments,
} from '../keyset-connection.ts';
import { type Counted, mostCounted, totalOf } from './counted.ts';
import { type Asked, asked } from './order.ts';

/** The part of the organizations and sites that is asked for, as far as it is given. */
export type Place = { organizationIds?: readonly string[]; siteIds?: readonly string[] };

/** A list, and how its rows are found and read. */
export type VisibleList<Row> = {
  readonly table: 'grants' | 'tickets' | 'accounts' | 'role_assignments';
  /** Null for viewers for whom `visible` has no ways: they see all rows, or none. */
  readonly waysOf: (viewer: Viewer) => readonly Way[] | null;
  readonly visible: (viewer: Viewer) => object;
  /** The rows that a viewer with ways sees besides. */
  readonly others?: (viewer: Viewer, place: Place) => object[];
  readonly read: (
    context: Context,
    query: object,
    where: object,
    page?: { orderBy: { id: PageWindow['order'] }; take: number },
  ) => Promise<Row[]>;
};

/** What a filter selects of a list. */
export type Selection = {
  readonly place: Place;
  readonly where: object;
  /** The ways in which what is selected is seen, if these are fewer than the viewer's. */
  readonly ways?: readonly Way[];
  /** Conditions on the ticket, or on the account, that few or many may meet. */
  readonly sought?: object;
  readonly by?: SortKey;
  readonly isWithinPeriod?: boolean;
};

type Of = {
  readonly args: PageArguments & Asked;
  readonly context: Context;
  readonly info: GraphQLResolveInfo;
  /** The name of the list, which its cursors have. */
  readonly name: string;
  /** Of which object it is a list: pages of several objects are read together. */
  readonly parent?: Place;
};

type BySortKey<Row> = Ordering<Row, Pick<PageWindow, 'below' | 'above'>, PageWindow['order']>;

/**
 * A page of the list, which can be counted. One statement where the query is compiled, otherwise two, for all the objects that
 * have the list at this place.
 */
export async function visibleConnection<Row extends { id: string }>(
  list: VisibleList<Row>,
  selection: Selection,
  { args, context, info, name, parent }: Of,
  ordering: (name: string) => BySortKey<Row> = boundedById,
): Promise<Page<Row> & Counted> {
  const viewer = viewerOf(context);
  const ways = selection.ways ?? list.waysOf(viewer);
  const { services } = context;
  const selected = selectedRows(info);
  const query = selected === undefined ? nodesQuery(context, info) : {};
  const pageFor = (window: PageWindow): VisiblePage =>
    pageWithin(list, { ...selection, ways }, parent ?? {}, viewer, window);
  const isPlain =
    ways === null &&
    parent === undefined &&
    isEverywhere(selection.place) &&
    selection.sought === undefined &&
    selection.by !== 'due';
  const page = await keysetConnection<Row, Pick<PageWindow, 'below' | 'above'>, PageWindow['order']>(
    args,
    asked(ordering, name, args),
    async ({ where: bounds, orderBy: order, take: limit }) => {
      if (isPlain) {
        const where = { AND: [list.visible(viewer), selection.where, betweenIds(bounds)] };
        if (selected !== undefined)
          return await readVisible<Row>(services.database.pool, list.table, where, selected, {
            order,
            limit,
          });
        return await list.read(context, query, where, { orderBy: { id: order }, take: limit });
      }
      const window = { ...bounds, order, limit };
      const read = (pages: readonly VisiblePage[]) =>
        selected === undefined
          ? readPages(list, pages, context, query)
          : readSelected<Row>(list, pages, context, selected);
      if (parent !== undefined)
        return await context.loaders.togetherAt(info.fieldNodes, 'pages', read).load(pageFor(window));
      const [rows = []] = await read([pageFor(window)]);
      return rows;
    },
  );
  const count = async () => {
    const window = { below: null, above: null, order: 'desc', limit: mostCounted + 1 } as const;
    const read = (pages: readonly VisiblePage[]) =>
      countVisible(context.services.database.pool, list.table, pages);
    return totalOf(await context.loaders.togetherAt(info.fieldNodes, 'totals', read).load(pageFor(window)));
  };
  return { ...page, count };
}

function pageWithin<Row>(
  list: VisibleList<Row>,
  {
    ways,
    where,
    place,
    sought,
    by = 'id',
    isWithinPeriod = false,
  }: Omit<Selection, 'ways'> & { ways: readonly Way[] | null },
  parent: Place,
  viewer: Viewer,
  window: PageWindow,
): VisiblePage {
  const within = narrowed(place, parent);
  const asks = { window, by, isWithinPeriod, ...(sought === undefined ? {} : { sought }) };
  if (ways !== null) {
    const others = list.others?.(viewer, within) ?? [];
    return { ...asks, ways: ways.map((way) => narrowed(way, within)), others, filter: where };
  }
  const filter = { AND: [list.visible(viewer), where] };
  return isEverywhere(within)
    ? { ...asks, ways: [], others: [{}], filter }
    : { ...asks, ways: [within], filter };
}

function isEverywhere({ organizationIds, siteIds }: Place): boolean {
  return organizationIds === undefined && siteIds === undefined;
}

async function readSelected<Row>(
  list: VisibleList<Row>,
  pages: readonly VisiblePage[],
  { services }: Context,
  { sql, read }: JsonRows,
): Promise<Row[][]> {
  const found = await readVisiblePages(services.database.pool, list.table, pages, sql);
  return found.map((page) => page.map(read) as Row[]);
}

async function readPages<Row extends { id: string }>(
  list: VisibleList<Row>,
  pages: readonly VisiblePage[],
  context: Context,
  query: object,
): Promise<Row[][]> {
  const found = await listVisiblePages(context.services.database.pool, list.table, pages);
  const ids = [...new Set(found.flat())];
  const rows = ids.length === 0 ? [] : await list.read(context, query, { id: { in: ids } });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return found.map((page) => page.flatMap((id) => byId.get(id) ?? []));
}
