/**
 * Reads that may lag go to a replica of PostgreSQL, as long as it is known to be near enough. Everything else, and these when it
 * is not, goes to the primary.
 *
 * A replica is asked where it stands at two times: once a second, so that one that is gone or far behind costs no read anything; and on
 * the connection of each read, since a proxy may lead each of them to another replica.
 */
import type pg from 'pg';
import { type Database, type DatabaseDeadlines, openDatabase } from './database.ts';
import { isStatementTimeout, isUnavailable } from './database-errors.ts';
import { GenerationalCache } from './generational-cache.ts';
import type { Logger } from './logger.ts';
import { createMoments, parseLsn, type Standing } from './replica-lag.ts';

export type Queryable = Pick<pg.Pool, 'query'>;

/** What was found, and by how many milliseconds it may be behind: 0 if the primary was asked. */
export type Read<Found> = { readonly found: Found; readonly behindMs: number };

export type LaggingReads = {
  /**
   * Reads on the replica, and on the primary where the replica is not near enough, lacks what the reader has done here, fails, or does not
   * have enough.
   *
   * @param primary the connections of the operation
   * @param work may run twice. On a replica, it may resolve to null: not enough is there
   */
  read<Found>(
    primary: pg.Pool,
    readerId: string,
    work: (db: Queryable, isReplica: boolean) => Promise<Found | null>,
  ): Promise<Read<Found | null>>;
  /** What the account has done before now is in whatever it reads from now on, by this gateway. */
  wrote(accountId: string): void;
};

/** All reads go to the primary. */
export const readsOfPrimary: LaggingReads = {
  read: async (primary, _, work) => ({ found: await work(primary, false), behindMs: 0 }),
  wrote: () => undefined,
};

/** Why the replica is not read. */
type Unfit = 'UNREACHABLE' | 'TOO_FAR_BEHIND' | 'NO_REPLICA' | 'OF_ANOTHER_HISTORY';

export type Replica = LaggingReads & {
  /** By how many seconds it is behind at most; NaN: it is not known. */
  behindSeconds(): number;
  use: Database['use'];
  /** Looks where both servers are. Called once a second. */
  look(): Promise<void>;
  dispose(): Promise<void>;
};

export type ReplicaOptions = {
  readonly url: string;
  readonly primary: Queryable;
  /** Reads go to the primary if it is further behind. */
  readonly mostBehindMs: number;
  readonly poolSize: number;
  readonly logger: Logger;
  readonly deadlines?: Partial<DatabaseDeadlines>;
  /** Called with which server a read was answered by. */
  readonly onRead?: (server: 'replica' | 'primary') => void;
  /** Milliseconds on a clock that runs steadily. */
  readonly now?: () => number;
};

const lookEveryMs = 1_000;

/** Milliseconds. A read that waits for these still has the time to ask the primary. */
const deadlines = {
  connectionMs: 500,
  statementMs: 1_500,
  answerMs: 2_000,
} satisfies Partial<DatabaseDeadlines>;

const primarySql = `
  SELECT (SELECT system_identifier::text FROM pg_control_system())
           || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::int AS history,
         pg_current_wal_flush_lsn()::text AS lsn`;

/** After a failover, a replica tells of the new history at its next restart point: it is not read before. */
const replicaSql = `
  SELECT pg_is_in_recovery() AS is_replica, pg_last_wal_replay_lsn()::text AS lsn,
         (SELECT system_identifier::text FROM pg_control_system())
           || '/' || (SELECT timeline_id FROM pg_control_checkpoint()) AS history`;

/** Connects at its first use. */
export function createReplica(options: ReplicaOptions): Replica {
  const { primary, mostBehindMs, poolSize, logger, onRead, now = () => performance.now() } = options;
  const database = openDatabase({
    ...{ url: options.url, logger, poolSize, isReplica: true },
    deadlines: { ...deadlines, ...options.deadlines },
  });
  const { pool } = database;
  const moments = createMoments(mostBehindMs + 10 * lookEveryMs);
  /** When accounts have last done something, as long as a replica that is near enough may lack it. */
  const writes = new GenerationalCache<string, number>();
  let rotatedAt = now();
  let unfit: Unfit | null | undefined;
  let reached: number | null = null;
  let looking: Promise<void> | undefined;
  let isDisposed = false;

  function become(next: Unfit | null, error?: unknown): void {
    if (next === unfit || isDisposed) return;
    unfit = next;
    if (next === null) logger.info('Audit logs are read from the replica');
    else
      logger.warn(
        { reason: next, ...(error === undefined ? {} : { err: error }) },
        'Audit logs are read from the primary: the replica is not fit for it',
      );
  }

  /** Until when the server of a connection has everything, or why it is not to be read. */
  async function lookAt(db: Queryable): Promise<{ until: number } | { unfit: Unfit }> {
    const { rows } = await db.query<{ is_replica: boolean; lsn: string | null; history: string }>(replicaSql);
    const [row] = rows;
    if (row?.is_replica !== true || row.lsn === null) return { unfit: 'NO_REPLICA' };
    const standing: Standing = { history: row.history, lsn: parseLsn(row.lsn) };
    const until = moments.reachedBy(standing);
    if (until !== null && now() - until <= mostBehindMs) return { until };
    return { unfit: moments.isOf(standing.history) ? 'TOO_FAR_BEHIND' : 'OF_ANOTHER_HISTORY' };
  }

  async function lookAtBoth(): Promise<void> {
    const asked = now();
    if (asked - rotatedAt > mostBehindMs + lookEveryMs) {
      writes.rotate();
      rotatedAt = asked;
    }
    // Without the primary, the moments grow old.
    await primary.query<{ history: string; lsn: string }>(primarySql).then(
      ({ rows: [row] }) => {
        if (row !== undefined) moments.note(asked, { history: row.history, lsn: parseLsn(row.lsn) });
      },
      () => undefined,
    );
    try {
      const seen = await lookAt(pool);
      reached = 'until' in seen ? seen.until : null;
      become('until' in seen ? null : seen.unfit);
    } catch (error) {
      reached = null;
      become('UNREACHABLE', error);
    }
  }

  /** Undefined: the replica cannot answer this one. */
  async function readThere<Found>(
    readerId: string,
    work: (db: Queryable, isReplica: boolean) => Promise<Found | null>,
  ): Promise<Read<Found> | undefined> {
    // Nobody waits for others there.
    if (unfit !== null || (pool.idleCount === 0 && pool.totalCount >= pool.options.max)) return undefined;
    try {
      const client = await pool.connect();
      try {
        const asked = now();
        const seen = await lookAt(client);
        if ('unfit' in seen || seen.until <= (writes.get(readerId) ?? -1)) return undefined;
        const found = await work(client, true);
        return found === null ? undefined : { found, behindMs: asked - seen.until };
      } finally {
        client.release();
      }
    } catch (error) {
      // Not after a conflict with what it replays, what takes too long, or what the primary refuses as well.
      if (isUnavailable(error) && !isStatementTimeout(error)) become('UNREACHABLE', error);
      return undefined;
    }
  }

  const look = (): Promise<void> => {
    looking ??= lookAtBoth().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  void look();

  return {
    async read(whole, readerId, work) {
      const there = await readThere(readerId, work);
      onRead?.(there === undefined ? 'primary' : 'replica');
      return there ?? { found: await work(whole, false), behindMs: 0 };
    },
    wrote: (accountId) => writes.set(accountId, now()),
    behindSeconds: () => (reached === null ? Number.NaN : (now() - reached) / 1_000),
    use: () => database.use(),
    look,
    async dispose() {
      clearInterval(timer);
      isDisposed = true;
      await database.dispose();
      await looking;
    },
  };
}
