/**
 * The request handlers of every measured server: to start it, to measure its processor time and memory, and to write
 * events in its own process, as after a mutation.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { answerRequests } from '../processes.ts';
import { openPublisher } from '../servers.ts';
import { createWriter } from '../writing.ts';

export type Setting = { redisUrl: string; databaseUrl: string };
/** The URL and the subprotocol with which clients connect. */
export type Started = { url: string; protocol: string };

/** @param openOwnPublisher how the server's own process publishes; by default as another process does */
export function serve(
  start: (setting: Setting) => Promise<Started>,
  openOwnPublisher: typeof openPublisher = openPublisher,
) {
  const handlers = {
    start,
    ...createWriter(openOwnPublisher),

    /** Returns the processor time used so far (user and system), in milliseconds. */
    cpu(): number {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    },

    /** Returns the resident memory after garbage collection, in bytes. */
    async memory(): Promise<number> {
      let least = Number.POSITIVE_INFINITY;
      for (let unchanged = 0; unchanged < 3; ) {
        globalThis.gc?.();
        await wait(100);
        const { rss } = process.memoryUsage();
        unchanged = rss < least * 0.995 ? 0 : unchanged + 1;
        least = Math.min(least, rss);
      }
      return least;
    },
  };
  answerRequests(handlers);
  return handlers;
}

export type ServerHandlers = ReturnType<typeof serve>;
