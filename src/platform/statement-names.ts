import { createHash } from 'node:crypto';
import type { Prisma } from '../../prisma/generated/client/client.ts';

/** The most names that one source of statements gives: the server keeps each statement in the memory of each connection. */
const preparedStatements = 500;

/**
 * Names prepared statements, so that the server parses each statement once per connection. Statements beyond the
 * limit (IN lists of every length) stay unnamed and are parsed every time.
 */
export function createStatementNames(): (sql: string) => string | undefined {
  const names = new Map<string, string>();
  return (sql) => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= preparedStatements) return undefined;
    const name = createHash('sha256').update(sql).digest('base64url');
    names.set(sql, name);
    return name;
  };
}

const nameOf = createStatementNames();

/**
 * A statement that the server prepares, and soon plans once for all values: for statements that any values read in the same
 * way. The plan of any other is best made for its values, each time.
 */
export function prepared({ text, values }: Pick<Prisma.Sql, 'text' | 'values'>): {
  name?: string;
  text: string;
  values: unknown[];
} {
  const name = nameOf(text);
  return name === undefined ? { text, values } : { name, text, values };
}
