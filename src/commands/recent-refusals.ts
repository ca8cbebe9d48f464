import { GenerationalCache } from '../platform/generational-cache.ts';

/** Remembers whom this gateway has refused something lately, so that their next commands are checked before the locks. */
export type RecentRefusals = {
  note(accountId: string): void;
  /** Whether the account was refused something within the last half to one minute. */
  has(accountId: string): boolean;
};

const rememberedMs = 30_000;
const mostRemembered = 10_000;

/** @param now milliseconds of a clock that runs steadily */
export function createRecentRefusals(now: () => number = () => performance.now()): RecentRefusals {
  const refused = new GenerationalCache<string, true>();
  let rotatedAt = now();

  function forgetTheOldest(): void {
    const age = now() - rotatedAt;
    if (age < rememberedMs && refused.size < mostRemembered) return;
    refused.rotate();
    if (age >= 2 * rememberedMs) refused.rotate();
    rotatedAt = now();
  }

  return {
    note(accountId) {
      forgetTheOldest();
      refused.set(accountId, true);
    },
    has(accountId) {
      forgetTheOldest();
      return refused.get(accountId) === true;
    },
  };
}
