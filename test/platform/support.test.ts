import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase, startOwnPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';

async function count(url: string, sql: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return Number((await client.query(sql)).rows[0].count);
  } finally {
    await client.end();
  }
}

test('each test database is migrated, empty and separate', async () => {
  const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const insert = `WITH made AS (
    INSERT INTO vendor_domains VALUES ('vendor.example') RETURNING 1
  ) SELECT count(*) FROM made`;
  expect(await count(one.url, insert)).toBe(1);
  expect(await count(one.url, 'SELECT count(*) FROM vendor_domains')).toBe(1);
  expect(await count(other.url, 'SELECT count(*) FROM vendor_domains')).toBe(0);
  await one.dispose();
  await expect(count(one.url, 'SELECT count(*) FROM vendor_domains')).rejects.toThrow(/does not exist/);
  await other.dispose();
});

test('a test’s own server keeps its address and its data when it is stopped, killed or suspended', async () => {
  const server = await startOwnPostgres();
  await count(server.url, `CREATE TABLE kept AS SELECT 1 AS count`).catch(() => 0);
  await server.crash();
  await expect(count(server.url, 'SELECT count FROM kept')).rejects.toThrow(/ECONNREFUSED/);
  await server.start();
  await server.freeze();
  const whileFrozen = count(server.url, 'SELECT count FROM kept');
  await server.thaw();
  expect(await whileFrozen).toBe(1);
  await server.stop();
  await server.start();
  expect(await count(server.url, 'SELECT count FROM kept')).toBe(1);
  await server.dispose();
  await expect(count(server.url, 'SELECT count FROM kept')).rejects.toThrow(/ECONNREFUSED/);
});

test('a stopped Redis can be started again at the same address', async () => {
  const first = await startRedis();
  await first.stop();
  const second = await startRedis({ port: first.port });
  expect(second.url).toBe(first.url);
  await second.stop();
});
