/** Reads a log for somebody who may read all of it, page after page. */
import type pg from 'pg';
import { isReading, type ReadingAction, type Readings } from '../../audit/readings.ts';
import type { AuditRecord } from '../../audit/record.ts';
import { readRecords, type Stretch, stretchOfPeriod } from '../../audit/record-store.ts';
import { readRemovedThrough, removedLine } from '../../audit/removals.ts';
import { type Head, readHeadUpTo } from '../../audit/sealed-log.ts';
import { FeedError } from '../../events/errors.ts';
import type { CursorSigner, Cursors } from '../../events/event-cursor.ts';
import type { TokenClaims } from '../../identity/tokens.ts';
import type { Viewer } from '../../identity/viewer.ts';
import { canonicalJson } from '../../platform/canonical-json.ts';
import type { LaggingReads } from '../../platform/replica.ts';
import type { RequestSource } from '../../platform/request-source.ts';
import type { Account } from '../admission/lane.ts';
import { RequestRefusedError } from '../request-refused.ts';
import { openLog } from './open-log.ts';
import type { StreamRequest } from './request.ts';

export type LogPage = {
  /** Whether it has entries that are not about readings of the log. */
  readonly hasNews: boolean;
  readonly lines: readonly string[];
  /** The position after which the next page begins, and its cursor. */
  readonly through: number;
  readonly cursor: string;
  /** The line that says that entries after the beginning of the page were removed, and up to where; null: none was. */
  readonly removed: { readonly through: number; readonly line: string } | null;
  /** A head that the reader has asked for: of entries up to here, and newer than the one that it has. */
  readonly head: Head | null;
};

export type OpenedLog = {
  readonly logId: string;
  readonly account: Account;
  /** @throws RequestRefusedError for a cursor that is none of this log, or of this reader */
  read(asked: Pick<StreamRequest, 'start' | 'limit' | 'headAfter'>): Promise<LogPage>;
  /** The records after a position, without those that are removed. */
  records(after: number, limit: number): Promise<AuditRecord[]>;
  /** Up to which position entries are removed; 0: none is. */
  removedThrough(): Promise<number>;
  /** The part of the log in which the entries of a period are, with others. */
  stretchOf(period: { readonly from: Date | null; readonly until: Date | null }): Promise<Stretch>;
  /** Resolves once it is on record that the reader reads the log. */
  recordReading(action: ReadingAction, details: Readonly<Record<string, unknown>>): Promise<void>;
};

export type LogReader = {
  /**
   * Opens a log with the rights that the account has now.
   * @throws RequestRefusedError if it may not read it
   */
  open(claims: TokenClaims, organizationId: string | null, source: RequestSource): Promise<OpenedLog>;
};

type LogReaderOptions = {
  pool: pg.Pool;
  cursors: CursorSigner;
  readings: Readings;
  laggingReads: LaggingReads;
  signIn: (claims: TokenClaims, source: RequestSource) => Promise<Viewer | null>;
  accountOf: (viewer: Viewer) => Account;
};

export function createLogReader(options: LogReaderOptions): LogReader {
  const { pool, cursors, readings, laggingReads, signIn, accountOf } = options;
  return {
    async open(claims, organizationId, source) {
      const viewer = await signIn(claims, source);
      const logId = await openLog(viewer, organizationId, (id) => hasGuard(pool, id));
      if (viewer === null) throw new Error('A log was opened for nobody');
      const ofReader = cursors({ viewerId: viewer.id, stream: 'GET /audit/stream', filter: { logId } });
      return {
        ...{ logId, account: accountOf(viewer) },
        read: (asked) => readPage(pool, logId, ofReader, asked),
        // How long the log is, the primary has said: a replica that lacks some of it is not asked.
        async records(after, limit) {
          const { found } = await laggingReads.read(pool, viewer.id, async (db, isReplica) => {
            const records = await readRecords(db, logId, after, limit);
            return isReplica && records.length < limit ? null : records;
          });
          return found ?? [];
        },
        removedThrough: () => readRemovedThrough(pool, logId),
        stretchOf: (period) => stretchOfPeriod(pool, logId, period),
        recordReading: (action, details) =>
          readings.record([{ action, reader: viewer, source, logId, details }]),
      };
    },
  };
}

async function readPage(
  pool: pg.Pool,
  logId: string,
  cursors: Cursors,
  { start, limit, headAfter }: Pick<StreamRequest, 'start' | 'limit' | 'headAfter'>,
): Promise<LogPage> {
  const from = 'cursor' in start ? placeIn(cursors, start.cursor) : { position: start.after, seq: null };
  const records = await readRecords(pool, logId, from.position, limit);
  const through = records.at(-1)?.position ?? from.position;
  const seqs = await readSeqs(pool, logId, [from.position, through]);
  const isOfHistory = from.seq === null || from.position === 0 || seqs.get(from.position) === from.seq;
  if (!isOfHistory) throw replaced();
  const removed = await removedBefore(pool, logId, from.position, records[0]?.position);
  const head = headAfter === null ? null : await readHeadUpTo(pool, logId, through);
  return {
    hasNews: records.some(({ action }) => !isReading(action)),
    lines: records.map(canonicalJson),
    removed,
    head: head !== null && head.size > (headAfter ?? 0) ? head : null,
    through,
    cursor: encode(cursors, through, seqs.get(through) ?? 0n),
  };
}

/** What was removed between a position and the first entry after it. Without a gap, no statement. */
async function removedBefore(
  pool: pg.Pool,
  logId: string,
  after: number,
  first: number | undefined,
): Promise<LogPage['removed']> {
  if (first === undefined || first === after + 1) return null;
  const through = first - 1;
  if ((await readRemovedThrough(pool, logId)) < through) return null;
  return { through, line: JSON.stringify(await removedLine(pool, logId, through)) };
}

/** The entry after which a page begins, named by its position and, so that another history is noticed, by its number. */
type CursorPlace = { readonly position: number; readonly seq: bigint };

function encode(cursors: Cursors, position: number, seq: bigint): string {
  const next = BigInt(position);
  return cursors.encode({ next, open: [{ txid: next, through: seq }] });
}

function placeIn(cursors: Cursors, cursor: string): CursorPlace {
  try {
    const { next, open } = cursors.decode(cursor);
    return { position: Number(next), seq: open[0]?.through ?? 0n };
  } catch (error) {
    if (error instanceof FeedError) throw new RequestRefusedError(400, error.code, messageOf(error.code));
    throw error;
  }
}

function messageOf(code: string): string {
  switch (code) {
    case 'CURSOR_OF_ANOTHER_VIEWER':
      return 'This cursor was issued to another account: use one of your own, or go on by position with after.';
    case 'CURSOR_OF_ANOTHER_FILTER':
      return 'This cursor is of another log: use one of this log, or go on by position with after.';
    default:
      return 'This is not a cursor of this deployment: use one as it was returned, or go on by position with after.';
  }
}

function replaced(): RequestRefusedError {
  return new RequestRefusedError(
    409,
    'HISTORY_REPLACED',
    'The log no longer has the entry of this cursor: the database was restored, or failed over with losses. Go on with after from a position before it, and compare by id.',
  );
}

/** The numbers of the entries at these positions. One statement. */
async function readSeqs(
  pool: pg.Pool,
  logId: string,
  positions: readonly number[],
): Promise<Map<number, bigint>> {
  const { rows } = await pool.query<{ position: string; seq: string }>(
    'SELECT position, seq FROM audit_positions WHERE organization_id = $1::uuid AND position = ANY ($2::bigint[])',
    [logId, positions],
  );
  return new Map(rows.map(({ position, seq }) => [Number(position), BigInt(seq)]));
}

async function hasGuard(pool: pg.Pool, organizationId: string): Promise<boolean> {
  const { rows } = await pool.query<{ has: boolean }>(
    'SELECT has_guard AS has FROM organizations WHERE id = $1::uuid',
    [organizationId],
  );
  return rows[0]?.has === true;
}
