/** `npm run check:schema`: fails if schema/schema.graphql is not what the code serves. */
import { readFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from '../src/graphql/schema.ts';

const committed = await readFile(new URL('../schema/schema.graphql', import.meta.url), 'utf8');
if (committed !== `${printSchema(lexicographicSortSchema(schema))}\n`) {
  process.stderr.write(
    'schema/schema.graphql is not what the code serves: `npm run schema` writes it anew.\n',
  );
  process.exitCode = 1;
}
