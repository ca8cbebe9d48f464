/**
 * The background jobs of a gateway: end what has expired, settle sites, licences and proposed changes, give positions to audit
 * entries and seal their logs, send mail, delete old rows.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { givePositions } from '../audit/positions.ts';
import { type Readings, recordRepeatedReadings } from '../audit/readings.ts';
import { createShortener } from '../audit/removals.ts';
import { recordRepetitions } from '../audit/repeated-refusals.ts';
import type { Sealer } from '../audit/sealing.ts';
import type { Post } from '../audit/streams/post.ts';
import { deleteEventsBefore } from '../events/outbox.ts';
import { deliverMails } from '../notifications/delivery.ts';
import { mailKinds } from '../notifications/mail-kinds.ts';
import type { Mailer } from '../notifications/mailer.ts';
import { deleteMailCounts, deleteMailsBefore } from '../notifications/queue.ts';
import { createStreamSender } from './deliver-audit-streams.ts';
import { endDueSessions } from './end-due-sessions.ts';
import { endExpiredGrants } from './end-expired-grants.ts';
import type { Dependencies } from './execute.ts';
import { expireChangeRequests } from './expire-change-requests.ts';
import { forgetAnswers } from './idempotency.ts';
import { settleDueChanges } from './settle-due-changes.ts';
import { settlePlaces } from './settle-places.ts';
import { FailedTickets, type SweepOptions } from './sweep.ts';

/** Milliseconds between two runs of each job. */
const sweepInterval = 1_000;
const mailInterval = 1_000;
const deleteInterval = 60_000;

/** Milliseconds for which a gateway counts repeated readings before it writes them down. */
const readingInterval = 5_000;

/** Milliseconds between two looks for entries without a position, if nothing is written here. */
const positionInterval = 500;

/** Milliseconds between two looks for streams of the audit log that have something to send, if nothing got its position here. */
const streamInterval = 500;

/** Milliseconds for messages that are being sent when the gateway stops. */
const streamGrace = 2_000;

/** Milliseconds in which positions are given once, to what was written meanwhile; and until what waits is tried again. */
const positionGap = 100;

/** Milliseconds between two heads of an audit log, as a rule. */
const sealInterval = 1_000;

/** At most so many entries get their positions in one statement: it takes some 50 milliseconds. */
const positionsAtOnce = 2_000;

/**
 * Milliseconds from the first run of one job to that of the next: at the same time, they would take every connection of
 * a gateway that has just started.
 */
const apart = 100;

/** How long events are kept for clients that resume, in milliseconds: 30 days. Mail is kept as long. */
const eventsKeptFor = 30 * 24 * 60 * 60 * 1000;

/** At most so many rows are deleted in one statement. A run goes on until none is left. */
const rowsAtOnce = 5_000;

/** Milliseconds for mail that is being sent when the gateway stops. */
const mailGrace = 2_000;

/** Deletes at most `limit` of the rows that are old enough at `now`, and returns how many. */
export type DeleteOld = (database: Dependencies['database'], now: Date, limit: number) => Promise<number>;

const deleteOldAnswers: DeleteOld = ({ prisma }, now, limit) => forgetAnswers(prisma, now, limit);
const deleteOldMails: DeleteOld = ({ prisma }, now, limit) => deleteMailsBefore(prisma, keptFrom(now), limit);
const deleteOldMailCounts: DeleteOld = ({ prisma }, now, limit) => deleteMailCounts(prisma, now, limit);
const deleteOldStreamEvents: DeleteOld = ({ pool }, now, limit) =>
  deleteEventsBefore(pool, keptFrom(now), limit);

function keptFrom(now: Date): Date {
  return new Date(now.getTime() - eventsKeptFor);
}

export type BackgroundJobs = {
  /** Settles sites and licences at once, instead of at the job's next turn. */
  settleNow(): void;
  /** Gives positions to new audit entries soon, instead of at the job's next turn. Never waits. */
  givePositionsSoon(): void;
  /** Stops the jobs. Resolves when the runs in progress have ended. */
  dispose(): Promise<void>;
};

/**
 * Starts the jobs. A run that fails is logged, and the job runs again at its next turn. Without a mailer, mail
 * stays queued for a gateway that has one; without a sealer, audit logs wait to be sealed.
 */
export function startBackgroundJobs(
  dependencies: Dependencies,
  {
    mailer,
    consoleUrl,
    sealer,
    post,
    readings,
  }: {
    mailer: Mailer | null;
    consoleUrl: string | null;
    sealer: Sealer | null;
    post: Post | null;
    readings: Readings;
  },
  /** What rooms above this one delete. */
  alsoDelete: readonly DeleteOld[] = [],
): BackgroundJobs {
  const stop = new AbortController();
  const cutMail = new AbortController();
  /** Aborted to cut the pause before the next run. */
  let settleNow = new AbortController();
  let entriesWritten = new AbortController();
  let positionsGiven = new AbortController();
  const sender = post === null ? null : createStreamSender(dependencies, post);
  const shortener = createShortener(dependencies.database.pool, dependencies.clock);
  let started = 0;
  const [ofGrants, ofSessions, ofRequests, ofPlaces] = [
    sweepOptions(),
    sweepOptions(),
    sweepOptions(),
    sweepOptions(),
  ];
  const loops = [
    repeat('end expired grants', sweepInterval, () => endExpiredGrants(dependencies, ofGrants)),
    repeat('end due support sessions', sweepInterval, () => endDueSessions(dependencies, ofSessions)),
    repeat('expire change requests', sweepInterval, () => expireChangeRequests(dependencies, ofRequests)),
    repeat(
      'settle sites and licences',
      sweepInterval,
      () => {
        settleNow = new AbortController();
        return settlePlaces(dependencies, ofPlaces);
      },
      { wake: () => settleNow.signal },
    ),
    repeat('record repeated refusals', sweepInterval, () =>
      untilNoneIsLeft((limit) => recordRepetitions(dependencies.database.pool, dependencies.clock(), limit)),
    ),
    repeat('count repeated readings of audit logs', readingInterval, async () => {
      await readings.save();
      await untilNoneIsLeft((limit) =>
        recordRepeatedReadings(dependencies.database.pool, dependencies.clock(), limit),
      );
    }),
    repeat('give positions to audit entries', positionInterval, giveAllPositions, {
      wake: () => entriesWritten.signal,
    }),
    ...(sealer === null ? [] : [repeat('seal audit logs', sealInterval, () => sealAll(sealer))]),
    repeat('remove what is not kept of audit logs', deleteInterval, () => shortener.run(stop.signal)),
    repeat('deliver streams of the audit log', streamInterval, deliverStreams, {
      wake: () => positionsGiven.signal,
    }),
    repeat('settle proposed changes', sweepInterval, () => settleDueChanges(dependencies, stop.signal)),
    ...[deleteOldAnswers, deleteOldStreamEvents, deleteOldMails, deleteOldMailCounts, ...alsoDelete].map(
      (deleteOld) =>
        repeat('delete old rows', deleteInterval, () =>
          untilNoneIsLeft((limit) => deleteOld(dependencies.database, dependencies.clock(), limit)),
        ),
    ),
    // Not at once: a gateway that fails to start sends no mail.
    ...(mailer === null
      ? []
      : [repeat('send mail', mailInterval, () => deliverAll(mailer), { firstAfter: mailInterval })]),
  ];

  function sweepOptions(): SweepOptions {
    return { signal: stop.signal, failed: new FailedTickets() };
  }

  /** Repeats what does at most `limit` at once, and returns how many it did. */
  async function untilNoneIsLeft(work: (limit: number) => Promise<number>): Promise<void> {
    while (!stop.signal.aborted) if ((await work(rowsAtOnce)) < rowsAtOnce) break;
  }

  /** Entries that wait without getting a position wait for a transaction that is open, or for another gateway. */
  async function giveAllPositions(): Promise<void> {
    entriesWritten = new AbortController();
    let isWaiting = true;
    while (isWaiting && !stop.signal.aborted) {
      const { given, waiting } = await givePositions(dependencies.database.pool, positionsAtOnce);
      if (given > 0) positionsGiven.abort();
      if (given === 0 || !waiting) await pause(positionGap);
      isWaiting = waiting;
    }
  }

  async function sealAll({ seal }: Sealer): Promise<void> {
    while (!stop.signal.aborted) if (!(await seal())) break;
  }

  async function deliverStreams(): Promise<void> {
    positionsGiven = new AbortController();
    await sender?.run();
  }

  async function deliverAll(mailer: Mailer): Promise<void> {
    let mayBeMore = true;
    while (mayBeMore && !stop.signal.aborted) {
      mayBeMore = await deliverMails(
        {
          ...{ ...dependencies, mailer, consoleUrl, kinds: mailKinds },
          quotas: dependencies.rules?.quotas,
          onGivenUp: (kind) => dependencies.metrics?.mailGivenUp(kind),
        },
        cutMail.signal,
      );
    }
  }

  async function repeat(
    what: string,
    interval: number,
    work: () => Promise<unknown>,
    { firstAfter = apart * started++, wake }: { firstAfter?: number; wake?: () => AbortSignal } = {},
  ): Promise<void> {
    await pause(firstAfter, wake?.());
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
    givePositionsSoon: () => entriesWritten.abort(),
    dispose: async () => {
      stop.abort();
      const impatient = setTimeout(() => cutMail.abort(), mailGrace);
      await Promise.all([...loops, sender?.dispose(streamGrace)]);
      clearTimeout(impatient);
    },
  };
}
