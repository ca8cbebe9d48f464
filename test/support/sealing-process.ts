/** Seals until it is killed: `node sealing-process.ts <database URL> <keys>`. Prints a line for each batch. */
import pg from 'pg';
import { createSealer } from '../../src/audit/sealing.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { readLogKeys } from '../../src/transparency/log-keys.ts';

const [, , connectionString = '', texts = ''] = process.argv;
const keys = readLogKeys(texts.split(','));
if (keys === null) throw new Error('These are no keys of logs');
const pool = new pg.Pool({ connectionString, max: 1 });
const sealer = createSealer({ pool, keys, clock: () => new Date(), logger: createLogger('warn') });
while (await sealer.seal()) process.stdout.write('sealed\n');
process.stdout.write('sealed\n');
// However late the signal comes, it finds the process.
setTimeout(() => process.exit(1), 600_000);
