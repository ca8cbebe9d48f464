import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { withoutCredentials } from './logger.ts';
import { withSchemaEngine } from './schema-engine.ts';
import { StartupError } from './startup-error.ts';

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
 * A database that cannot be reached, is too old or refuses a migration comes as a StartupError.
 */
export async function applyMigrations(databaseUrl: string): Promise<string[]> {
  const holder = await connect(databaseUrl);
  try {
    await requireVersion(holder);
    await holder.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    const migrationsList = await readMigrations();
    const { appliedMigrationNames } = await withSchemaEngine(
      databaseUrl,
      { connect: connectDeadline, statement: migrationDeadline },
      (engine) => engine.applyMigrations({ migrationsList, filters: noFilters }),
    );
    return appliedMigrationNames;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(`The database's tables could not be brought up to date (${reasonOf(error)}).`, {
      cause: error,
    });
  } finally {
    // The lock ends with its connection.
    await holder.end();
  }
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectDeadline,
    statement_timeout: lockDeadline,
    keepAlive: true,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    throw new StartupError(
      `The database at ${addressOf(databaseUrl)} cannot be reached (${reasonOf(error)}): start it, or correct DATABASE_URL.`,
      { cause: error },
    );
  }
}

const oldestVersion = 15;

async function requireVersion(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version`,
  );
  const version = rows[0]?.version ?? 0;
  if (version < oldestVersion) {
    throw new StartupError(
      `The database is PostgreSQL ${version}: DATABASE_URL must lead to version ${oldestVersion} or later.`,
    );
  }
}

function addressOf(databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}

/** One line without credentials. An address with several IPs fails with several errors in one. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  return withoutCredentials(
    message.split('\n').find((line) => line.trim() !== '') ?? 'no reason given',
  ).trim();
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
