/** Checks that the fields of a list's filter combine with AND. */
import { isInputObjectType } from 'graphql';
import { expect } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import type { Json, Person } from './gateway.ts';
import { bySize, everyNth } from './size.ts';

export type FilterParts = Record<string, { value: unknown; fits: (row: Json) => boolean }>;

/**
 * Reads the list with every combination of at most `together` fields (three at full size), and expects exactly the rows that match all
 * of them. Every field of the filter must be given, and must match some rows but not all. With a seed, on an ordinary day it
 * reads only some of the combinations of several fields.
 */
export async function expectToCombine(
  person: Person,
  list: { field: string; filter: string; selected: string },
  parts: FilterParts,
  together = bySize(2, 3),
  seed?: number,
): Promise<void> {
  const type = schema.getType(list.filter);
  expect(Object.keys(parts).sort()).toEqual(
    isInputObjectType(type) ? Object.keys(type.getFields()).sort() : [],
  );
  const all = await readAll(person, list, {});
  const combined = combinations(Object.keys(parts), together);
  const several = combined.filter((names) => names.length > 1);
  for (const names of [
    ...combined.filter(({ length }) => length === 1),
    ...(seed === undefined ? several : everyNth(several, seed, 20)),
  ]) {
    const filter = Object.fromEntries(names.map((name) => [name, parts[name]?.value]));
    const expected = all.filter((row) => names.every((name) => parts[name]?.fits(row)));
    expect(await readAll(person, list, filter), JSON.stringify(filter)).toEqual(expected);
    if (names.length === 1) {
      expect(expected.length, `${names[0]} matches some`).toBeGreaterThan(0);
      expect(expected.length, `${names[0]} does not match all`).toBeLessThan(all.length);
    }
  }
}

/** Reads all rows of the list, page by page. */
export async function readAll(
  person: Person,
  { field, filter: type, selected }: { field: string; filter: string; selected: string },
  filter: Record<string, unknown>,
): Promise<Json[]> {
  const rows: Json[] = [];
  for (let after: string | null = null; ; ) {
    const data: Json = await person.ask(
      `query ($filter: ${type}, $after: String) { ${field}(first: 100, after: $after, filter: $filter) {
        edges { node { ${selected} } } pageInfo { hasNextPage endCursor } } }`,
      { filter, after },
    );
    rows.push(...data[field].edges.map(({ node }: Json) => node));
    if (!data[field].pageInfo.hasNextPage) return rows;
    after = data[field].pageInfo.endCursor;
  }
}

function combinations(names: readonly string[], together: number): string[][] {
  const [first, ...others] = names;
  if (first === undefined || together < 1) return [];
  const without = combinations(others, together);
  const withIt = combinations(others, together - 1).map((chosen) => [first, ...chosen]);
  return [[first], ...withIt, ...without];
}
