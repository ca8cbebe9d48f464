import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { withSchemaEngine } from './schema-engine.ts';

const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** Any number, the same for every gateway; Prisma's own commands use another. */
const migrationLock = 5_284_871_022;

/** Milliseconds: to reach the database, to wait for a gateway that migrates, and for one migration. */
const connectDeadline = 5_000;
const lockDeadline = 60_000;
const migrationDeadline = 300_000;

/**
 * Brings the database up to the migrations in prisma/migrations and returns the names of those applied now.
 *
 * Keeps Prisma's own record (`_prisma_migrations`), so `prisma migrate deploy` may be used on the same
 * database. Gateways that start together wait for one another. A migration that fails changes nothing.
 */
export async function applyMigrations(databaseUrl: string): Promise<string[]> {
  const holder = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectDeadline,
    statement_timeout: lockDeadline,
    keepAlive: true,
  });
  holder.on('error', () => undefined);
  await holder.connect();
  try {
    await holder.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    const migrationsList = await readMigrations();
    const { appliedMigrationNames } = await withSchemaEngine(
      databaseUrl,
      { connect: connectDeadline, statement: migrationDeadline },
      (engine) => engine.applyMigrations({ migrationsList, filters: noFilters }),
    );
    return appliedMigrationNames;
  } finally {
    // The lock ends with its connection.
    await holder.end();
  }
}

/** The schema engine's way of saying that every table and enum is ours. */
export const noFilters = { externalTables: [], externalEnums: [] };

/** The migrations on disk, as the schema engine wants them. */
export async function readMigrations(folder: string = migrationsFolder): Promise<MigrationList> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return {
    baseDir: folder,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(join(folder, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.sort().map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: await readFile(join(folder, name, 'migration.sql'), 'utf8') },
        },
      })),
    ),
  };
}
