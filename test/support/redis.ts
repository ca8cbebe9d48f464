import { inject } from 'vitest';
import { type RedisProgram, type RedisServer, startRedisServer } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    redis: RedisProgram;
  }
}

export type TestRedis = RedisServer;

/** A Redis server of the caller's own. With `port`: there, so that a stopped one comes back. */
export async function startRedis(options: { port?: number } = {}): Promise<TestRedis> {
  return await startRedisServer(inject('redis'), options);
}
