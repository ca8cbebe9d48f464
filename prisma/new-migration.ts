/**
 * `npm run migration:new -- add_something`: writes prisma/migrations/<time>_add_something/migration.sql with
 * what schema.prisma says and the migrations do not yet. To be read, and completed by hand with the rules
 * Prisma has no words for, before it is committed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { findDrift } from './drift.ts';

const name = process.argv[2] ?? '';
if (!/^[a-z][a-z0-9_]*$/.test(name)) {
  process.stderr.write('Give it a name in small letters: npm run migration:new -- add_something\n');
  process.exit(1);
}
const sql = await findDrift();
if (sql === '')
  process.stdout.write('schema.prisma says nothing new: the migration is empty, to be written by hand.\n');
const time = new Date().toISOString().replaceAll(/[-:T]|\..*/g, '');
const folder = fileURLToPath(new URL(`./migrations/${time}_${name}`, import.meta.url));
await mkdir(folder);
await writeFile(`${folder}/migration.sql`, sql);
process.stdout.write(`${folder}/migration.sql\n`);
