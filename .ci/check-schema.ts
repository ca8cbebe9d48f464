/** `npm run check:schema`: fails if a committed file of the schema is not what the code serves, and says what differs. */
import { readFile } from 'node:fs/promises';
import { diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { printedPossibleTypes, printedSchema } from '../src/graphql/printed-schema.ts';
import { schema } from '../src/graphql/schema.ts';

const committed = (name: string): Promise<string> =>
  readFile(new URL(`../schema/${name}`, import.meta.url), 'utf8');

function fail(message: string): void {
  process.stderr.write(`${message}: \`npm run schema\` writes it anew.\n`);
  process.exitCode = 1;
}

const [before, served] = [await committed('schema.graphql'), printedSchema(schema)];
if (before !== served) {
  const changes = await diff(buildSchema(before), buildSchema(served));
  for (const { message } of changes) process.stderr.write(`${message}\n`);
  fail(`schema/schema.graphql is not what the code serves${changes.length === 0 ? ' to the letter' : ''}`);
}
if ((await committed('possible-types.json')) !== printedPossibleTypes(schema)) {
  fail('schema/possible-types.json is not what the code serves');
}
