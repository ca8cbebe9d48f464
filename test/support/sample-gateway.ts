import { createDatabaseClock } from '../../src/platform/clock.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { loadSampleData } from '../../src/sample-data/load.ts';
import { generousDatabaseDeadlines } from './deadlines.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { createFilledDatabase } from './postgres.ts';

/** Starts a gateway with the sample organizations, which are loaded once per run, on its own database. */
export async function startSampleGateway(): Promise<TestGateway> {
  const { url, dispose: drop } = await createFilledDatabase('sample', load);
  const gateway = await startGateway({ databaseUrl: url });
  const dispose = async () => {
    await gateway.dispose();
    await drop();
  };
  return { ...gateway, dispose, [Symbol.asyncDispose]: dispose };
}

async function load(url: string): Promise<null> {
  const logger = createLogger('silent');
  const database = openDatabase({ url, logger, deadlines: generousDatabaseDeadlines });
  const clock = createDatabaseClock(new Date());
  await loadSampleData({ database, clock, logger, announce: () => undefined }).finally(() =>
    database.dispose(),
  );
  return null;
}
