import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { warmUp } from '../../src/commands/warm-up.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { gatewayUrl, type TestDatabase } from '../support/postgres.ts';
import { createDatabaseWithWorld } from '../support/world.ts';

let made: TestDatabase;
let database: Database;
const statements: string[] = [];
const lines: string[] = [];

beforeAll(async () => {
  made = await createDatabaseWithWorld();
  database = openDatabase({
    url: gatewayUrl(made.url),
    logger: createLogger('silent'),
    poolSize: 4,
    deadlines: generousDatabaseDeadlines,
    onStatement: (sql) => void statements.push(sql),
  });
});
afterAll(async () => {
  await database?.dispose();
  await made?.dispose();
});

test('a gateway that warms up opens its connections, and leaves nothing behind', async () => {
  const announce = vi.fn();
  const logger = createLogger('warn', { write: (line) => void lines.push(line) });
  const written = () =>
    database.pool.query(
      `SELECT (SELECT count(*) FROM audit_entries) AS entries, (SELECT count(*) FROM events) AS events`,
    );
  const { rows: before } = await written();
  await warmUp({ database, clock: (read) => read ?? new Date(), announce, logger }, 3);
  expect(lines).toEqual([]);
  expect(database.use().idle).toBe(3);
  expect((await written()).rows).toEqual(before);
  expect(announce).not.toHaveBeenCalled();
  // From its locks to its answer.
  expect(statements).toContain('ROLLBACK');
  expect(statements).not.toContain('COMMIT');
  expect(statements.some((sql) => sql.startsWith('SELECT pg_advisory_xact_lock'))).toBe(true);
  expect(statements.some((sql) => sql.startsWith('UPDATE idempotency_keys'))).toBe(true);
});
