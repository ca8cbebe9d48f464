/** The contents of a database, and how to load them into another one. */
import pg from 'pg';
import { newId } from '../../src/platform/ids.ts';
import { applyMigrations } from '../../src/platform/migrations.ts';
import { generousMs } from './deadlines.ts';

/** The rows of every table, and the values of the sequences. */
export type Dump = {
  readonly tables: readonly { name: string; rows: string }[];
  readonly sequences: readonly { name: string; value: string }[];
};

export function dumpOf(url: string): Promise<Dump> {
  return connected(url, async (client) => {
    const { rows: names } = await client.query<{ name: string }>(
      `SELECT quote_ident(tablename) AS name FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'`,
    );
    const tables: Dump['tables'][number][] = [];
    for (const { name } of names) {
      const { rows } = await client.query<{ rows: string }>(
        `SELECT coalesce(json_agg(t), '[]')::text AS rows FROM ${name} AS t`,
      );
      tables.push({ name, rows: rows[0]?.rows ?? '[]' });
    }
    const { rows: sequences } = await client.query<Dump['sequences'][number]>(
      `SELECT quote_ident(sequencename) AS name, last_value::text AS value FROM pg_sequences
        WHERE schemaname = 'public' AND last_value IS NOT NULL`,
    );
    return { tables, sequences };
  });
}

/** Applies the migrations, and replaces everything by what is in the dump. */
export async function restoreInto(url: string, { tables, sequences }: Dump): Promise<void> {
  const quote = `restored_${newId().replaceAll('-', '')}`;
  await applyMigrations(url);
  const statements = [
    'BEGIN',
    // Without triggers and foreign keys, as pg_restore loads data.
    'SET LOCAL session_replication_role = replica',
    ...tables.map(({ name }) => `DELETE FROM ${name}`),
    ...tables.map(
      ({ name, rows }) =>
        `INSERT INTO ${name} SELECT * FROM json_populate_recordset(NULL::${name}, $${quote}$${rows}$${quote}$)`,
    ),
    ...sequences.map(({ name, value }) => `SELECT setval('${name}', ${value})`),
    'COMMIT',
  ];
  await connected(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

async function connected<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: generousMs });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
