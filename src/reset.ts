/** `npm run reset`: clears the data folder, so that the next start begins anew. */
import { parseConfig, readEnvironment } from './config.ts';
import { clearDataFolder, inspectDataFolder } from './platform/data-folder.ts';
import { refuseIfInUse } from './platform/embedded-postgres.ts';
import { StartupError } from './platform/startup-error.ts';

/** Returns what to tell. Throws a StartupError where there is something that is not ours to clear. */
async function reset(): Promise<string> {
  const { database } = parseConfig(readEnvironment());
  if (database.kind !== 'embedded') {
    throw new StartupError(
      'DATABASE_URL is set: reset clears the embedded database only, and touched nothing.',
    );
  }
  const { dataFolder } = database;
  switch (await inspectDataFolder(dataFolder)) {
    case 'ABSENT':
    case 'EMPTY':
      return `There is nothing to clear in ${dataFolder}.`;
    case 'FOREIGN':
      throw new StartupError(`${dataFolder} is not a data folder of Latchkey's: reset touched nothing.`);
    case 'LATCHKEY':
      await refuseIfInUse(dataFolder);
      await clearDataFolder(dataFolder);
      return `Cleared ${dataFolder}: the next start begins anew.`;
  }
}

try {
  process.stdout.write(`${await reset()}\n`);
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
