import type { TestProject } from 'vitest/node';
import { findProgram } from './find-program.ts';
import { startSharedPostgres } from './postgres.ts';

/** Once per run: starts a PostgreSQL server with a migrated template database, and finds Redis. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const [{ dispose, ...postgres }, redis] = await Promise.all([
    startSharedPostgres(process.env['TEST_DATABASE_URL']),
    findProgram('redis-server', 'REDIS_SERVER'),
  ]);
  project.provide('postgres', postgres);
  project.provide('redis', redis);
  return dispose;
}
