import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { grantPrivileges } from './privileges.ts';
import { connectAtStart, type DatabaseVariable, reasonOf } from './startup-connection.ts';
import { StartupError } from './startup-error.ts';

/** One folder of prisma/migrations. */
export interface Migration {
  /** The folder's name. Migrations are applied in the order of their names. */
  readonly name: string;
  readonly sql: string;
  /**
   * The folder's `fill.sql`, for what would hold up too many others in one transaction: a statement that is run before the
   * migration, again and again, each time in a transaction of its own. `$1` is the text that it returned last, null at
   * first; once it returns null, nothing is left. Prisma's commands do not know it, so the migration does what is not done.
   */
  readonly fill?: string;
}

const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** Keys of advisory locks: the one that gateways take, and the one that Prisma's own commands take. */
const gatewaysLock = 5_284_871_022;
const prismasLock = 72_707_369;

/** Milliseconds: to wait for whoever else is migrating, and for each statement of a migration. */
const lockTimeout = 60_000;
const migrationTimeout = 300_000;

/**
 * Milliseconds that a statement of a migration waits for a table, since everybody else waits behind it; then the migration
 * lets them go first, and is tried again after a pause, so many times.
 */
const tableTimeout = 2_000;
const tablePause = 1_000;
const attempts = 100;

/** Whoever owns the tables. */
export type Owner = {
  readonly url: string;
  /** The role that owns them, if the role of the URL is another one, which may act as it. */
  readonly role: string | null;
  /** What names the URL. */
  readonly variable: DatabaseVariable;
};

/**
 * Applies the migrations that the database does not have yet and returns their names.
 *
 * Each migration runs in one transaction together with its row in `_prisma_migrations`, so a migration that
 * fails changes nothing and the next start tries it again. The table is written as `prisma migrate deploy`
 * writes it: Prisma's commands can be used on the same database. Gateways that start together wait for one
 * another. Migrations of a newer version are left alone: this version runs beside it during an upgrade.
 *
 * @throws StartupError if the database cannot be reached, is too old, belongs to something else, has a
 *   history that does not fit these migrations, or rejects one of them, or if its role may not apply them.
 */
export async function applyMigrations(
  databaseUrl: string,
  migrations?: readonly Migration[],
): Promise<string[]> {
  return await migrate({ url: databaseUrl, role: null, variable: 'DATABASE_URL' }, null, migrations);
}

/** As `applyMigrations`, as the owner; then gives the runtime role the privileges that gateways need. */
export async function migrateAsOwner(owner: Owner, runtimeRole: string): Promise<string[]> {
  return await migrate(owner, runtimeRole);
}

async function migrate(
  { url, role, variable }: Owner,
  runtimeRole: string | null,
  migrations?: readonly Migration[],
): Promise<string[]> {
  const client = await connectAtStart(url, variable);
  try {
    await client.query(`SET statement_timeout = ${lockTimeout}`);
    await requireVersion(client, variable);
    if (role !== null) await client.query(`SET ROLE ${pg.escapeIdentifier(role)}`);
    // Both locks end with the connection.
    await takeLocks(client);
    const history = await readHistory(client, variable);
    const pending = findPending(migrations ?? (await readMigrations()), history);
    if (pending.length > 0) await requireOwner(client, pending);
    for (const migration of pending) await apply(client, migration);
    if (runtimeRole !== null) await grantPrivileges(client, runtimeRole);
    return pending.map(({ name }) => name);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(`The database's tables could not be brought up to date (${reasonOf(error)}).`, {
      cause: error,
    });
  } finally {
    await client.end();
  }
}

/** The migrations of a folder, in the order in which they are applied. */
export async function readMigrations(folder: string = migrationsFolder): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return await Promise.all(
    names.sort().map(async (name) => ({
      name,
      sql: await readFile(join(folder, name, 'migration.sql'), 'utf8'),
      ...(existsSync(join(folder, name, 'fill.sql'))
        ? { fill: await readFile(join(folder, name, 'fill.sql'), 'utf8') }
        : {}),
    })),
  );
}

const oldestVersion = 15;

async function requireVersion(client: pg.Client, variable: DatabaseVariable): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version`,
  );
  const version = rows[0]?.version ?? 0;
  if (version < oldestVersion) {
    throw new StartupError(
      `The database is PostgreSQL ${version}: ${variable} must lead to version ${oldestVersion} or later.`,
    );
  }
}

async function takeLocks(client: pg.Client): Promise<void> {
  try {
    await client.query('SELECT pg_advisory_lock($1)', [gatewaysLock]);
    await client.query('SELECT pg_advisory_lock($1)', [prismasLock]);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== statementTimedOut) throw error;
    throw new StartupError(
      `Somebody else has been migrating this database for ${lockTimeout / 1_000} s: start again when they have finished.`,
      { cause: error },
    );
  }
}

const statementTimedOut = '57014';

/** A row of `_prisma_migrations` that was not rolled back. */
interface HistoryRow {
  readonly name: string;
  readonly checksum: string;
  readonly startedAt: Date;
  /** Null: the migration failed, or is one that Prisma is applying. */
  readonly finishedAt: Date | null;
}

/** Reads what was applied to the database. In an empty database, creates the table for it. */
async function readHistory(client: pg.Client, variable: DatabaseVariable): Promise<HistoryRow[]> {
  const { rows: found } = await client.query<{ history: boolean; other: string | null; mayCreate: boolean }>(`
    SELECT to_regclass('_prisma_migrations') IS NOT NULL AS history,
           has_schema_privilege(current_schema(), 'CREATE') AS "mayCreate", (
      SELECT min(relname) FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND NOT EXISTS (
          SELECT FROM pg_depend
          WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
    ) AS other`);
  const { history = false, other = null, mayCreate = false } = found[0] ?? {};
  if (!history) {
    if (other !== null) {
      throw new StartupError(
        `The database is not empty and not Latchkey's (it has "${other}"): ${variable} must lead to an empty database or one of Latchkey's.`,
      );
    }
    if (!mayCreate) throw new StartupError(`The database has no tables yet. ${ownerIsNeeded}`);
    await client.query(historyTable);
  }
  const { rows } = await client.query<HistoryRow>(`
    SELECT migration_name AS name, checksum, started_at AS "startedAt", finished_at AS "finishedAt"
    FROM _prisma_migrations WHERE rolled_back_at IS NULL`);
  return rows;
}

/** As Prisma's schema engine creates it. */
const historyTable = `
  CREATE TABLE "_prisma_migrations" (
    "id"                  VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum"            VARCHAR(64) NOT NULL,
    "finished_at"         TIMESTAMPTZ,
    "migration_name"      VARCHAR(255) NOT NULL,
    "logs"                TEXT,
    "rolled_back_at"      TIMESTAMPTZ,
    "started_at"          TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
  )`;

const ownerIsNeeded =
  'The role of DATABASE_URL may not make them: set DATABASE_OWNER_URL, or run `npm run database:setup`.';

/** @throws StartupError if the role does not own the tables, so that it cannot migrate them */
async function requireOwner(client: pg.Client, [first]: readonly Migration[]): Promise<void> {
  const { rows } = await client.query<{ owns: boolean }>(
    `SELECT pg_has_role(relowner, 'USAGE') AS owns FROM pg_class WHERE oid = '_prisma_migrations'::regclass`,
  );
  if (rows[0]?.owns !== true) {
    throw new StartupError(
      `The tables of this version are not there yet: migration ${first?.name} is missing. ${ownerIsNeeded}`,
    );
  }
}

/** Returns the migrations that the history lacks. @throws StartupError if the history does not fit them. */
function findPending(migrations: readonly Migration[], history: readonly HistoryRow[]): Migration[] {
  const failed = history.find(({ finishedAt }) => finishedAt === null);
  if (failed !== undefined) {
    const { name, startedAt } = failed;
    throw new StartupError(
      `Migration ${name} began on ${startedAt.toISOString()} and did not finish: docs/operating.md says what to do under "A migration that failed".`,
    );
  }
  const applied = new Map(history.map((row) => [row.name, row]));
  const last = migrations.at(-1)?.name ?? '';
  const onDisk = new Set(migrations.map(({ name }) => name));
  const missing = [...applied.keys()].sort().find((name) => name < last && !onDisk.has(name));
  if (missing !== undefined) {
    throw new StartupError(
      `The database has migration ${missing}, which this version of Latchkey lacks: start the version that applied it, or a later one.`,
    );
  }
  const changed = migrations.find(({ name, sql }) => {
    const row = applied.get(name);
    return row !== undefined && !checksumsOf(sql).includes(row.checksum);
  });
  if (changed !== undefined) {
    throw new StartupError(
      `Migration ${changed.name} is not the one that this database has: restore prisma/migrations/${changed.name}/migration.sql as it was released.`,
    );
  }
  return migrations.filter(({ name }) => !applied.has(name));
}

/** The checksum that Prisma records, first as the file is and then with each kind of line ending. */
function checksumsOf(sql: string): string[] {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].map((text) =>
    createHash('sha256').update(text).digest('hex'),
  );
}

/** Applies one migration, and fills before it what it says. */
async function apply(client: pg.Client, migration: Migration): Promise<void> {
  try {
    if (migration.fill !== undefined) await fill(client, migration.fill);
    for (let left = attempts; !(await applyUnlessBusy(client, migration, left > 1)); left -= 1)
      await setTimeout(tablePause);
  } catch (error) {
    // The connection is closed next, which rolls the transaction back.
    throw new StartupError(
      `Migration ${migration.name} failed and was rolled back (${reasonOf(error)}${hintOf(error)}): the database is as it was before.`,
      { cause: error },
    );
  }
}

async function fill(client: pg.Client, statement: string): Promise<void> {
  for (let after: unknown = null; ; ) {
    const { rows } = await client.query({ text: statement, values: [after], rowMode: 'array' });
    [after] = rows[0] ?? [null];
    if (after === null) return;
  }
}

/**
 * Applies the migration. Returns false if others held what it needs, and `mayRetry`: then nothing was changed. Its file is
 * sent as one query without parameters, so that the server and not a client splits it into statements: functions contain
 * semicolons.
 */
async function applyUnlessBusy(
  client: pg.Client,
  { name, sql }: Migration,
  mayRetry: boolean,
): Promise<boolean> {
  const id = randomUUID();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL statement_timeout = ${migrationTimeout}`);
    await client.query(`SET LOCAL lock_timeout = ${tableTimeout}`);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at)
       VALUES ($1, $2, $3, clock_timestamp())`,
      [id, checksumsOf(sql)[0], name],
    );
    await client.query(sql);
    await client.query(
      'UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = $1',
      [id],
    );
    await client.query('COMMIT');
    return true;
  } catch (error) {
    if (!mayRetry || !isBusy(error)) throw error;
    await client.query('ROLLBACK');
    return false;
  }
}

/** Whether a lock was not to be had in time, or whoever holds it waits for this transaction. */
function isBusy(error: unknown): boolean {
  return error instanceof pg.DatabaseError && ['55P03', '40P01'].includes(error.code ?? '');
}

/** What the database says to do about an error. */
function hintOf(error: unknown): string {
  return error instanceof pg.DatabaseError && error.hint !== undefined ? `; ${error.hint}` : '';
}
