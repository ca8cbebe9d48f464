/** `npm run check:schema`: fails if schema/schema.graphql is not what the code serves, and says what differs. */
import { readFile } from 'node:fs/promises';
import { diff } from '@graphql-inspector/core';
import { buildSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../src/graphql/schema.ts';

const committed = await readFile(new URL('../schema/schema.graphql', import.meta.url), 'utf8');
const served = `${printSchema(lexicographicSortSchema(schema))}\n`;
if (committed !== served) {
  const changes = await diff(buildSchema(committed), buildSchema(served));
  for (const { message } of changes) process.stderr.write(`${message}\n`);
  process.stderr.write(
    `schema/schema.graphql is not what the code serves${changes.length === 0 ? ' to the letter' : ''}: \`npm run schema\` writes it anew.\n`,
  );
  process.exitCode = 1;
}
