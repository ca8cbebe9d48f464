/** A generated log in a data folder of its own, which is kept between runs: millions of entries take long to make. */
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { applyMigrations } from '../../src/platform/migrations.ts';
import { type GeneratedLog, generateAuditLog, type LogSize } from './generate.ts';

export type KeptLog = {
  readonly url: string;
  readonly log: GeneratedLog;
  /** Ends the server, and keeps the folder. */
  stop(): Promise<void>;
};

/** What is lost with the machine is made anew. */
const whileGenerating = {
  ...{ fsync: 'off', full_page_writes: 'off', wal_level: 'minimal', max_wal_senders: '0', autovacuum: 'off' },
  ...{ max_wal_size: '8GB', shared_buffers: '1GB' },
};

/** Makes a log in a new folder, and ends the server. */
export async function keepLog(dataFolder: string, size: LogSize): Promise<GeneratedLog> {
  const server = await startEmbeddedPostgres({ dataFolder, settings: whileGenerating });
  try {
    await applyMigrations(server.url);
    const log = await generateAuditLog(server.url, size);
    await describe(server.url, log);
    return log;
  } finally {
    await server.stop();
  }
}

/** @param settings of the server, as in postgresql.conf */
export async function openKeptLog(
  dataFolder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<KeptLog> {
  const server = await startEmbeddedPostgres({ dataFolder, settings });
  try {
    const log = await descriptionAt(server);
    await applyMigrations(server.url);
    return { url: server.url, log, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The description is the comment of the database. */
async function describe(url: string, log: GeneratedLog): Promise<void> {
  await queried(url, `COMMENT ON DATABASE postgres IS ${pg.escapeLiteral(JSON.stringify(log))}`);
}

async function descriptionAt({ url }: EmbeddedPostgres): Promise<GeneratedLog> {
  const [row] = await queried(
    url,
    `SELECT shobj_description(oid, 'pg_database') AS text FROM pg_database WHERE datname = 'postgres'`,
  );
  const log = parsed(row?.['text']);
  if (log === null) throw new Error('No log has been made in this folder: npm run bench:log -- --folder');
  return { ...log, begin: new Date(log.begin), end: new Date(log.end) };
}

function parsed(text: unknown): GeneratedLog | null {
  // PostgreSQL describes its own database in words.
  return typeof text === 'string' && text.startsWith('{') ? JSON.parse(text) : null;
}

async function queried(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
