/** PostgreSQL and Redis for the measured servers, and a template database with people. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { applyMigrations } from '../../src/platform/migrations.ts';
import { administer, databaseUrl } from '../../test/support/databases.ts';
import { findProgram } from '../../test/support/find-program.ts';
import { startRedisServer } from '../../test/support/redis-server.ts';
import { insertPeople, type People } from './people.ts';

export type Infrastructure = {
  readonly redisUrl: string;
  readonly people: People;
  /** `PostgreSQL 18.0, Redis 7.0.15` */
  readonly versions: string;
  /** A migrated database with the people in it. */
  createDatabase(): Promise<{ url: string } & AsyncDisposable>;
} & AsyncDisposable;

const template = 'latchkey_bench';

export async function startInfrastructure(
  postgresSettings: Readonly<Record<string, string>>,
): Promise<Infrastructure> {
  await using begun = new AsyncDisposableStack();
  const dataFolder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'));
  begun.defer(() => rm(dataFolder, { recursive: true, force: true }));
  const redis = begun.adopt(
    await startRedisServer(await findProgram('redis-server', 'REDIS_SERVER')),
    (server) => server.stop(),
  );
  // As in production: a commit is on the disk before it is acknowledged.
  const postgres = begun.adopt(
    await startEmbeddedPostgres({ dataFolder, settings: postgresSettings }),
    (server) => server.stop(),
  );
  await administer(postgres.url, `CREATE DATABASE ${template}`);
  const templateUrl = databaseUrl(postgres.url, template);
  await applyMigrations(templateUrl);
  const people = await insertPeople(templateUrl);
  const versions = await versionsOf(postgres.url, redis.url);
  const running = begun.move();
  return {
    redisUrl: redis.url,
    people,
    versions,
    async createDatabase() {
      const name = `bench_${randomBytes(6).toString('hex')}`;
      await administer(postgres.url, `CREATE DATABASE ${name} TEMPLATE ${template}`);
      return {
        url: databaseUrl(postgres.url, name),
        [Symbol.asyncDispose]: () => administer(postgres.url, `DROP DATABASE ${name} WITH (FORCE)`),
      };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function versionsOf(databaseUrl: string, redisUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  const redis = new Redis(redisUrl);
  const [, redisVersion = '?'] = /redis_version:(\S+)/.exec(await redis.info('server')) ?? [];
  redis.disconnect();
  return `PostgreSQL ${rows[0]?.server_version ?? '?'}, Redis ${redisVersion}`;
}
