/**
 * Seals the audit logs: what has got its position becomes a leaf of the Merkle tree of its log, and the head of the tree is
 * signed. In batches, after the commits, by one gateway at a time for each log. Hashes and head of a batch are one transaction,
 * so whoever dies leaves nothing, and the next one goes on from the last head. A batch costs what it seals and the height of the
 * tree, however long the log is.
 *
 * A head is signed only if it follows the last one: if that is not signed with a known key, or the tree has another root, the
 * log is left as it is, and the gateway says so.
 */
import type pg from 'pg';
import type { Clock } from '../platform/clock.ts';
import { isUnavailable } from '../platform/database.ts';
import type { Logger } from '../platform/logger.ts';
import { checkpointText, openCheckpoint } from '../transparency/checkpoint.ts';
import { type KeysOfLog, keysOfLog, type LogKeys } from '../transparency/log-keys.ts';
import { emptyRoot, hashBytes, leafHash } from '../transparency/merkle-tree.ts';
import { signNote } from '../transparency/signed-note.ts';
import { appendLeaves, type Edge, edgeTiles, type GrownTile, rootOf } from '../transparency/tiles.ts';
import { logName } from './log-name.ts';
import { createLogWatch } from './new-positions.ts';
import { type AuditRecord, leafOf } from './record.ts';
import { readRecords } from './record-store.ts';
import { type Head, readHeads, readTiles } from './sealed-log.ts';

/** At most so many entries, and logs, are sealed in one transaction. */
const entriesAtOnce = 500;
const logsAtOnce = 50;

/**
 * Milliseconds until a log that could not be sealed is tried again; twice as many each further time in a row, up to the longest.
 */
const restMs = 500;
const longestRestMs = 60_000;

export type SealerOptions = {
  readonly pool: pg.Pool;
  readonly keys: LogKeys;
  readonly clock: Clock;
  readonly logger: Logger;
};

export type Sealer = {
  /** Seals a batch of what has positions by now. Returns whether there is more. */
  seal(): Promise<boolean>;
};

export function createSealer({ pool, keys, clock, logger }: SealerOptions): Sealer {
  /** The logs in which something may have to be sealed, those first that have waited longest. */
  const waiting = new Set<string>();
  /** The logs that could not be sealed the last time: how often in a row, what was said of it, and when they are tried again. */
  const failed = new Map<string, { times: number; said: string; tryAgainAt: number }>();
  const watch = createLogWatch(pool);

  /** Whether all logs are to be looked at: until that has succeeded. */
  let isDueForAll = false;

  async function look(): Promise<void> {
    const grown = await watch.look();
    if (grown === 'ALL') isDueForAll = true;
    else for (const log of grown) waiting.add(log);
    if (!isDueForAll) return;
    for (const log of await listUnsealedLogs(pool)) waiting.add(log);
    isDueForAll = false;
  }

  function nextLogs(): string[] {
    const now = performance.now();
    return [...waiting].filter((log) => (failed.get(log)?.tryAgainAt ?? 0) <= now).slice(0, logsAtOnce);
  }

  /** Returns whether any of the logs was free. One that fails does not keep the others from being sealed. */
  async function sealLogs(logs: readonly string[]): Promise<boolean> {
    try {
      const done = await sealTogether(pool, logs, keys, clock());
      for (const log of logs) {
        waiting.delete(log);
        if (done.get(log) !== true) waiting.add(log);
        if (done.has(log) && failed.delete(log))
          logger.info({ organizationId: log }, 'An audit log is sealed again');
      }
      return done.size > 0;
    } catch (error) {
      const [only, ...others] = logs;
      if (only === undefined || isUnavailable(error)) throw error;
      if (others.length > 0) {
        let isAnyFree = false;
        for (const log of logs) isAnyFree = (await sealLogs([log])) || isAnyFree;
        return isAnyFree;
      }
      rest(only, error);
      return false;
    }
  }

  /** What is said of a log is said once, however often it is tried again. */
  function rest(log: string, error: unknown): void {
    const before = failed.get(log);
    const times = (before?.times ?? 0) + 1;
    const said = error instanceof Error ? error.message : String(error);
    const ms = Math.min(restMs * 2 ** (times - 1), longestRestMs);
    failed.set(log, { times, said, tryAgainAt: performance.now() + ms });
    if (said !== before?.said)
      logger.error({ err: error, organizationId: log }, 'An audit log cannot be sealed');
  }

  return {
    async seal() {
      await look();
      const logs = nextLogs();
      return logs.length > 0 && (await sealLogs(logs)) && nextLogs().length > 0;
    },
  };
}

/** The next head of a log, and the tiles that have grown since the last one. */
type Sealed = {
  readonly log: string;
  readonly previous: Head;
  readonly head: Head;
  readonly grown: GrownTile[];
};

/** Seals what comes next in each of these logs. Returns those that were free, and whether all of it is sealed. */
async function sealTogether(
  pool: pg.Pool,
  logs: readonly string[],
  keys: LogKeys,
  signedAt: Date,
): Promise<Map<string, boolean>> {
  return await inTransaction(pool, async (client) => {
    const lengths = await lockLogs(client, logs);
    const free = [...lengths.keys()];
    const heads = await readHeads(client, free);
    const edges = await readEdges(client, heads);
    const limit = Math.max(1, Math.floor(entriesAtOnce / free.length));
    const sealed: Sealed[] = [];
    const done = new Map<string, boolean>();
    for (const [log, length] of lengths) {
      const previous = heads.get(log) ?? noHead;
      const size = Math.min(length, previous.size + limit);
      done.set(log, size >= length);
      if (size === previous.size) continue;
      const keysHere = keysOfLog(keys, logName(log));
      const edge = edges.get(log) ?? { size: 0, partial: [] };
      if (previous.size > 0) checkHead(previous, edge, keysHere);
      const records = await readRecords(client, log, previous.size, limit);
      sealed.push({ log, previous, ...nextHead(previous, edge, records, size, keysHere, signedAt) });
    }
    await write(client, sealed);
    return done;
  });
}

const noHead: Head = { size: 0, root: emptyRoot, note: '', signedAt: new Date(0) };

/** Throws unless the head is signed, and states the tree that is there: otherwise a part of the log was replaced. */
function checkHead({ size, root, note }: Head, edge: Edge, { origin, verifiers }: KeysOfLog): void {
  const signed = openCheckpoint(note, verifiers);
  if (signed.origin !== origin || signed.size !== size || !signed.root.equals(root))
    throw new Error('The last head of the log is not the one that was signed');
  if (!rootOf(edge).equals(root)) throw new Error('The hashes of the log are not those of its last head');
}

function nextHead(
  previous: Head,
  edge: Edge,
  records: readonly AuditRecord[],
  size: number,
  { origin, signers }: KeysOfLog,
  signedAt: Date,
): Pick<Sealed, 'head' | 'grown'> {
  const next = records.slice(0, size - previous.size);
  if (
    next.length < size - previous.size ||
    next.some(({ position }, at) => position !== previous.size + at + 1)
  )
    throw new Error('The log lacks entries that had positions');
  const leaves = next.map((record) => leafHash(leafOf(record)));
  const { edge: grownEdge, grown } = appendLeaves(edge, leaves);
  const root = rootOf(grownEdge);
  const note = signNote(checkpointText({ origin, size, root }), signers);
  return { head: { size, root, note, signedAt }, grown };
}

/** Locks those of the logs that nobody seals now, until the transaction ends. Returns how long each of them is. */
async function lockLogs(client: pg.PoolClient, logs: readonly string[]): Promise<Map<string, number>> {
  const { rows: locked } = await client.query<{ log: string }>(
    `SELECT log FROM unnest($1::uuid[]) AS log
      WHERE pg_try_advisory_xact_lock(hashtextextended('audit log is sealed ' || log, 10))`,
    [logs],
  );
  // A statement of its own: it sees what whoever had the lock before has committed.
  const { rows } = await client.query<{ log: string; length: string }>(
    `SELECT log, COALESCE((SELECT position FROM audit_positions WHERE organization_id = log
                            ORDER BY position DESC LIMIT 1), 0) AS length
       FROM unnest($1::uuid[]) AS log`,
    [locked.map(({ log }) => log)],
  );
  return new Map(rows.map(({ log, length }) => [log, Number(length)]));
}

/** The right edges of the trees with these heads. */
async function readEdges(
  client: pg.PoolClient,
  heads: ReadonlyMap<string, Head>,
): Promise<Map<string, Edge>> {
  const wanted = [...heads].flatMap(([log, { size }]) =>
    edgeTiles(size).flatMap((tile) => (tile.width === 0 ? [] : [{ log, ...tile }])),
  );
  const tileOf = await readTiles(client, wanted);
  return new Map(
    [...heads].map(([log, { size }]) => [
      log,
      { size, partial: edgeTiles(size).map((tile) => tileOf({ log, ...tile }) ?? Buffer.alloc(0)) },
    ]),
  );
}

async function write(client: pg.PoolClient, sealed: readonly Sealed[]): Promise<void> {
  if (sealed.length === 0) return;
  const tiles = sealed.flatMap(({ log, grown }) =>
    grown.map(({ level, index, hashes, before }) => {
      const added = hashes.subarray(before * hashBytes).toString('base64');
      return { log, level, tile_index: index, before: before * hashBytes, added };
    }),
  );
  const heads = sealed.map(({ log, previous, head }) => ({
    ...{ log, size: head.size, previous_size: previous.size, note: head.note },
    ...{ root: head.root.toString('base64'), signed_at: head.signedAt },
  }));
  const { rowCount } = await client.query(writeSql, [JSON.stringify(tiles), JSON.stringify(heads)]);
  if (rowCount !== sealed.length) throw new Error('The tiles of an audit log are not those of its last head');
}

/** Writes nothing of the heads unless every tile was as it was read. */
const writeSql = `
  WITH added AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS added(log uuid, level smallint, tile_index bigint, before int, added text)
  ), grown AS (
    INSERT INTO audit_tiles AS tile (organization_id, level, tile_index, hashes)
    SELECT log, level, tile_index, decode(added, 'base64') FROM added
        ON CONFLICT (organization_id, level, tile_index) DO UPDATE SET hashes = tile.hashes || excluded.hashes
     WHERE octet_length(tile.hashes) = (
             SELECT before FROM added WHERE (log, level, tile_index) = (tile.organization_id, tile.level, tile.tile_index))
    RETURNING 1
  )
  INSERT INTO audit_checkpoints (organization_id, size, previous_size, root_hash, note, signed_at)
  SELECT log, size, previous_size, decode(root, 'base64'), note, signed_at
    FROM jsonb_to_recordset($2::jsonb)
      AS heads(log uuid, size bigint, previous_size bigint, root text, note text, signed_at timestamptz)
   WHERE (SELECT count(*) FROM grown) = (SELECT count(*) FROM added)`;

/** Every log that is longer than its last head. Two looks at the end of indexes for each organization. */
const unsealedSql = `
  SELECT log.id, head.size
    FROM organizations AS log
    LEFT JOIN LATERAL (SELECT position FROM audit_positions WHERE organization_id = log.id
                        ORDER BY position DESC LIMIT 1) AS last ON true
    LEFT JOIN LATERAL (SELECT size FROM audit_checkpoints WHERE organization_id = log.id
                        ORDER BY size DESC LIMIT 1) AS head ON true
   WHERE last.position > COALESCE(head.size, 0)`;

async function listUnsealedLogs(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(unsealedSql);
  return rows.map(({ id }) => id);
}

/** For how many seconds the oldest entry that has a position has waited for being sealed; 0: none waits. */
export async function readSealingLag(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ seconds: number | null }>(
    `SELECT GREATEST(0, EXTRACT(EPOCH FROM clock_timestamp() - min(entry.occurred_at)))::float8 AS seconds
       FROM (${unsealedSql}) AS log
       JOIN audit_positions AS next ON next.organization_id = log.id AND next.position = COALESCE(log.size, 0) + 1
       JOIN audit_entries AS entry ON entry.txid = next.txid AND entry.seq = next.seq`,
  );
  return rows[0]?.seconds ?? 0;
}

/**
 * Not `database.transaction`: that one waits for its turn among those of commands, which sealing must not delay, and ends after
 * four seconds. A batch that takes longer on a busy machine would never be sealed. Each of its statements has the deadlines of
 * all statements.
 */
async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const result = await work(client);
    const { command } = await client.query('COMMIT');
    // So PostgreSQL ends a transaction of which a statement has failed.
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`);
    client.release();
    return result;
  } catch (error) {
    await client.query('ROLLBACK').then(
      () => client.release(),
      () => client.release(true),
    );
    throw error;
  }
}
