import { inject } from 'vitest';
import type { FoundProgram } from './find-program.ts';
import { type RedisServer, type RedisServerOptions, startRedisServer } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    redis: FoundProgram;
  }
}

export type TestRedis = RedisServer;

/** Starts a Redis server for the caller. */
export async function startRedis(options: RedisServerOptions = {}): Promise<TestRedis> {
  return await startRedisServer(inject('redis'), options);
}
