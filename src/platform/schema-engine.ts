import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import pg from 'pg';

/** Prisma's driver adapter for one database, and for the throw-away ones the engine makes beside it. */
class MigrationAdapter extends PrismaPg {
  #lastError: unknown;

  /** What the database last said against a migration: the engine's own message leaves it out. */
  get lastError(): unknown {
    return this.#lastError;
  }

  override async connect(): ReturnType<PrismaPg['connect']> {
    return this.#mended(await super.connect());
  }

  override async connectToShadowDb(): ReturnType<PrismaPg['connectToShadowDb']> {
    return this.#mended(await super.connectToShadowDb());
  }

  #mended<T extends Awaited<ReturnType<PrismaPg['connect']>>>(adapter: T): T {
    const pool = adapter.underlyingDriver();
    // The adapter splits a script at every semicolon, which tears function bodies apart. Sent whole, the
    // server splits it, and runs it as one transaction: a migration is applied or it is not.
    adapter.executeScript = async (script) => {
      try {
        await pool.query(script);
      } catch (error) {
        this.#lastError = error;
        throw error;
      }
    };
    readCatalogueChars(adapter);
    return adapter;
  }
}

/** Of the catalogue's own numbers for types. */
const charType = 18;
const textType = 25;

/**
 * The adapter does not know PostgreSQL's internal type "char", in which the catalogue keeps what a foreign
 * key does on delete. It is given as text, and told to the engine as the single character it is.
 */
function readCatalogueChars(adapter: Awaited<ReturnType<PrismaPg['connect']>>): void {
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
export interface SchemaEngineDeadlines {
  readonly connect: number;
  readonly statement: number;
}

/**
 * Prisma's schema engine (the WebAssembly build: nothing to download, no process) on a database.
 * Where the engine fails because of what the database said, that error is thrown instead of the engine's.
 */
export async function withSchemaEngine<T>(
  databaseUrl: string,
  deadlines: SchemaEngineDeadlines,
  work: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const SchemaEngine = await loadEngine();
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 2,
    connectionTimeoutMillis: deadlines.connect,
    statement_timeout: deadlines.statement,
  });
  pool.on('error', () => undefined);
  const adapter = new MigrationAdapter(pool);
  let engine: SchemaEngine | undefined;
  try {
    engine = await SchemaEngine.new(
      { datamodels: undefined },
      () => undefined,
      bindMigrationAwareSqlAdapterFactory(adapter),
    );
    return await work(engine);
  } catch (error) {
    throw adapter.lastError ?? error;
  } finally {
    engine?.free();
    await pool.end();
  }
}

let loading: Promise<typeof SchemaEngine> | undefined;

/**
 * The package's own entry imports its `.wasm` as a module, which Node announces as experimental on standard
 * error at every start. Instantiating the same file by hand does the same without the announcement.
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
