/** Connections of one test, and what the database refuses on them. */
import pg from 'pg';
import { onTestFinished } from 'vitest';

/** A connection for the rest of the test. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** The message with which the database refuses the statement, or `accepted`. Ends the transaction that it may be in. */
export async function refusalOf(client: pg.Client, statement: string): Promise<string> {
  const refused = await client.query(statement).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  await client.query('ROLLBACK');
  return refused;
}
