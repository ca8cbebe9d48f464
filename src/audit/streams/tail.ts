/**
 * Waits for entries at the ends of logs. All who wait in a gateway share one look at the positions: one statement at a time,
 * however many they are.
 */
import type pg from 'pg';
import { createPermits } from '../../platform/permits.ts';
import { isAfter } from '../follow.ts';
import { listLogsAfter } from '../new-positions.ts';
import type { EntryPlace } from '../positions.ts';

/** Milliseconds between two looks, while anybody waits. */
const interval = 250;

/** So many of those who follow logs read at once. Milliseconds for which the others wait for that. */
const readersAtOnce = 4;
const patienceMs = 10_000;

export type LogTail = {
  /**
   * Resolves once the log has an entry after the position, or the signal is aborted: the caller reads which. While the
   * database is away, nothing is seen.
   */
  entryAfter(logId: string, position: number, signal: AbortSignal): Promise<void>;
  /**
   * Resolves once one of these logs has got positions after the entry, that entry is gone, or the signal is aborted. Now and then
   * it resolves without any of these: the caller reads.
   *
   * @param after null: before all entries
   */
  growthAfter(
    after: EntryPlace | null,
    logs: ReadonlySet<string> | 'ANY',
    signal: AbortSignal,
  ): Promise<void>;
  /** Reads in the turn of those who follow logs, so that they leave connections to others. Rejects if its turn does not come. */
  read<Result>(task: () => Promise<Result>): Promise<Result>;
  /** How many wait for entries. */
  readonly waiting: number;
  /** Lets nobody wait any more. */
  dispose(): void;
};

type Waiter = { readonly done: () => void };
type LogWaiter = Waiter & { readonly logId: string; readonly position: number };
/** `after`: what has got its position up to here, it has been told of. */
type PlaceWaiter = Waiter & { after: EntryPlace | null; readonly logs: ReadonlySet<string> | 'ANY' };

export function createLogTail(pool: pg.Pool, lookEvery = interval): LogTail {
  const ofLogs = new Set<LogWaiter>();
  const ofPlaces = new Set<PlaceWaiter>();
  const permits = createPermits(readersAtOnce, () => new Error('Too many read audit logs at once'));
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  function lookSoon(): void {
    timer ??= setTimeout(() => {
      void look().finally(() => {
        timer = undefined;
        if (ofLogs.size + ofPlaces.size > 0 && !isOver) lookSoon();
      });
    }, lookEvery);
  }

  async function look(): Promise<void> {
    await lookAtLengths().catch(() => undefined);
    await lookAtPlaces().catch(() => undefined);
  }

  async function lookAtLengths(): Promise<void> {
    if (ofLogs.size === 0) return;
    const lengths = await readLengths(pool, [...new Set([...ofLogs].map(({ logId }) => logId))]);
    for (const { logId, position, done } of [...ofLogs]) if ((lengths.get(logId) ?? 0) > position) done();
  }

  async function lookAtPlaces(): Promise<void> {
    // Whoever begins to wait meanwhile is told by the next look.
    const [first, ...others] = ofPlaces;
    if (first === undefined) return;
    const from = others.reduce((least, { after }) => (isAfter(least, after) ? after : least), first.after);
    const { logs: grown, last, found } = await listLogsAfter(pool, from);
    if (from !== null && from.id !== null && found !== from.id) {
      // Removed, or the database was restored to an earlier moment: everybody looks at where they are.
      for (const { done } of [first, ...others]) done();
      return;
    }
    if (last === null) return;
    for (const waiter of [first, ...others]) {
      const { logs, done } = waiter;
      if (isAfter(last, waiter.after)) waiter.after = last;
      if (logs === 'ANY' || grown.some((log) => logs.has(log))) done();
    }
  }

  async function wait<Kind extends Waiter>(
    waiters: Set<Kind>,
    signal: AbortSignal,
    waiterOf: (done: () => void) => Kind,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = waiterOf(resolve);
    const onAbort = () => resolve();
    waiters.add(waiter);
    signal.addEventListener('abort', onAbort, { once: true });
    lookSoon();
    await promise;
    signal.removeEventListener('abort', onAbort);
    waiters.delete(waiter);
  }

  return {
    async entryAfter(logId, position, signal) {
      if (signal.aborted || isOver) return;
      await wait(ofLogs, signal, (done) => ({ logId, position, done }));
    },
    async growthAfter(after, logs, signal) {
      if (signal.aborted || isOver) return;
      await wait(ofPlaces, signal, (done) => ({ after, logs, done }));
    },
    async read(task) {
      const done = await permits.take(patienceMs);
      try {
        return await task();
      } finally {
        done();
      }
    },
    get waiting() {
      return ofLogs.size + ofPlaces.size;
    },
    dispose() {
      isOver = true;
      clearTimeout(timer);
      for (const { done } of [...ofLogs, ...ofPlaces]) done();
    },
  };
}

/** The last positions of these logs. One look at the end of an index for each. */
async function readLengths(pool: pg.Pool, logIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ id: string; length: string }>(
    `SELECT id, COALESCE((SELECT position FROM audit_positions WHERE organization_id = id
                           ORDER BY position DESC LIMIT 1), 0) AS length
       FROM unnest($1::uuid[]) AS log(id)`,
    [logIds],
  );
  return new Map(rows.map(({ id, length }) => [id, Number(length)]));
}
