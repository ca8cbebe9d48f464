import pg from 'pg';
import { withDeadline } from './deadline.ts';
import { withoutCredentials } from './logger.ts';
import { StartupError } from './startup-error.ts';

/** Milliseconds: to connect, and for the pooler to hand out a session. */
const connectTimeout = 5_000;
const sessionTimeout = 5_000;

/** The variables that name a database: an error says which of them to correct. */
export type DatabaseVariable = 'DATABASE_URL' | 'DATABASE_OWNER_URL' | '--url';

/** Opens a connection to the database. @throws StartupError if that fails */
export async function connectAtStart(
  databaseUrl: string,
  variable: DatabaseVariable = 'DATABASE_URL',
): Promise<pg.Client> {
  try {
    const client = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: connectTimeout,
      keepAlive: true,
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  } catch (error) {
    throw new StartupError(
      `The database at ${addressOf(databaseUrl)} cannot be reached (${reasonOf(error)}): start it, or correct ${variable}.`,
      { cause: error },
    );
  }
}

/**
 * Checks that each connection keeps its session. Behind a pooler that gives the server's connections to others between
 * transactions, two open connections get the same session, and settings, locks and prepared statements are lost.
 *
 * @throws StartupError if the database cannot be reached, or the pooler does not keep sessions or has too few
 */
export async function requireSessions(
  databaseUrl: string,
  variable: DatabaseVariable = 'DATABASE_URL',
): Promise<void> {
  const clients: pg.Client[] = [];
  try {
    const sessions = new Set<number>();
    for (let count = 0; count < 2; count += 1) {
      const client = await connectAtStart(databaseUrl, variable);
      clients.push(client);
      sessions.add(await sessionOf(client, variable));
    }
    if (sessions.size === 2) return;
    throw new StartupError(
      `${variable} leads to a connection pooler that does not keep sessions: set pool_mode = session in PgBouncer, or lead to PostgreSQL itself.`,
    );
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function sessionOf(client: pg.Client, variable: DatabaseVariable): Promise<number> {
  try {
    const { rows } = await withDeadline(
      client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid'),
      sessionTimeout,
      () => new Error(`no answer within ${sessionTimeout / 1_000} s`),
    );
    return rows[0]?.pid ?? 0;
  } catch (error) {
    throw new StartupError(
      `${variable} leads to a server that answers no statement (${reasonOf(error)}): a pooler needs a connection to PostgreSQL for each of the gateway's (default_pool_size in PgBouncer, 1.3 × DATABASE_POOL_SIZE + 8 for each gateway).`,
      { cause: error },
    );
  }
}

function addressOf(databaseUrl: string): string {
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}

/** One line without credentials. An address with several IPs fails with several errors in one. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const message = error instanceof Error ? error.message : String(error);
  return withoutCredentials(
    message.split('\n').find((line) => line.trim() !== '') ?? 'no reason given',
  ).trim();
}
