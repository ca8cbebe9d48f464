/** What a gateway does by itself: ends what time has ended, forgets what is kept long enough. */
import { setTimeout as wait } from 'node:timers/promises';
import { deleteEventsBefore } from '../events/outbox.ts';
import { endLapsedGrants } from './end-lapsed-grants.ts';
import type { Dependencies } from './execute.ts';
import { forgetAnswers } from './idempotency.ts';

/** Milliseconds between two sweeps for lapsed grants, and between two rounds of forgetting. */
const sweepInterval = 1_000;
const forgetInterval = 60_000;

/** How long events are kept for clients that resume, in milliseconds: 30 days. */
const eventsKeptFor = 30 * 24 * 60 * 60 * 1000;

/** How many rows one round forgets of a kind at most. */
const rowsPerRound = 5_000;

export type Upkeep = {
  /** Resolves when what is under way has ended. */
  dispose(): Promise<void>;
};

/** Starts the upkeep. A round that fails is logged and tried again at the next turn. */
export function startUpkeep(dependencies: Dependencies): Upkeep {
  const stop = new AbortController();
  const loops = [
    repeat('end lapsed grants', sweepInterval, () => endLapsedGrants(dependencies)),
    repeat('forget', forgetInterval, async () => {
      const { database, clock } = dependencies;
      const now = clock();
      await forgetAnswers(database.prisma, now, rowsPerRound);
      await deleteEventsBefore(database.pool, new Date(now.getTime() - eventsKeptFor), rowsPerRound);
    }),
  ];

  async function repeat(what: string, interval: number, work: () => Promise<unknown>): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await work();
      } catch (error) {
        dependencies.logger.warn({ err: error }, `Upkeep failed for now: ${what}`);
      }
      await wait(interval, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }

  return {
    dispose: async () => {
      stop.abort();
      await Promise.all(loops);
    },
  };
}
