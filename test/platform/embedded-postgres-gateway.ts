/** A process that runs an embedded server until it receives a signal, for tests that kill it. */
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';

const [dataFolder = ''] = process.argv.slice(2);
// The machine does not crash.
const postgres = await startEmbeddedPostgres({ dataFolder, settings: { fsync: 'off' } });
process.on('SIGINT', async () => {
  await postgres.stop();
  process.exit(0);
});
process.stdout.write(`${postgres.url}\n`);
