/** A process that runs an embedded server until it receives a signal, for tests that kill it. */
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';

const [dataFolder = ''] = process.argv.slice(2);
const postgres = await startEmbeddedPostgres({ dataFolder });
process.on('SIGINT', async () => {
  await postgres.stop();
  process.exit(0);
});
process.stdout.write(`${postgres.url}\n`);
