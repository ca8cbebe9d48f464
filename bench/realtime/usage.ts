import { setTimeout as wait } from 'node:timers/promises';

/** The processor time that this process has used so far (user and system), in milliseconds. */
export function cpuUsed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** The resident memory of this process after garbage collection, in bytes. */
export async function idleMemory(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0; unchanged < 3; ) {
    globalThis.gc?.();
    await wait(100);
    const { rss } = process.memoryUsage();
    unchanged = rss < least * 0.995 ? 0 : unchanged + 1;
    least = Math.min(least, rss);
  }
  return least;
}
