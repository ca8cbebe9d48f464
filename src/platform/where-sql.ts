import { Prisma } from '../../prisma/generated/client/client.ts';

/** How the rows of a relation are found: a condition on them, given the conditions that they have to meet. */
export type Relations = Readonly<Record<string, (where: object) => Prisma.Sql>>;

const comparisons: Readonly<Record<string, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };

/**
 * The conditions of a Prisma query as SQL, on the columns of the table called `alias`. Knows what the filters of lists
 * use, and throws on anything else.
 */
export function whereSql(where: object, alias: string, relations: Relations = {}): Prisma.Sql {
  const all = Object.entries(where).map(([name, value]) => {
    if (name === 'AND') return joined(value, ' AND ', 'true');
    if (name === 'OR') return joined(value, ' OR ', 'false');
    if (name === 'NOT') return Prisma.sql`NOT ${whereSql(value, alias, relations)}`;
    const relation = relations[name];
    return relation === undefined ? comparisonSql(columnOf(alias, name), value) : relation(value);
  });
  return all.length === 0 ? Prisma.sql`true` : Prisma.sql`(${Prisma.join(all, ' AND ')})`;

  function joined(conditions: readonly object[], by: string, none: string): Prisma.Sql {
    const each = conditions.map((one) => whereSql(one, alias, relations));
    return each.length === 0 ? Prisma.raw(none) : Prisma.sql`(${Prisma.join(each, by)})`;
  }
}

function columnOf(alias: string, name: string): Prisma.Sql {
  return Prisma.raw(`${alias}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`);
}

function comparisonSql(column: Prisma.Sql, value: unknown): Prisma.Sql {
  if (value === null) return Prisma.sql`${column} IS NULL`;
  if (typeof value !== 'object' || value instanceof Date) return Prisma.sql`${column} = ${value}`;
  const [[operator = '', operand] = [], ...others] = Object.entries(value);
  const comparison = comparisons[operator];
  if (others.length > 0) throw new Error(`Not one comparison: ${JSON.stringify(value)}`);
  if (operator === 'in') return Prisma.sql`${column} = ANY (${operand})`;
  if (operator === 'not' && operand === null) return Prisma.sql`${column} IS NOT NULL`;
  if (comparison === undefined) throw new Error(`An unknown comparison: ${operator}`);
  return Prisma.sql`${column} ${Prisma.raw(comparison)} ${operand}`;
}
