/**
 * `npm run migration:new -- add_something`: writes prisma/migrations/<time>_add_something/migration.sql with the
 * SQL for what schema.prisma says and the migrations do not. Read it before you commit it, and add the rules
 * that the schema language cannot express.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { findDriftOnOwnServer } from './drift.ts';

const name = process.argv[2] ?? '';
if (!/^[a-z][a-z0-9_]*$/.test(name)) {
  process.stderr.write('Give it a name in small letters: npm run migration:new -- add_something\n');
  process.exit(1);
}
const sql = await findDriftOnOwnServer();
if (sql === '')
  process.stdout.write('schema.prisma says nothing new: the migration is empty, and yours to write.\n');
const time = new Date().toISOString().replaceAll(/[-:T]|\..*/g, '');
const folder = fileURLToPath(new URL(`./migrations/${time}_${name}`, import.meta.url));
await mkdir(folder);
await writeFile(`${folder}/migration.sql`, sql);
process.stdout.write(`${folder}/migration.sql\n`);
