import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { withDeadline } from './deadline.ts';
import type { Logger } from './logger.ts';

/**
 * The connections that were given up, and on which the server works on: above all commits that wait for a synchronous
 * standby. No timeout of PostgreSQL ends this wait. They take up the server's connections, so they count as open.
 */
export interface AbandonedConnections {
  /** How many there may be. One whose end is not known yet counts. */
  readonly count: number;
  /** Counts the connection of this process of the server until the server does not work for it any more. */
  add(processId: number): void;
  dispose(): Promise<void>;
}

/** Milliseconds from one look at the server to the next, and for one look. */
const lookInterval = 500;
const lookDeadline = 3_000;

/** @param onChange called when the count has changed */
export function createAbandonedConnections(options: {
  url: string;
  logger: Logger;
  onChange: (count: number) => void;
}): AbandonedConnections {
  const { url, logger, onChange } = options;
  const processes = new Set<number>();
  const disposal = new AbortController();
  let looking: Promise<void> | undefined;
  let awaitsStandby = false;

  async function lookUntilNone(): Promise<void> {
    while (processes.size > 0 && !disposal.signal.aborted) {
      // Others may be given up meanwhile.
      const asked = [...processes];
      const working = await stillWorking(url, asked).catch(() => null);
      if (working !== null) {
        noteStandby([...working.values()].includes('SyncRep'));
        for (const processId of asked) if (!working.has(processId)) processes.delete(processId);
        onChange(processes.size);
      }
      if (processes.size > 0)
        await wait(lookInterval, undefined, { signal: disposal.signal }).catch(() => undefined);
    }
    looking = undefined;
  }

  function noteStandby(isAwaited: boolean): void {
    if (isAwaited === awaitsStandby) return;
    awaitsStandby = isAwaited;
    if (isAwaited)
      logger.error(
        'Commits wait for a synchronous standby that does not answer: nothing can be decided until it does, or synchronous_standby_names is changed',
      );
    else logger.info('Commits wait for a synchronous standby no longer');
  }

  return {
    get count() {
      return processes.size;
    },
    add(processId) {
      if (disposal.signal.aborted) return;
      processes.add(processId);
      onChange(processes.size);
      looking ??= lookUntilNone();
    },
    async dispose() {
      disposal.abort();
      await looking;
    },
  };
}

/**
 * Which of these processes of the server work on a statement, or may find one in what they have received, and what each waits
 * for. In a transaction that may be its COMMIT. One that has nothing left to do ends, or is idle behind a pool of its own.
 */
async function stillWorking(url: string, processIds: number[]): Promise<Map<number, string | null>> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: lookDeadline });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await withDeadline(
      client.query<{ pid: number; wait_event: string | null }>(
        `SELECT pid, wait_event FROM pg_stat_activity
          WHERE pid = ANY ($1::int[]) AND usename = current_user
            AND state IN ('active', 'idle in transaction', 'idle in transaction (aborted)')`,
        [processIds],
      ),
      lookDeadline,
      () => new Error('The server did not answer in time'),
    );
    return new Map(rows.map(({ pid, wait_event }) => [pid, wait_event]));
  } finally {
    void client.end().catch(() => undefined);
  }
}
