/** What every server that is measured has in common: it starts, and tells what it uses. */
import { setTimeout as wait } from 'node:timers/promises';
import { obey } from '../processes.ts';

export type Setting = { redisUrl: string; databaseUrl: string };
/** Where clients connect, and by which subprotocol. */
export type Started = { url: string; protocol: string };

export function serve(start: (setting: Setting) => Promise<Started>) {
  const handlers = {
    start,

    /** Milliseconds of processor time so far, in the program and in the kernel on its behalf. */
    cpu(): number {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    },

    /** Bytes the process holds when all garbage is gone. */
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
  obey(handlers);
  return handlers;
}

export type ServerHandlers = ReturnType<typeof serve>;
