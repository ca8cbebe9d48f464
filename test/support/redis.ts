import { inject } from 'vitest';
import type { FoundProgram } from './find-program.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    redis: FoundProgram;
  }
}

export type TestRedis = RedisServer;

/** Starts a Redis server for the caller. With `port`, it starts at the address of a server that was stopped. */
export async function startRedis(options: { port?: number } = {}): Promise<TestRedis> {
  return await startRedisServer(inject('redis'), options);
}
