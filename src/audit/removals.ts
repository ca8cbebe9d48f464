/**
 * Removes what an organization does not keep any more of its audit log. The database says which entries those are:
 * prisma/migrations/20261219000000_audit_retention. A gateway says when. What is sealed stays: positions, hashes and heads, so a
 * removed entry can still be proved by whoever has it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Clock } from '../platform/clock.ts';
import { isUnavailable } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { hashBytes } from '../transparency/merkle-tree.ts';
import { edgeTiles } from '../transparency/tiles.ts';
import type { Place } from './positions.ts';
import type { RemovedLine } from './removed-line.ts';
import { type Queryable, readTiles } from './sealed-log.ts';

/** At most so many entries are removed in one transaction. The database removes no more at once. */
const removedAtOnce = 1_000;

/** Where a log begins by now, because what was before was removed. */
export type LogBeginning = {
  /** The entries up to this position are removed. */
  readonly removedThrough: number;
  /** When the newest of them happened. */
  readonly removedUntil: Date;
  readonly removedAt: Date;
};

/** The beginnings of logs, by their organizations. A log of which nothing was removed is left out. One statement. */
export async function readBeginnings(
  db: Queryable,
  logs: readonly string[],
): Promise<Map<string, LogBeginning>> {
  const { rows } = await db.query<{ log: string; through: string; until: Date; at: Date }>({
    name: 'read_beginnings_of_audit_logs',
    text: `SELECT organization_id AS log, removed_through AS through, removed_until AS until, removed_at AS at
             FROM audit_removals WHERE organization_id = ANY ($1::uuid[]) AND removed_through > 0`,
    values: [logs],
  });
  return new Map(
    rows.map(({ log, through, until, at }) => [
      log,
      { removedThrough: Number(through), removedUntil: until, removedAt: at },
    ]),
  );
}

/** Up to which position the entries of a log are removed; 0: none is. One statement. */
export async function readRemovedThrough(db: Queryable, log: string): Promise<number> {
  return (await readBeginnings(db, [log])).get(log)?.removedThrough ?? 0;
}

/** Whether the entry at a place was removed because its organization does not keep it any longer. */
export async function isRemovedAt(db: Queryable, { txid, seq }: Place): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM audit_positions AS given JOIN audit_removals AS removal USING (organization_id)
      WHERE txid = $1::bigint AND seq = $2::bigint AND position <= removed_through`,
    [String(txid), String(seq)],
  );
  return rowCount === 1;
}

/** The line of a file that begins after this position. One statement. */
export async function removedLine(
  db: Queryable,
  log: string,
  through: number,
): Promise<{ readonly removed: RemovedLine }> {
  const tiles = edgeTiles(through).map((tile) => ({ ...tile, log }));
  const hashesOf = await readTiles(
    db,
    tiles.filter(({ width }) => width > 0),
  );
  const hashes = tiles.map((tile) =>
    (hashesOf(tile) ?? Buffer.alloc(0)).subarray(0, tile.width * hashBytes).toString('base64'),
  );
  return { removed: { through, hashes } };
}

/**
 * The logs in which a run is due or not over, those first that have waited longest: at most `limit`, without those of `except`. One
 * statement.
 */
export async function listLogsToShorten(
  pool: pg.Pool,
  limit: number,
  except: readonly string[] = [],
): Promise<string[]> {
  const { rows } = await pool.query<{ log: string }>(
    `SELECT id AS log FROM organizations LEFT JOIN audit_removals AS removal ON removal.organization_id = id
      WHERE ((audit_retention_days IS NOT NULL AND COALESCE(looked_at, '-infinity') <= clock_timestamp() - interval '1 day')
             OR unrecorded > 0)
        AND id <> ALL ($2::uuid[])
      ORDER BY COALESCE(looked_at, '-infinity'), id LIMIT $1::int`,
    [limit, except],
  );
  return rows.map(({ log }) => log);
}

/** Removes the oldest entries that the organization does not keep any longer, at most `limit`. One transaction. */
export async function removeEntries(
  pool: pg.Pool,
  log: string,
  now: Date,
  limit: number = removedAtOnce,
): Promise<{ readonly removed: number; readonly isOver: boolean }> {
  const { rows } = await pool.query<{ removed: number; isOver: boolean }>({
    name: 'remove_audit_entries',
    text: 'SELECT removed, is_over AS "isOver" FROM remove_audit_entries($1::uuid, $2::int, $3::uuid)',
    values: [log, limit, newId(now)],
  });
  const [row] = rows;
  if (row === undefined) throw new Error('remove_audit_entries returned no row');
  return row;
}

/** Logs that are looked at in one turn. */
const logsAtOnce = 100;
/** Milliseconds after which a turn ends; what is left is done in the next one. */
const turnMs = 30_000;
/** Milliseconds between two transactions, for what people wait for. */
const betweenMs = 100;
/** Milliseconds until a log that failed is tried again. */
const tryAgainMs = 60 * 60_000;

export type Shortener = {
  /**
   * Removes what logs have to remove, until nothing is left or its time is over.
   * @throws AggregateError after the others, if some logs failed
   */
  run(signal: AbortSignal): Promise<void>;
};

export function createShortener(
  pool: pg.Pool,
  clock: Clock,
  { atOnce = removedAtOnce, pauseMs = betweenMs } = {},
): Shortener {
  const failed = new Map<string, number>();

  async function shorten(log: string, goesOn: () => boolean, signal: AbortSignal): Promise<void> {
    let isOver = false;
    while (!isOver && goesOn()) {
      ({ isOver } = await removeEntries(pool, log, clock(), atOnce));
      if (!isOver) await wait(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    async run(signal) {
      const begun = performance.now();
      const goesOn = () => !signal.aborted && performance.now() - begun < turnMs;
      for (const [log, until] of failed) if (until <= begun) failed.delete(log);
      const errors: unknown[] = [];
      for (const log of await listLogsToShorten(pool, logsAtOnce, [...failed.keys()])) {
        if (!goesOn()) break;
        try {
          await shorten(log, goesOn, signal);
        } catch (error) {
          if (isUnavailable(error)) throw error;
          failed.set(log, begun + tryAgainMs);
          errors.push(error);
        }
      }
      if (errors.length > 0)
        throw new AggregateError(errors, `${errors.length} audit logs were not shortened`);
    },
  };
}
