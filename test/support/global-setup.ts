import type { TestProject } from 'vitest/node';
import { startSharedPostgres } from './postgres.ts';
import { findRedis } from './redis-server.ts';

/** Once per run: starts a PostgreSQL server with a migrated template database, and finds Redis. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const [{ dispose, ...postgres }, redis] = await Promise.all([
    startSharedPostgres(process.env['TEST_DATABASE_URL']),
    findRedis(process.env['REDIS_SERVER']),
  ]);
  project.provide('postgres', postgres);
  project.provide('redis', redis);
  return dispose;
}
