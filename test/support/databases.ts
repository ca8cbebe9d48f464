import pg from 'pg';
import { generousMs } from './deadlines.ts';

/** The URL of another database on the same server. */
export function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}

/** Runs one statement that creates or drops databases. */
export async function administer(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl, connectionTimeoutMillis: generousMs });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
