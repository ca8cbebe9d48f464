import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmbeddedPostgres } from '../src/platform/embedded-postgres.ts';
import { type Migration, readMigrations } from '../src/platform/migrations.ts';
import { migrationListOf, noFilters, withSchemaEngine } from './schema-engine.ts';

const schemaFile = fileURLToPath(new URL('./schema.prisma', import.meta.url));

/**
 * Returns the SQL that would bring a database with all migrations to what schema.prisma says, or an empty text
 * if they agree. Rules that the schema language cannot express (CHECKs, partial unique indexes, triggers) stand
 * in the migrations only and are not reported.
 *
 * @param serverUrl a database of a server on which the engine may create a temporary database
 * @param more migrations beyond those in prisma/migrations
 */
export async function findDrift(serverUrl: string, more: readonly Migration[] = []): Promise<string> {
  const migrations = [...(await readMigrations()), ...more];
  const content = await readFile(schemaFile, 'utf8');
  const { exitCode, stdout } = await withSchemaEngine(serverUrl, (engine) =>
    engine.diff({
      from: { tag: 'migrations', ...migrationListOf(migrations) },
      to: { tag: 'schemaDatamodel', files: [{ path: schemaFile, content }] },
      script: true,
      exitCode: true,
      filters: noFilters,
    }),
  );
  return exitCode === 0 ? '' : (stdout ?? '');
}

/** As `findDrift`, on a PostgreSQL server that is started for it. */
export async function findDriftOnOwnServer(): Promise<string> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-drift-'));
  try {
    const postgres = await startEmbeddedPostgres({ dataFolder, settings: { fsync: 'off' } });
    try {
      return await findDrift(postgres.url);
    } finally {
      await postgres.stop();
    }
  } finally {
    await rm(dataFolder, { recursive: true, force: true });
  }
}
