/** Writes the committed files of the schema: `schema/schema.graphql` and `schema/possible-types.json`. */
import { writeFile } from 'node:fs/promises';
import { printedPossibleTypes, printedSchema } from './printed-schema.ts';
import { schema } from './schema.ts';

const folder = new URL('../../schema/', import.meta.url);
await writeFile(new URL('schema.graphql', folder), printedSchema(schema));
await writeFile(new URL('possible-types.json', folder), printedPossibleTypes(schema));
