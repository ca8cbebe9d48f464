import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../prisma/generated/client/client.ts';
import { getDatamodel } from '../../prisma/generated/pothos.ts';
import { columnsOf, prepareJsonRows, type Related, tableOf } from '../../src/platform/json-rows.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

/** Values that JSON does not keep. */
const foreign = ['BigInt', 'Bytes', 'Decimal', 'Float'];
const { models } = getDatamodel().datamodel;
const readable = Object.entries(models).filter(
  ([, { fields }]) =>
    fields.some(({ name }) => name === 'id') && !fields.some(({ type }) => foreign.includes(type)),
);

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.dispose();
});

describe('rows as JSON', () => {
  test('most models can be read', () => {
    expect(readable.map(([name]) => name)).toEqual(
      expect.arrayContaining(['Account', 'Decision', 'Grant', 'Organization', 'Product', 'Site', 'Ticket']),
    );
  });

  test.each(readable)(
    '%s has the columns and relations of the schema in the database',
    async (model, { fields }) => {
      const related = fields
        .filter(({ kind, type }) => kind === 'object' && readable.some(([name]) => name === type))
        .map(({ name: relation, type, isList }): Related<null> => {
          const selection = { model: type, columns: columnsOf(type), related: [] };
          const window = {
            orderBy: [{ column: columnsOf(type)[0] ?? '', direction: 'asc' as const }],
            take: -2,
          };
          return { as: `@${relation}`, relation, selection, ...(isList ? { window } : {}) };
        });
      for (const one of [null, ...related]) {
        const { sql } = prepareJsonRows({
          ...{ model, columns: columnsOf(model), related: one === null ? [] : [one] },
        })(null);
        const statement = Prisma.sql`SELECT ${sql} FROM ${Prisma.raw(tableOf(model))} AS r`;
        await client.query({ text: statement.text, values: statement.values });
      }
    },
  );

  test('a relation is followed by the id of the other row, whatever else its key has', () => {
    const sqlOf = (model: string, relation: string) => {
      const field = models[model]?.fields.find(({ name }) => name === relation);
      const selection = { model: field?.type ?? '', columns: ['id'], related: [] };
      const window = { orderBy: [{ column: 'id', direction: 'asc' as const }], take: 1 };
      const related = [{ as: 'it', relation, selection, ...(field?.isList === true ? { window } : {}) }];
      return prepareJsonRows({ model, columns: [], related })(null).sql.sql;
    };
    expect(sqlOf('Grant', 'ticket')).toContain('tickets AS r_ WHERE r_.id = r.ticket_id)');
    expect(sqlOf('Ticket', 'product')).toContain('products AS r_ WHERE r_.id = r.product_id)');
    expect(sqlOf('Grant', 'decisions')).toContain('decisions AS r_ WHERE r_.grant_id = r.id');
  });

  test('a list needs a window', () => {
    const selection = { model: 'Decision', columns: ['id'], related: [] };
    const related = [{ as: 'all', relation: 'decisions', selection }];
    expect(() => prepareJsonRows({ model: 'Grant', columns: ['id'], related })(null)).toThrow(
      'without a window',
    );
  });

  test('a value that JSON does not keep is refused', () => {
    expect(() => prepareJsonRows({ model: 'AuditEntry', columns: ['txid'], related: [] })).toThrow('BigInt');
  });
});
