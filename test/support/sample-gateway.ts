import { startGateway, type TestGateway } from './gateway.ts';
import { createSampleDatabase } from './sample-database.ts';

/** Starts a gateway with the sample organizations on its own database. */
export async function startSampleGateway(): Promise<TestGateway> {
  const { url, dispose: drop } = await createSampleDatabase();
  const gateway = await startGateway({ databaseUrl: url });
  const dispose = async () => {
    await gateway.dispose();
    await drop();
  };
  return { ...gateway, dispose, [Symbol.asyncDispose]: dispose };
}
