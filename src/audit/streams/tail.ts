/**
 * Waits for entries at the ends of logs. All who wait in a gateway share one look at the positions: one statement at a time,
 * however many they are.
 */
import type pg from 'pg';

/** Milliseconds between two looks, while anybody waits. */
const interval = 250;

export type LogTail = {
  /**
   * Resolves once the log has an entry after the position, or the signal is aborted: the caller reads which. While the
   * database is away, nothing is seen.
   */
  entryAfter(logId: string, position: number, signal: AbortSignal): Promise<void>;
  /** How many wait. */
  readonly waiting: number;
  /** Lets nobody wait any more. */
  dispose(): void;
};

type Waiter = { logId: string; position: number; done: () => void };

export function createLogTail(pool: pg.Pool, lookEvery = interval): LogTail {
  const waiters = new Set<Waiter>();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  function lookSoon(): void {
    timer ??= setTimeout(() => {
      void look().finally(() => {
        timer = undefined;
        if (waiters.size > 0 && !isOver) lookSoon();
      });
    }, lookEvery);
  }

  async function look(): Promise<void> {
    const lengths = await readLengths(pool, [...new Set([...waiters].map(({ logId }) => logId))]).catch(
      () => new Map<string, number>(),
    );
    for (const { logId, position, done } of [...waiters]) if ((lengths.get(logId) ?? 0) > position) done();
  }

  return {
    async entryAfter(logId, position, signal) {
      if (signal.aborted || isOver) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiter = { logId, position, done: resolve };
      waiters.add(waiter);
      signal.addEventListener('abort', resolve as () => void, { once: true });
      lookSoon();
      await promise;
      signal.removeEventListener('abort', resolve as () => void);
      waiters.delete(waiter);
    },
    get waiting() {
      return waiters.size;
    },
    dispose() {
      isOver = true;
      clearTimeout(timer);
      for (const { done } of waiters) done();
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
