/** `npm run reset`: clears the data folder, so that the next start has a new database. */
import { parseConfig, readEnvironment } from './config/environment.ts';
import { clearDataFolder, inspectDataFolder } from './platform/data-folder.ts';
import { ownDataFolder } from './platform/data-folder-owner.ts';
import { StartupError } from './platform/startup-error.ts';

/** Returns a message for the user. Throws a StartupError if the data must not be cleared. */
async function reset(): Promise<string> {
  const { database } = parseConfig(readEnvironment());
  if (database.kind !== 'embedded') {
    throw new StartupError(
      'DATABASE_URL is set: reset clears only the embedded database, and has changed nothing.',
    );
  }
  const { dataFolder } = database;
  switch (await inspectDataFolder(dataFolder)) {
    case 'ABSENT':
    case 'EMPTY':
      return `There is nothing to clear in ${dataFolder}.`;
    case 'FOREIGN':
      throw new StartupError(`${dataFolder} is not a data folder of Latchkey's: reset has changed nothing.`);
    case 'LATCHKEY':
      return await clear(dataFolder);
  }
}

async function clear(dataFolder: string): Promise<string> {
  const owner = await ownDataFolder(dataFolder);
  try {
    const kept = await clearDataFolder(dataFolder);
    const rest = kept.length === 0 ? '' : ` Kept what is not Latchkey's: ${kept.join(', ')}.`;
    return `Cleared ${dataFolder}: the next start has a new database.${rest}`;
  } finally {
    owner.release();
  }
}

try {
  process.stdout.write(`${await reset()}\n`);
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
