import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import { startEmbeddedPostgres } from '../src/platform/embedded-postgres.ts';
import { noFilters, readMigrations } from '../src/platform/migrations.ts';
import { withSchemaEngine } from '../src/platform/schema-engine.ts';

const schemaFile = fileURLToPath(new URL('./schema.prisma', import.meta.url));

/**
 * The SQL that would bring a database with all migrations to what schema.prisma says; empty if they agree.
 * Works on a database of its own. Rules the schema has no words for (CHECKs, partial uniques, triggers)
 * stand in the migrations alone and are no difference.
 *
 * @param more migrations beyond those on disk
 */
export async function findDrift(more: MigrationList['migrationDirectories'] = []): Promise<string> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-drift-'));
  const postgres = await startEmbeddedPostgres({ dataFolder, settings: { fsync: 'off' } });
  try {
    const migrations = await readMigrations();
    const content = await readFile(schemaFile, 'utf8');
    const deadlines = { connect: 5_000, statement: 60_000 };
    const { exitCode, stdout } = await withSchemaEngine(postgres.url, deadlines, (engine) =>
      engine.diff({
        from: {
          tag: 'migrations',
          ...migrations,
          migrationDirectories: [...migrations.migrationDirectories, ...more],
        },
        to: { tag: 'schemaDatamodel', files: [{ path: schemaFile, content }] },
        script: true,
        exitCode: true,
        filters: noFilters,
      }),
    );
    return exitCode === 0 ? '' : (stdout ?? '');
  } finally {
    await postgres.stop();
    await rm(dataFolder, { recursive: true, force: true });
  }
}
