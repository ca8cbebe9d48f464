import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RateStore } from './rate-store.ts';

/** How many operations a second each key may begin, on the average of the window. */
export type Rate = {
  /** Counts one. Resolves to null, or to the milliseconds until the next one is allowed. */
  take(key: string): Promise<number | null>;
  dispose(): void;
};

/** Seconds. Somebody who has done nothing for so long may begin the operations of so many seconds at once. */
const windowSeconds = 10;

/** Milliseconds between two reports of what this gateway has counted. */
const reportMs = 250;

/**
 * A gateway counts by itself, so that no operation waits for Redis and none is refused because it is away. It adds what it
 * has counted to the counts of all gateways in Redis, if there is one, and stops somebody who has used up their rate there.
 */
export function createRate(name: string, perSecond: number, store: RateStore | null): Rate {
  const allowed = { points: perSecond * windowSeconds, duration: windowSeconds };
  const own = new RateLimiterMemory({ keyPrefix: name, ...allowed });
  const shared =
    store === null
      ? null
      : new RateLimiterRedis({
          keyPrefix: `${store.prefix}:rate:${name}`,
          storeClient: store.client,
          ...allowed,
        });
  const unreported = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function report(limiter: RateLimiterRedis): void {
    timer = undefined;
    for (const [key, count] of unreported) {
      limiter.consume(key, count).catch(async (reason: unknown) => {
        // An error says only that Redis is away.
        if (reason instanceof RateLimiterRes) await own.block(key, reason.msBeforeNext / 1_000);
      });
    }
    unreported.clear();
  }

  return {
    async take(key) {
      try {
        await own.consume(key);
      } catch (reason) {
        if (reason instanceof RateLimiterRes) return Math.max(1, reason.msBeforeNext);
        throw reason;
      }
      if (shared !== null) {
        unreported.set(key, (unreported.get(key) ?? 0) + 1);
        timer ??= setTimeout(report, reportMs, shared);
      }
      return null;
    },
    dispose: () => clearTimeout(timer),
  };
}
