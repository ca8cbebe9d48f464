import { createDatabaseClock } from '../../src/platform/clock.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { loadSampleData } from '../../src/sample-data/load.ts';
import { generousDatabaseDeadlines } from './deadlines.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { createTestDatabase } from './postgres.ts';

/** Starts a gateway with the sample organizations on its own database. */
export async function startSampleGateway(): Promise<TestGateway> {
  const { url, dispose: drop } = await createTestDatabase();
  const logger = createLogger('silent');
  const database = openDatabase({ url, logger, deadlines: generousDatabaseDeadlines });
  await loadSampleData({
    database,
    clock: createDatabaseClock(new Date()),
    logger,
    announce: () => undefined,
  });
  await database.dispose();
  const gateway = await startGateway({ databaseUrl: url });
  const dispose = async () => {
    await gateway.dispose();
    await drop();
  };
  return { ...gateway, dispose, [Symbol.asyncDispose]: dispose };
}
