/** `npm run schema`: writes the committed schema and the possible types of its interfaces and unions. */
import { writeFile } from 'node:fs/promises';
import { committedFiles } from './print-schema.ts';
import { schema } from './schema.ts';

for (const [path, text] of Object.entries(committedFiles(schema))) {
  await writeFile(new URL(`../../${path}`, import.meta.url), text);
}
