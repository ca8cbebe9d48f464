/** `npm run bench:log`: an audit log as after years, in an empty database or in a folder of its own. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { applyMigrations } from '../../src/platform/migrations.ts';
import { generateAuditLog } from './generate.ts';
import { keepLog } from './kept-log.ts';

const usage = `Usage: npm run bench:log -- --folder /var/tmp/log --entries 10000000
       npm run bench:log -- --url postgresql://postgres:password@host:5432/latchkey --entries 10000000

A folder is created, and keeps the log with a PostgreSQL of its own. A URL leads to an empty database, as a superuser.
`;
const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    folder: { type: 'string' },
    entries: { type: 'string', default: '1000000' },
  },
});
const { url, folder } = values;
const entries = Number(values.entries);
if ((url === undefined) === (folder === undefined) || !Number.isSafeInteger(entries) || entries < 1)
  wrong(usage);
if (folder !== undefined && existsSync(folder)) wrong(`There is something at ${folder} already.\n`);
const begun = performance.now();
const log = folder === undefined ? await generateAt(url ?? '') : await keepLog(folder, { entries });
const seconds = Math.round((performance.now() - begun) / 1_000);
process.stdout.write(`${JSON.stringify({ ...log, seconds }, null, 2)}\n`);

async function generateAt(databaseUrl: string) {
  await applyMigrations(databaseUrl);
  return await generateAuditLog(databaseUrl, { entries });
}

function wrong(message: string): never {
  process.stderr.write(message);
  process.exit(1);
}
