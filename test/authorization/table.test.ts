/**
 * The authorization tables of the tests are complete: a row for every operation, a cell for every person, and no
 * others.
 */
import type { GraphQLObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { operations } from '../../src/authorization/operations.ts';
import { schema } from '../../src/graphql/schema.ts';
import { readTable } from '../api/authorization-asking.ts';
import {
  guardsAndUnsynced,
  obstacles,
  outsiders,
  people,
  tables,
  vendor,
  whoMayDecideForGuard,
  whoMayGrant,
  whoMayRevoke,
} from '../api/authorization-table.ts';

function fieldsOf(type: GraphQLObjectType | null | undefined): string[] {
  return Object.keys(type?.getFields() ?? {});
}

const rootFields = {
  query: fieldsOf(schema.getQueryType()),
  mutation: fieldsOf(schema.getMutationType()),
  subscription: fieldsOf(schema.getSubscriptionType()),
};

const columns = { outsiders, people, guardsAndUnsynced, vendor };

test("the gateway's table has exactly the operations of the schema, each with its kind", () => {
  const listed = Object.entries(operations)
    .filter(([, { kind }]) => kind !== 'http')
    .map(([name, { kind }]) => `${kind} ${name}`);
  const served = Object.entries(rootFields).flatMap(([kind, names]) =>
    names.map((name) => `${kind} ${name}`),
  );
  expect(listed.toSorted()).toEqual(served.toSorted());
});

test.each(Object.entries(tables))(
  '%s: every operation has a row, and every row is for an operation',
  (_, table) => {
    const rows = [...readTable(table).keys()];
    const named = new Set(rows.map((row) => row.split(':')[0] ?? ''));
    expect([...named].toSorted()).toEqual(Object.values(rootFields).flat().toSorted());
    expect(new Set(rows).size).toBe(rows.length);
    expect(rows).toEqual([...readTable(tables.outsiders).keys()]);
  },
);

test.each(Object.entries(tables))(
  '%s: everybody has a cell in every row, of words that mean something',
  (name, table) => {
    const expected = Object.keys(columns[name as keyof typeof columns]);
    for (const cells of readTable(table).values()) {
      expect([...cells.keys()]).toEqual(expected);
      for (const cell of cells.values()) expect(['yes', 'no', '-', 'why', '401']).toContain(cell);
    }
  },
);

test('the tables of places name only people and obstacles that exist', () => {
  const everybody = Object.values(columns).flatMap((names) => Object.keys(names));
  for (const table of [whoMayGrant, whoMayRevoke, whoMayDecideForGuard]) {
    for (const [name, cells] of readTable(table)) {
      expect(everybody).toContain(name);
      for (const word of [...cells.values()].flatMap((cell) => cell.split('+'))) {
        expect(['yes', 'no', '-', 'why', ...Object.keys(obstacles)]).toContain(word);
      }
    }
  }
});
