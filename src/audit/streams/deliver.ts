/**
 * Delivers what streams have to send: message after message of a stream, the next one only once the one before it was accepted.
 * Each stream is sent by one gateway at a time. Whoever dies meanwhile leaves a claim that runs out, and the next sender begins at
 * the last position that was saved, with the same messages.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Database, Transaction } from '../../platform/database.ts';
import { newId } from '../../platform/ids.ts';
import type { Logger } from '../../platform/logger.ts';
import { createLogWatch } from '../new-positions.ts';
import type { AuditRecord } from '../record.ts';
import { readRecords } from '../record-store.ts';
import { type LogBeginning, readBeginnings } from '../removals.ts';
import { readHeadUpTo } from '../sealed-log.ts';
import { headMessage, messagesOf, removedMessage, testMessage } from './messages.ts';
import type { Post } from './post.ts';
import { type Next, next } from './retry.ts';
import {
  type BrokenClaim,
  type ClaimedStream,
  claimStreams,
  endClaim,
  giveClaimsBack,
  type Progress,
  saveProgress,
} from './store.ts';

/** An attempt that failed, and what the sender has to save of it: in the transaction of what else follows from it. */
export type FailedAttempt = {
  readonly stream: ClaimedStream;
  /** Which one it was of the same messages. */
  readonly attempt: number;
  readonly next: Exclude<Next, { outcome: 'DELIVERED' }>;
  readonly save: (tx: Transaction) => Promise<boolean>;
};

export type SenderOptions = {
  database: Database;
  clock: Clock;
  logger: Logger;
  post: Post;
  /** Saves a failed attempt with what follows from it. */
  onFailed: (failed: FailedAttempt) => Promise<void>;
  /** Called with each message, and how many entries were delivered with it. */
  onMessage?: (outcome: 'DELIVERED' | 'FAILED', entries: number) => void;
  /** From 0 to 1. */
  chance?: () => number;
};

export type Sender = {
  /** Claims what is due and starts to send it; sending goes on when it resolves. */
  run(): Promise<void>;
  /** Begins nothing more, gives up what is being sent after `graceMs`, and resolves when nothing is. */
  dispose(graceMs: number): Promise<void>;
};

/** Streams that a gateway sends at a time. */
const atOnce = 32;
/** Records that are read, and messages planned, at once. */
const recordsAtOnce = 1_000;
/** Milliseconds after which a claim begins no further message: much less than it lasts. */
const roundMs = 5_000;
/** Milliseconds from one head to the next, at least: a busy log has one each second. */
const betweenHeadsMs = 60_000;
/**
 * Milliseconds until a stream is tried again that could not be sent because of a fault here or of the database; twice as
 * many each further time in a row, up to the longest.
 */
const restMs = 1_000;
const longestRestMs = 60_000;

/** The records after a position, which are being read. */
type Ahead = { readonly after: number; readonly records: Promise<AuditRecord[]> };

/** How far a stream is, and whether there may be more to send after that. */
type Reached = Pick<ClaimedStream, 'position' | 'batchEnds' | 'attempts' | 'firstFailedAt'> & {
  readonly hasMore: boolean;
  readonly ahead?: Ahead | undefined;
};

/** With the id of its claim, which no other claim has. */
type Claimed = ClaimedStream & { readonly claim: string };

export function createSender(options: SenderOptions): Sender {
  const { database, clock, logger, post, onFailed, onMessage, chance = Math.random } = options;
  const running = new Set<Promise<void>>();
  const cut = new AbortController();
  let isStopping = false;
  const watch = createLogWatch(database.pool);
  /** The logs of which streams may have something to send; `ALL`: those of any log. */
  let waiting: Set<string> | 'ALL' = new Set();
  /** The claims that came to nothing, until they are given back. */
  let broken: BrokenClaim[] = [];
  /** How often in a row each stream could not be sent. */
  const faults = new Map<string, number>();

  function wait(logs: Iterable<string> | 'ALL'): void {
    if (waiting === 'ALL' || logs === 'ALL') waiting = 'ALL';
    else for (const log of logs) waiting.add(log);
  }

  /** Claims at most so many. Of what is left, it looks again. */
  async function claimSome(claim: string, free: number): Promise<ClaimedStream[]> {
    wait(await watch.look());
    const asked = waiting;
    waiting = new Set();
    let isEverything = false;
    try {
      const logs = asked === 'ALL' ? null : [...asked];
      const claimed = await claimStreams(database.pool, claim, clock(), free, logs);
      isEverything = claimed.length < free;
      return claimed;
    } catch (error) {
      // It may have been carried out, though it was not answered.
      broken.push({ claim, streamId: null, until: clock() });
      throw error;
    } finally {
      if (!isEverything) wait(asked);
    }
  }

  /** Of a stream that cannot be sent for a fault, which is no failed attempt: its endpoint has not refused anything. */
  function breakClaim({ streamId, claim }: Claimed): void {
    const faultsBefore = faults.get(streamId) ?? 0;
    faults.set(streamId, faultsBefore + 1);
    const rest = Math.min(restMs * 2 ** faultsBefore, longestRestMs);
    broken.push({ claim, streamId, until: new Date(clock().getTime() + rest) });
  }

  /** Those that cannot be given back now are tried again with the next ones. */
  async function giveBack(): Promise<void> {
    if (broken.length === 0) return;
    const given = broken;
    broken = [];
    try {
      const back = new Set(await giveClaimsBack(database.pool, given));
      // Deleted, or somebody else's.
      for (const { streamId } of given) if (streamId !== null && !back.has(streamId)) faults.delete(streamId);
    } catch (error) {
      broken.push(...given);
      throw error;
    }
  }

  async function run(): Promise<void> {
    await giveBack();
    const free = atOnce - running.size;
    if (free === 0 || isStopping) return;
    const claim = newId();
    for (const stream of await claimSome(claim, free)) {
      const claimed = { ...stream, claim };
      const sending = sendAll(claimed)
        .then(() => void faults.delete(stream.streamId))
        .catch((error: unknown) => {
          breakClaim(claimed);
          logger.warn(
            { err: error, streamId: stream.streamId },
            'A stream of the audit log could not be sent; it will be tried again',
          );
        })
        .finally(() => {
          running.delete(sending);
          // Nobody could claim it for what has come meanwhile.
          wait([stream.organizationId]);
        });
      running.add(sending);
    }
  }

  async function sendAll(stream: Claimed): Promise<void> {
    if (stream.testRequestedAt !== null) await sendTest(stream, stream.testRequestedAt);
    const giveUpAt = performance.now() + roundMs;
    let from: Reached | null = { ...stream, hasMore: stream.isDue };
    while (from?.hasMore === true && !isStopping && performance.now() < giveUpAt)
      from = await sendRecords({ ...stream, ...from }, giveUpAt, from.ahead);
    if (from !== null && stream.mayHaveHead && !isStopping) await sendHead({ ...stream, ...from });
    await endClaim(database.prisma, stream, stream.claim, clock());
  }

  function readAfter({ organizationId }: Claimed, after: number): Ahead {
    const records = readRecords(database.pool, organizationId, after, recordsAtOnce);
    // Whoever needs them learns of it.
    records.catch(() => undefined);
    return { after, records };
  }

  /** Sends the last head of what was sent, if it is another than the one before. */
  async function sendHead(stream: Claimed): Promise<void> {
    const sentAt = clock();
    if (stream.headSentAt !== null && sentAt.getTime() - stream.headSentAt.getTime() < betweenHeadsMs) return;
    const head = await readHeadUpTo(database.pool, stream.organizationId, stream.position);
    if (head === null || head.size <= stream.headSize) return;
    const answer = await post.send(stream, headMessage(stream, head), sentAt, cut.signal);
    if (cut.signal.aborted) return;
    const attempt = stream.attempts + 1;
    const result = next(attempt, answer, clock(), chance());
    onMessage?.(result.outcome === 'DELIVERED' ? 'DELIVERED' : 'FAILED', 0);
    if (result.outcome === 'DELIVERED')
      await save(stream, {
        ...{ headSize: head.size, headSentAt: sentAt, attempts: 0, firstFailedAt: null },
        ...{ lastAttemptAt: sentAt, lastSuccessAt: sentAt, lastError: null },
      });
    else await fail(stream, attempt, result, sentAt, { firstFailedAt: stream.firstFailedAt ?? sentAt });
  }

  /** What was removed of the log before the stream has sent it; null: nothing. Without a gap, no statement. */
  async function removedUnsent(
    { organizationId, position }: Claimed,
    next: AuditRecord | undefined,
  ): Promise<LogBeginning | null> {
    if (next === undefined || next.position === position + 1) return null;
    const beginning = (await readBeginnings(database.pool, [organizationId])).get(organizationId);
    return beginning === undefined || beginning.removedThrough <= position ? null : beginning;
  }

  /** Tells the endpoint what was removed, and goes on after that. As `sendRecords`. */
  async function sendRemoved(stream: Claimed, removed: LogBeginning): Promise<Reached | null> {
    const sentAt = clock();
    const answer = await post.send(stream, removedMessage(stream, removed), sentAt, cut.signal);
    if (cut.signal.aborted) return null;
    const attempt = stream.attempts + 1;
    const result = next(attempt, answer, clock(), chance());
    onMessage?.(result.outcome === 'DELIVERED' ? 'DELIVERED' : 'FAILED', 0);
    if (result.outcome !== 'DELIVERED') {
      await fail(stream, attempt, result, sentAt, { firstFailedAt: stream.firstFailedAt ?? sentAt });
      return null;
    }
    const after = {
      ...delivered(removed.removedThrough, stream.batchEnds),
      attempts: 0,
      firstFailedAt: null,
    };
    const at = { lastAttemptAt: sentAt, lastSuccessAt: sentAt, lastError: null };
    return (await save(stream, { ...after, ...at })) ? { ...after, hasMore: true } : null;
  }

  async function fail(
    stream: Claimed,
    attempt: number,
    result: FailedAttempt['next'],
    sentAt: Date,
    reached: Progress,
  ): Promise<void> {
    const progress = {
      ...{ ...reached, attempts: attempt, lastAttemptAt: sentAt, lastError: result.error },
      ...(result.outcome === 'RETRY' ? { dueAt: result.at, lookAt: result.at } : {}),
    };
    const saveFailed: FailedAttempt['save'] = (tx) => saveProgress(tx, stream, stream.claim, progress);
    await onFailed({ stream, attempt, next: result, save: saveFailed });
  }

  async function sendTest(stream: Claimed, requestedAt: Date): Promise<void> {
    const answer = await post.send(stream, testMessage(stream, requestedAt), clock(), cut.signal);
    if (cut.signal.aborted) return;
    const result = next(1, answer, clock(), 0);
    const testError = result.outcome === 'DELIVERED' ? null : result.error;
    const tested = { testRequestedAt: null, testedAt: clock(), testError };
    await saveProgress(database.prisma, stream, stream.claim, tested, { keep: true });
  }

  /**
   * Sends the next records of the log. Returns from where to go on; null: an attempt has failed, or the claim is over. What
   * messages there will be is saved before the first one is sent, so that whoever sends them again sends the same.
   */
  async function sendRecords(
    stream: Claimed,
    giveUpAt: number,
    given: Ahead | undefined,
  ): Promise<Reached | null> {
    const { records: reading } =
      given?.after === stream.position ? given : readAfter(stream, stream.position);
    const records = await reading;
    const removed = await removedUnsent(stream, records[0]);
    if (removed !== null) return await sendRemoved(stream, removed);
    const messages = messagesOf(stream, records, stream.batchEnds);
    const through = records.at(-1)?.position ?? stream.position;
    // The endpoint and the database need not wait for each other.
    const ahead = records.length === recordsAtOnce ? readAfter(stream, through) : undefined;
    const ends = messages.map(({ end }) => end);
    if (ends.length > 0 && ends.join() !== stream.batchEnds.join())
      if (!(await save(stream, { batchEnds: ends }))) return null;
    let reached = stream.position;
    for (const message of messages) {
      if (isStopping || performance.now() >= giveUpAt) break;
      const sentAt = clock();
      const answer = await post.send(stream, message, sentAt, cut.signal);
      if (cut.signal.aborted) break;
      const isFirst = reached === stream.position;
      const attempt = isFirst ? stream.attempts + 1 : 1;
      const result = next(attempt, answer, clock(), chance());
      onMessage?.(result.outcome === 'DELIVERED' ? 'DELIVERED' : 'FAILED', message.entries);
      if (result.outcome !== 'DELIVERED') {
        await fail(stream, attempt, result, sentAt, {
          ...(isFirst ? {} : { ...delivered(reached, ends), lastSuccessAt: sentAt }),
          firstFailedAt: (isFirst ? stream.firstFailedAt : null) ?? sentAt,
        });
        return null;
      }
      reached = message.end;
    }
    // What nobody wants is passed over.
    const isAllSent = reached === (ends.at(-1) ?? stream.position);
    if (isAllSent) reached = through;
    if (reached === stream.position) return cut.signal.aborted ? null : { ...stream, hasMore: !isAllSent };
    const at = messages.length > 0 ? { lastAttemptAt: clock(), lastSuccessAt: clock(), lastError: null } : {};
    const after = { ...delivered(reached, ends), attempts: 0, firstFailedAt: null };
    const isMine = await save(stream, { ...after, ...at });
    return isMine ? { ...after, ahead, hasMore: !isAllSent || ahead !== undefined } : null;
  }

  function save(stream: Claimed, progress: Progress): Promise<boolean> {
    return saveProgress(database.prisma, stream, stream.claim, progress, { keep: true });
  }

  return {
    run,
    async dispose(graceMs) {
      isStopping = true;
      const impatient = setTimeout(() => cut.abort(), graceMs);
      await Promise.all(running);
      clearTimeout(impatient);
      await giveBack().catch((error: unknown) =>
        logger.warn({ err: error }, 'Streams of the audit log stay claimed until their claims run out'),
      );
    },
  };
}

/** Everything up to the position is delivered; the later messages of these may have been planned. */
function delivered(position: number, ends: readonly number[]) {
  return { position, batchEnds: ends.filter((end) => end > position) };
}
