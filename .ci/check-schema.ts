/**
 * `npm run check:schema`: fails, and prints the differences, if schema/schema.graphql or schema/possible-types.json
 * differs from what the code serves.
 */
import { readFile } from 'node:fs/promises';
import { diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { committedFiles } from '../src/graphql/print-schema.ts';
import { schema } from '../src/graphql/schema.ts';

for (const [path, served] of Object.entries(committedFiles(schema))) {
  const committed = await readFile(new URL(`../${path}`, import.meta.url), 'utf8').catch(() => '');
  if (committed === served) continue;
  process.stderr.write(`${path} is not what the code serves: \`npm run schema\` writes it anew.\n`);
  if (path.endsWith('.graphql') && committed !== '') {
    const changes = await diff(buildSchema(committed), buildSchema(served));
    for (const { message } of changes) process.stderr.write(`${message}\n`);
  }
  process.exitCode = 1;
}
