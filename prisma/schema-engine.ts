import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import type { Migration } from '../src/platform/migrations.ts';

/** Tells the schema engine to look at every table and enum. */
export const noFilters = { externalTables: [], externalEnums: [] };

/** Migrations in the form in which the schema engine takes them. */
export function migrationListOf(migrations: readonly Migration[]): MigrationList {
  return {
    baseDir: '.',
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}

/** Prisma's driver adapter for a database and its temporary neighbours, with the adapter's faults mended. */
class MigrationAdapter extends PrismaPg {
  readonly #config: pg.PoolConfig;
  readonly #open = new Set<pg.Pool>();

  constructor(config: pg.PoolConfig) {
    super(config);
    this.#config = config;
  }

  override connect(): ReturnType<PrismaPg['connect']> {
    return this.#connectTo(this.#config);
  }

  /** Connects to a new database beside the main one. The adapter's own would drop it while still connected. */
  override async connectToShadowDb(): ReturnType<PrismaPg['connectToShadowDb']> {
    const database = `prisma_shadow_${randomUUID()}`;
    await this.#administer(`CREATE DATABASE "${database}"`);
    const adapter = await this.#connectTo({ ...this.#config, database });
    const disconnect = adapter.dispose.bind(adapter);
    adapter.dispose = async () => {
      await disconnect();
      await this.#administer(`DROP DATABASE "${database}"`);
    };
    return adapter;
  }

  /** The engine does not close all of its connections. */
  async end(): Promise<void> {
    await Promise.all([...this.#open].map((pool) => this.#close(pool)));
  }

  async #connectTo(config: pg.PoolConfig): ReturnType<PrismaPg['connect']> {
    const pool = new pg.Pool(config);
    pool.on('error', () => undefined);
    this.#open.add(pool);
    const adapter = await new PrismaPg(pool).connect();
    // The adapter splits a script at every semicolon, which breaks function bodies. The server splits it right.
    adapter.executeScript = async (script) => {
      await pool.query(script);
    };
    adapter.dispose = () => this.#close(pool);
    readCatalogueChars(adapter);
    return adapter;
  }

  async #close(pool: pg.Pool): Promise<void> {
    if (this.#open.delete(pool)) await pool.end();
  }

  async #administer(statement: string): Promise<void> {
    const client = new pg.Client(this.#config);
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  }
}

type Adapter = Awaited<ReturnType<PrismaPg['connect']>>;

/** Object ids of types in PostgreSQL's catalogue. */
const charType = 18;
const textType = 25;

/**
 * The adapter does not know PostgreSQL's internal type "char", in which the catalogue keeps what a foreign
 * key does on delete. This reads such columns as text and declares them to the engine as single characters.
 */
function readCatalogueChars(adapter: Adapter): void {
  const charColumns = new Map<string, number[]>();
  const pool = adapter.underlyingDriver();
  const query = pool.query.bind(pool);
  const queryWithoutChars = async (statement: pg.QueryArrayConfig): Promise<pg.QueryArrayResult> => {
    const result = await query(statement);
    const chars = result.fields?.filter(({ dataTypeID }) => dataTypeID === charType) ?? [];
    charColumns.set(
      statement.text,
      chars.map((field) => result.fields.indexOf(field)),
    );
    for (const field of chars) field.dataTypeID = textType;
    return result;
  };
  Object.assign(pool, { query: queryWithoutChars });

  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (statement) => {
    const result = await queryRaw(statement);
    for (const column of charColumns.get(statement.sql) ?? []) {
      result.columnTypes[column] = ColumnTypeEnum.Character;
    }
    return result;
  };
}

/** Milliseconds. */
const connectTimeout = 5_000;
const statementTimeout = 60_000;

/**
 * Runs `work` with Prisma's schema engine on a database. It is the WebAssembly build: nothing to download and
 * no process of its own. Only development and tests use it; a gateway applies its migrations by plain SQL.
 */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const SchemaEngine = await loadEngine();
  // In parts, so that the name of the database can be replaced.
  const { host, port, user, password, database } = new pg.Client(databaseUrl);
  const adapter = new MigrationAdapter({
    ...{ host, port, user, password, database },
    max: 2,
    connectionTimeoutMillis: connectTimeout,
    statement_timeout: statementTimeout,
  });
  let engine: SchemaEngine | undefined;
  try {
    engine = await SchemaEngine.new(
      { datamodels: undefined },
      () => undefined,
      bindMigrationAwareSqlAdapterFactory(adapter),
    );
    return await work(engine);
  } finally {
    engine?.free();
    await adapter.end();
  }
}

let loading: Promise<typeof SchemaEngine> | undefined;

/**
 * Instantiates the package's `.wasm` by hand. The package's own entry imports it as a module, for which Node
 * prints a warning about an experimental feature.
 */
function loadEngine(): Promise<typeof SchemaEngine> {
  loading ??= (async () => {
    const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
    const entry = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm');
    const file = join(dirname(entry), 'schema_engine_bg.wasm');
    const { instance } = await WebAssembly.instantiate(await readFile(file), {
      './schema_engine_bg.js': glue,
    });
    glue.__wbg_set_wasm(instance.exports);
    const start = instance.exports['__wbindgen_start'];
    if (typeof start !== 'function') throw new Error('The schema engine has no start function');
    start();
    return glue.SchemaEngine;
  })();
  return loading;
}
