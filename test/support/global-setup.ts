import type { TestProject } from 'vitest/node';
import { findBundle } from '../../src/bundle.ts';
import { findProgram } from './find-program.ts';
import { startSharedPostgres } from './postgres.ts';

let started: ReturnType<typeof start> | undefined;
let users = 0;

/**
 * Once per run: starts a PostgreSQL server with a migrated template database, and finds Redis. The gateways that tests start as
 * processes run the bundle, as users' do.
 */
async function start() {
  // The bundler is loaded only if there is something to bundle.
  if (findBundle() === undefined) await (await import('../../build/bundle.ts')).makeBundle();
  const [{ dispose, ...postgres }, redis] = await Promise.all([
    startSharedPostgres(process.env['TEST_DATABASE_URL']),
    findProgram('redis-server', 'REDIS_SERVER'),
  ]);
  return { postgres, redis, dispose };
}

/** For each project that uses servers. The last one to end stops them. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  users += 1;
  started ??= start();
  const { postgres, redis, dispose } = await started;
  project.provide('postgres', postgres);
  project.provide('redis', redis);
  return async () => {
    users -= 1;
    if (users === 0) await dispose();
  };
}
