/** Reads pages of many lists at once, so that a list of things that each have a list costs as many statements as one. */
import type { Transaction } from './database.ts';

/** One page of a list: the items between two ids, their order and their number. */
export type PageWindow = {
  below: string | null;
  above: string | null;
  order: 'asc' | 'desc';
  limit: number;
};

/**
 * Returns the items of each window. One statement for each order. Its SQL takes the windows as `$1`, as JSON objects with
 * a `place`, and returns it with each row; `values` are its further parameters.
 */
export async function listPages<Row, Window extends PageWindow>(
  db: Transaction,
  windows: readonly Window[],
  sqlFor: (order: PageWindow['order']) => string,
  ...values: unknown[]
): Promise<Row[][]> {
  const asked = Map.groupBy(
    windows.map((window, place) => ({ ...window, place })),
    ({ order }) => order,
  );
  const found = await Promise.all(
    [...asked].map(([order, ofOrder]) =>
      db.$queryRawUnsafe<(Row & { place: number })[]>(sqlFor(order), JSON.stringify(ofOrder), ...values),
    ),
  );
  const pages: Row[][] = windows.map(() => []);
  for (const { place, ...row } of found.flat()) pages[place]?.push(row as Row);
  return pages;
}
