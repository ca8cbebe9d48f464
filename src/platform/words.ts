/** Search by the beginnings of words. An index on the expression of `wordsSql` serves it. */
import { Prisma } from '../../prisma/generated/client/client.ts';

/** The words of a text: runs of letters and digits. */
export function wordsOf(text: string): string[] {
  return text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/** The condition that each word of `begin` begins a word in one of the columns. A text without words is in no row. */
export function wordsSql(alias: string, columns: readonly string[], begin: string): Prisma.Sql {
  return wordsInTextSql(columns.map((column) => `${alias}.${column}`).join(` || ' ' || `), begin);
}

/** As `wordsSql`, for the words of an SQL expression of type text. */
export function wordsInTextSql(text: string, begin: string): Prisma.Sql {
  const words = wordsOf(begin);
  if (words.length === 0) return Prisma.sql`false`;
  const query = words.map((word) => `'${word}':*`).join(' & ');
  return Prisma.sql`${Prisma.raw(
    `to_tsvector('simple'::regconfig, regexp_replace(${text}, '[^[:alnum:]]+', ' ', 'g'))`,
  )} @@ to_tsquery('simple'::regconfig, ${query})`;
}
