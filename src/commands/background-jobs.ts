/** What a gateway does by itself: ends what time has ended, writes to Guard admins, forgets what is kept long enough. */
import { setTimeout as wait } from 'node:timers/promises';
import { deleteEventsBefore } from '../events/outbox.ts';
import { deliverGuardMails } from '../notifications/guard-mail-delivery.ts';
import type { Mailer } from '../notifications/mailer.ts';
import { deleteGuardMailsBefore } from '../notifications/store.ts';
import { endExpiredGrants } from './end-expired-grants.ts';
import type { Dependencies } from './execute.ts';
import { forgetAnswers } from './idempotency.ts';

/** Milliseconds between two sweeps for lapsed grants, two rounds of mail, and two rounds of forgetting. */
const sweepInterval = 1_000;
const mailInterval = 1_000;
const forgetInterval = 60_000;

/** How long events are kept for clients that resume, in milliseconds: 30 days. Mail is kept as long. */
const eventsKeptFor = 30 * 24 * 60 * 60 * 1000;

/** How many rows one round forgets of a kind at most. */
const rowsPerRound = 5_000;

/** Milliseconds that a mail may still take once the gateway stops. */
const mailGrace = 2_000;

export type BackgroundJobs = {
  /** Resolves when what is under way has ended. */
  dispose(): Promise<void>;
};

/**
 * Starts the maintenance. A round that fails is logged and tried again at the next turn. Without a mailer mail
 * waits for a gateway that has one.
 */
export function startBackgroundJobs(dependencies: Dependencies, mailer: Mailer | null): BackgroundJobs {
  const stop = new AbortController();
  const cutMail = new AbortController();
  const loops = [
    repeat('end lapsed grants', sweepInterval, () => endExpiredGrants(dependencies)),
    repeat('forget', forgetInterval, async () => {
      const { database, clock } = dependencies;
      const now = clock();
      await forgetAnswers(database.prisma, now, rowsPerRound);
      const past = new Date(now.getTime() - eventsKeptFor);
      await deleteEventsBefore(database.pool, past, rowsPerRound);
      await deleteGuardMailsBefore(database.prisma, past, rowsPerRound);
    }),
    // Not at once: a gateway that turns out not to start writes to nobody.
    ...(mailer === null
      ? []
      : [repeat('write to Guard admins', mailInterval, () => deliverAll(mailer), mailInterval)]),
  ];

  async function deliverAll(mailer: Mailer): Promise<void> {
    let mayBeMore = true;
    while (mayBeMore && !stop.signal.aborted) {
      mayBeMore = await deliverGuardMails({ ...dependencies, mailer }, cutMail.signal);
    }
  }

  async function repeat(
    what: string,
    interval: number,
    work: () => Promise<unknown>,
    firstAfter = 0,
  ): Promise<void> {
    await pause(firstAfter);
    while (!stop.signal.aborted) {
      try {
        await work();
      } catch (error) {
        dependencies.logger.warn({ err: error }, `Maintenance failed for now: ${what}`);
      }
      await pause(interval);
    }
  }

  async function pause(milliseconds: number): Promise<void> {
    await wait(milliseconds, undefined, { signal: stop.signal }).catch(() => undefined);
  }

  return {
    dispose: async () => {
      stop.abort();
      const impatient = setTimeout(() => cutMail.abort(), mailGrace);
      await Promise.all(loops);
      clearTimeout(impatient);
    },
  };
}
