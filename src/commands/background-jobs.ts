/**
 * The background jobs of a gateway: end what has expired, settle sites, licences and proposed changes, send mail, delete old
 * rows.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { recordRepetitions } from '../audit/repeated-refusals.ts';
import { deleteEventsBefore } from '../events/outbox.ts';
import { deliverMails } from '../notifications/delivery.ts';
import { mailKinds } from '../notifications/mail-kinds.ts';
import type { Mailer } from '../notifications/mailer.ts';
import { deleteMailsBefore } from '../notifications/queue.ts';
import { endDueSessions } from './end-due-sessions.ts';
import { endExpiredGrants } from './end-expired-grants.ts';
import type { Dependencies } from './execute.ts';
import { expireChangeRequests } from './expire-change-requests.ts';
import { forgetAnswers } from './idempotency.ts';
import { settleDueChanges } from './settle-due-changes.ts';
import { settlePlaces } from './settle-places.ts';

/** Milliseconds between two runs of each job. */
const sweepInterval = 1_000;
const mailInterval = 1_000;
const forgetInterval = 60_000;

/** How long events are kept for clients that resume, in milliseconds: 30 days. Mail is kept as long. */
const eventsKeptFor = 30 * 24 * 60 * 60 * 1000;

/** At most so many rows of each table are deleted in one run. */
const rowsPerRound = 5_000;

/** Milliseconds for mail that is being sent when the gateway stops. */
const mailGrace = 2_000;

/** What rooms above this one delete: at most `limit` of the rows that are old enough at `now`. */
export type DeleteOld = (database: Dependencies['database'], now: Date, limit: number) => Promise<void>;

export type BackgroundJobs = {
  /** Settles sites and licences at once, instead of at the job's next turn. */
  settleNow(): void;
  /** Stops the jobs. Resolves when the runs in progress have ended. */
  dispose(): Promise<void>;
};

/**
 * Starts the jobs. A run that fails is logged, and the job runs again at its next turn. Without a mailer, mail
 * stays queued for a gateway that has one.
 */
export function startBackgroundJobs(
  dependencies: Dependencies,
  { mailer, consoleUrl }: { mailer: Mailer | null; consoleUrl: string | null },
  alsoDelete: readonly DeleteOld[] = [],
): BackgroundJobs {
  const stop = new AbortController();
  const cutMail = new AbortController();
  /** Aborted to cut the pause before the next run. */
  let settleNow = new AbortController();
  const loops = [
    repeat('end expired grants', sweepInterval, () => endExpiredGrants(dependencies)),
    repeat('end due support sessions', sweepInterval, () => endDueSessions(dependencies)),
    repeat('expire change requests', sweepInterval, () => expireChangeRequests(dependencies)),
    repeat(
      'settle sites and licences',
      sweepInterval,
      () => {
        settleNow = new AbortController();
        return settlePlaces(dependencies, stop.signal);
      },
      { wake: () => settleNow.signal },
    ),
    repeat('record repeated refusals', sweepInterval, () => recordAllRepetitions()),
    repeat('settle proposed changes', sweepInterval, () => settleDueChanges(dependencies)),
    repeat('delete old rows', forgetInterval, async () => {
      const { database, clock } = dependencies;
      const now = clock();
      await forgetAnswers(database.prisma, now, rowsPerRound);
      const past = new Date(now.getTime() - eventsKeptFor);
      await deleteEventsBefore(database.pool, past, rowsPerRound);
      await deleteMailsBefore(database.prisma, past, rowsPerRound);
      for (const deleteOld of alsoDelete) await deleteOld(database, now, rowsPerRound);
    }),
    // Not at once: a gateway that fails to start sends no mail.
    ...(mailer === null
      ? []
      : [repeat('send mail', mailInterval, () => deliverAll(mailer), { firstAfter: mailInterval })]),
  ];

  async function recordAllRepetitions(): Promise<void> {
    const { database, clock } = dependencies;
    while (!stop.signal.aborted) {
      if ((await recordRepetitions(database.pool, clock(), rowsPerRound)) < rowsPerRound) break;
    }
  }

  async function deliverAll(mailer: Mailer): Promise<void> {
    let mayBeMore = true;
    while (mayBeMore && !stop.signal.aborted) {
      mayBeMore = await deliverMails(
        { ...dependencies, mailer, consoleUrl, kinds: mailKinds },
        cutMail.signal,
      );
    }
  }

  async function repeat(
    what: string,
    interval: number,
    work: () => Promise<unknown>,
    { firstAfter = 0, wake }: { firstAfter?: number; wake?: () => AbortSignal } = {},
  ): Promise<void> {
    await pause(firstAfter);
    while (!stop.signal.aborted) {
      try {
        await work();
      } catch (error) {
        dependencies.logger.warn({ err: error }, `Background job failed, and will be run again: ${what}`);
      }
      await pause(interval, wake?.());
    }
  }

  async function pause(milliseconds: number, wake?: AbortSignal): Promise<void> {
    const signal = wake === undefined ? stop.signal : AbortSignal.any([stop.signal, wake]);
    await wait(milliseconds, undefined, { signal }).catch(() => undefined);
  }

  return {
    settleNow: () => settleNow.abort(),
    dispose: async () => {
      stop.abort();
      const impatient = setTimeout(() => cutMail.abort(), mailGrace);
      await Promise.all(loops);
      clearTimeout(impatient);
    },
  };
}
