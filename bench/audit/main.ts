/** `npm run bench:log -- --url <url> --entries <number>`: an audit log as after years, in an empty database. */
import { parseArgs } from 'node:util';
import { applyMigrations } from '../../src/platform/migrations.ts';
import { generateAuditLog } from './generate.ts';

const { values } = parseArgs({
  options: { url: { type: 'string' }, entries: { type: 'string', default: '1000000' } },
});
const entries = Number(values.entries);
if (values.url === undefined || !Number.isSafeInteger(entries) || entries < 1) {
  process.stderr.write(
    'Usage: npm run bench:log -- --url postgresql://postgres:password@host:5432/latchkey --entries 10000000\n\nThe URL leads to an empty database, as a superuser.\n',
  );
  process.exit(1);
}
const begun = performance.now();
await applyMigrations(values.url);
const log = await generateAuditLog(values.url, { entries });
const seconds = Math.round((performance.now() - begun) / 1_000);
process.stdout.write(`${JSON.stringify({ ...log, seconds }, null, 2)}\n`);
