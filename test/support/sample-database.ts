import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { createDatabaseClock } from '../../src/platform/clock.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { loadSampleData } from '../../src/sample-data/load.ts';
import { administer, databaseUrl } from './databases.ts';
import { generousDatabaseDeadlines, generousMs } from './deadlines.ts';
import type { TestDatabase } from './postgres.ts';
import { sampleName } from './sample-name.ts';

/** Creates a copy of a database with the sample organizations, which are loaded once per run, by the first caller. */
export async function createSampleDatabase(): Promise<TestDatabase> {
  const { serverUrl, template } = inject('postgres');
  const original = sampleName(template);
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: generousMs });
  await client.connect();
  try {
    // While one process loads them, the others wait.
    await client.query('SELECT pg_advisory_lock(2)');
    const loaded = await client.query(
      `SELECT FROM pg_database WHERE datname = $1 AND shobj_description(oid, 'pg_database') = 'loaded'`,
      [original],
    );
    if (loaded.rowCount === 0) {
      await client.query(`DROP DATABASE IF EXISTS ${original} WITH (FORCE)`);
      await client.query(`CREATE DATABASE ${original} TEMPLATE ${template} STRATEGY WAL_LOG`);
      await load(databaseUrl(serverUrl, original));
      await client.query(`COMMENT ON DATABASE ${original} IS 'loaded'`);
    }
    await client.query('SELECT pg_advisory_unlock(2)');
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${original} STRATEGY WAL_LOG`);
  } finally {
    await client.end();
  }
  return {
    url: databaseUrl(serverUrl, name),
    dispose: () => administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function load(url: string): Promise<void> {
  const logger = createLogger('silent');
  const database = openDatabase({ url, logger, deadlines: generousDatabaseDeadlines });
  const clock = createDatabaseClock(new Date());
  await loadSampleData({ database, clock, logger, announce: () => undefined }).finally(() =>
    database.dispose(),
  );
}
