/** Streams in the database: what commands change, and how far the sender is. */
import type pg from 'pg';
import type { AuditStream } from '../../../prisma/generated/client/client.ts';
import type { Transaction } from '../../platform/database.ts';
import { exclusiveLock } from '../../platform/locks.ts';
import { WriteConflictError } from '../../platform/write-conflict.ts';
import type { StreamFilter, StreamFormat, StreamOf } from './messages.ts';

export type { AuditStream };

/** Takes an exclusive lock on the streams of an organization: nobody adds one meanwhile. */
export async function lockAuditStreamsOf(tx: Transaction, organizationId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('auditStreams', '$1')}`, organizationId);
}

/** As `lockAuditStreamsOf`, for the organization of this stream. Does nothing if there is no such stream. */
export async function lockAuditStream(tx: Transaction, id: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('auditStreams', 'organization_id::text')} FROM audit_streams WHERE id = $1::uuid`,
    id,
  );
}

export async function countStreams(tx: Transaction, organizationId: string): Promise<number> {
  return await tx.auditStream.count({ where: { organizationId } });
}

/** A stream, with what its commands are decided on. One statement. */
export async function findStream(
  tx: Transaction,
  id: string,
): Promise<{ stream: AuditStream; hasGuard: boolean } | null> {
  const found = await tx.auditStream.findUnique({
    where: { id },
    include: { organization: { select: { hasGuard: true } } },
    relationLoadStrategy: 'join',
  });
  if (found === null) return null;
  const { organization, ...stream } = found;
  return { stream, hasGuard: organization.hasGuard };
}

/** The last position of a log; 0: it has none yet. */
export async function readLogLength(tx: Transaction, organizationId: string): Promise<number> {
  const [found] = await tx.$queryRawUnsafe<{ position: bigint }[]>(
    'SELECT position FROM audit_positions WHERE organization_id = $1::uuid ORDER BY position DESC LIMIT 1',
    organizationId,
  );
  return Number(found?.position ?? 0n);
}

/** A new stream, which begins after this position, and its first secret. */
export async function insertStream(
  tx: Transaction,
  stream: AuditStream,
  { position, secretId, secret }: { position: number; secretId: string; secret: string },
): Promise<void> {
  const { id: streamId, organizationId, createdAt } = stream;
  await tx.auditStream.create({ data: { ...stream, filter: stream.filter as object } });
  await tx.auditStreamSecret.create({ data: { id: secretId, organizationId, streamId, secret } });
  await tx.auditStreamProgress.create({
    data: {
      ...{ streamId, organizationId, position, generation: 1, attempts: 0, batchEnds: [] },
      ...{ dueAt: createdAt, lookAt: createdAt },
    },
  });
}

/** Saves a stream at its next version. Throws WriteConflictError if somebody else has changed it since it was read. */
export async function saveStream(
  tx: Transaction,
  { id, version, name, url, format, filter, maxBatchBytes, state, disabledReason }: AuditStream,
): Promise<void> {
  const { count } = await tx.auditStream.updateMany({
    where: { id, version: version - 1 },
    data: { version, name, url, format, filter: filter as object, maxBatchBytes, state, disabledReason },
  });
  if (count === 0) throw new WriteConflictError();
}

export async function deleteStream(tx: Transaction, id: string): Promise<void> {
  await tx.auditStream.delete({ where: { id } });
}

/** Lets a sender begin anew, at once: what was counted of its attempts is over. */
export async function restartProgress(tx: Transaction, streamId: string, now: Date): Promise<void> {
  await tx.auditStreamProgress.update({
    where: { streamId },
    data: { attempts: 0, firstFailedAt: null, dueAt: now, lookAt: now },
  });
}

/**
 * What follows after the position is other than before: sent after this one, or in other messages. A sender that is at it loses
 * its lease, and what it saves.
 */
export async function startGeneration(
  tx: Transaction,
  streamId: string,
  change: { position?: number; dueAt: Date },
): Promise<void> {
  await tx.auditStreamProgress.update({
    where: { streamId },
    data: {
      ...(change.position === undefined ? {} : { position: change.position }),
      ...{
        generation: { increment: 1 },
        batchEnds: [],
        attempts: 0,
        firstFailedAt: null,
        dueAt: change.dueAt,
        lookAt: change.dueAt,
        headSize: 0,
        headSentAt: null,
      },
      ...{ leasedBy: null, leasedUntil: null },
    },
  });
}

/** Asks for a test message, unless one waits already: that one is for both who have asked. */
export async function requestTest(tx: Transaction, streamId: string, now: Date): Promise<void> {
  await tx.auditStreamProgress.updateMany({
    where: { streamId, testRequestedAt: null },
    data: { testRequestedAt: now, lookAt: now },
  });
}

/** A new secret. The others sign beside it until then. */
export async function addSecret(
  tx: Transaction,
  { id: streamId, organizationId }: Pick<AuditStream, 'id' | 'organizationId'>,
  { secretId, secret, othersUntil }: { secretId: string; secret: string; othersUntil: Date },
): Promise<void> {
  // Of earlier rotations only the last one is left, so that no header grows without bound.
  await tx.auditStreamSecret.deleteMany({ where: { streamId, expiresAt: { not: null } } });
  await tx.auditStreamSecret.updateMany({ where: { streamId }, data: { expiresAt: othersUntil } });
  await tx.auditStreamSecret.create({ data: { id: secretId, organizationId, streamId, secret } });
}

/** The secret of this id. Only for the answer to whom it was made for. */
export async function findSecret(db: Transaction, id: string): Promise<string | null> {
  return (await db.auditStreamSecret.findUnique({ where: { id }, select: { secret: true } }))?.secret ?? null;
}

/** A stream that this gateway alone sends for a while. */
export type ClaimedStream = StreamOf & {
  readonly url: string;
  /** The newest first. */
  readonly secrets: readonly string[];
  readonly position: number;
  readonly batchEnds: readonly number[];
  readonly attempts: number;
  readonly firstFailedAt: Date | null;
  /** Null: no test message waits. */
  readonly testRequestedAt: Date | null;
  /** Whether there are entries to be sent now. */
  readonly isDue: boolean;
  /** Whether a head may be sent after them. */
  readonly mayHaveHead: boolean;
  readonly headSize: number;
  readonly headSentAt: Date | null;
};

/** Seconds for which nobody else sends a stream that a gateway has claimed: longer than a round takes. */
const leaseSeconds = 60;

/**
 * Claims the streams of organizations with Guard that have something to send at `now`, the longest due first, at most `limit`. No
 * two gateways have the same at a time. One statement, which looks at the streams of the logs, and at those that are to be looked
 * at by now: after a failure or a command, or because whoever had claimed them does not go on.
 *
 * @param logs null: looks at all streams
 */
export async function claimStreams(
  pool: pg.Pool,
  sender: string,
  now: Date,
  limit: number,
  logs: readonly string[] | null,
): Promise<ClaimedStream[]> {
  const { rows } = await pool.query<
    Omit<ClaimedStream, 'position' | 'headSize' | 'batchEnds' | 'filter' | 'format'> & {
      position: string;
      headSize: string;
      batchEnds: string[];
      filter: StreamFilter;
      format: StreamFormat;
    }
  >(
    `WITH candidate AS (
       ${
         logs === null
           ? 'SELECT stream_id FROM audit_stream_progress'
           : `SELECT stream_id FROM audit_stream_progress WHERE organization_id = ANY ($4::uuid[])
              UNION SELECT stream_id FROM audit_stream_progress WHERE look_at <= $1::timestamptz`
       }
     ), found AS MATERIALIZED (
       SELECT p.stream_id, may.send,
              may.send AND EXISTS (SELECT FROM audit_positions e WHERE e.organization_id = s.organization_id AND e.position > p.position) AS due,
              may.send AND (p.head_sent_at IS NULL OR p.head_sent_at <= $1::timestamptz - interval '1 minute')
                AND EXISTS (SELECT FROM audit_checkpoints c WHERE c.organization_id = s.organization_id
                               AND c.size > p.head_size AND c.size <= p.position) AS head_due
         FROM candidate JOIN audit_stream_progress p USING (stream_id) JOIN audit_streams s ON s.id = p.stream_id
         JOIN organizations o ON o.id = s.organization_id
        CROSS JOIN LATERAL (SELECT s.state = 'ACTIVE' AND p.due_at <= $1::timestamptz AS send) AS may
        WHERE o.has_guard AND (p.leased_until IS NULL OR p.leased_until <= $1::timestamptz)
     ), claimed AS (
       SELECT p.stream_id, found.due, found.send FROM found JOIN audit_stream_progress p USING (stream_id)
        WHERE (found.due OR found.head_due OR p.test_requested_at IS NOT NULL OR p.look_at <= $1::timestamptz)
          AND (p.leased_until IS NULL OR p.leased_until <= $1::timestamptz)
        ORDER BY p.due_at LIMIT $3::int FOR UPDATE OF p SKIP LOCKED
     )
     UPDATE audit_stream_progress p
        SET leased_by = $2::uuid, leased_until = $1::timestamptz + make_interval(secs => ${leaseSeconds}),
            look_at = $1::timestamptz + make_interval(secs => ${leaseSeconds})
       FROM claimed, audit_streams s
      WHERE p.stream_id = claimed.stream_id AND s.id = p.stream_id
     RETURNING p.stream_id AS "streamId", p.organization_id AS "organizationId", p.generation, p.position,
               p.batch_ends AS "batchEnds", p.attempts, p.first_failed_at AS "firstFailedAt",
               p.test_requested_at AS "testRequestedAt", claimed.due AS "isDue",
               claimed.send AS "mayHaveHead", p.head_size AS "headSize", p.head_sent_at AS "headSentAt",
               s.url, s.format, s.filter, s.max_batch_bytes AS "maxBatchBytes",
               ARRAY(SELECT secret FROM audit_stream_secrets k
                      WHERE k.stream_id = p.stream_id AND (k.expires_at IS NULL OR k.expires_at > $1::timestamptz)
                      ORDER BY k.expires_at DESC NULLS FIRST) AS secrets`,
    [now, sender, limit, ...(logs === null ? [] : [logs])],
  );
  return rows.map((row) => ({
    ...row,
    position: Number(row.position),
    headSize: Number(row.headSize),
    batchEnds: row.batchEnds.map(Number),
  }));
}

/** What a sender writes down. */
export type Progress = Partial<{
  position: number;
  batchEnds: readonly number[];
  attempts: number;
  firstFailedAt: Date | null;
  dueAt: Date;
  lookAt: Date;
  headSize: number;
  headSentAt: Date;
  lastAttemptAt: Date;
  lastSuccessAt: Date;
  lastError: string | null;
  testRequestedAt: null;
  testedAt: Date;
  testError: string | null;
}>;

const progressColumns: Readonly<Record<keyof Progress, [column: string, type: string]>> = {
  position: ['position', 'bigint'],
  batchEnds: ['batch_ends', 'bigint[]'],
  attempts: ['attempts', 'int'],
  firstFailedAt: ['first_failed_at', 'timestamptz'],
  dueAt: ['due_at', 'timestamptz'],
  lookAt: ['look_at', 'timestamptz'],
  headSize: ['head_size', 'bigint'],
  headSentAt: ['head_sent_at', 'timestamptz'],
  lastAttemptAt: ['last_attempt_at', 'timestamptz'],
  lastSuccessAt: ['last_success_at', 'timestamptz'],
  lastError: ['last_error', 'text'],
  testRequestedAt: ['test_requested_at', 'timestamptz'],
  testedAt: ['tested_at', 'timestamptz'],
  testError: ['test_error', 'text'],
};

/**
 * Saves how far a sender is, and gives its claim up; unless it has lost that: another gateway has it, or a command has begun a new
 * generation. Returns whether it had it still. One statement.
 *
 * @param keep keeps the claim
 */
export async function saveProgress(
  db: Transaction,
  stream: Pick<ClaimedStream, 'streamId' | 'generation'>,
  sender: string,
  progress: Progress,
  { keep = false }: { keep?: boolean } = {},
): Promise<boolean> {
  const names = (Object.keys(progressColumns) as (keyof Progress)[]).filter(
    (name) => progress[name] !== undefined,
  );
  const sets = names.map(
    (name, at) => `${progressColumns[name][0]} = $${at + 4}::${progressColumns[name][1]}`,
  );
  if (!keep) sets.push('leased_by = NULL', 'leased_until = NULL');
  if (!keep && progress.lookAt === undefined) sets.push('look_at = NULL');
  return await update(
    db,
    stream,
    sender,
    sets,
    names.map((name) => progress[name]),
  );
}

/**
 * Gives a claim up, unless it is lost. If entries have come meanwhile, any gateway finds the stream at `now`: those that have
 * looked while it was claimed do not look by themselves. One statement.
 */
export async function endClaim(
  db: Transaction,
  stream: Pick<ClaimedStream, 'streamId' | 'generation'>,
  sender: string,
  now: Date,
): Promise<void> {
  const sets = [
    'leased_by = NULL',
    'leased_until = NULL',
    `look_at = CASE WHEN EXISTS (SELECT FROM audit_positions e WHERE e.organization_id = p.organization_id AND e.position > p.position)
                    THEN $4::timestamptz END`,
  ];
  await update(db, stream, sender, sets, [now]);
}

async function update(
  db: Transaction,
  { streamId, generation }: Pick<ClaimedStream, 'streamId' | 'generation'>,
  sender: string,
  sets: readonly string[],
  values: readonly unknown[],
): Promise<boolean> {
  const saved = await db.$executeRawUnsafe(
    `UPDATE audit_stream_progress p SET ${sets.join(', ')}
      WHERE stream_id = $1::uuid AND generation = $2::int AND leased_by = $3::uuid`,
    ...[streamId, generation, sender, ...values],
  );
  return saved === 1;
}

/** A claim that came to nothing, and until when it keeps others from its streams. */
export type BrokenClaim = {
  readonly claim: string;
  /** Null: whichever it has. */
  readonly streamId: string | null;
  readonly until: Date;
};

/** Ends these claims at the times that they say, those that are not lost. Returns the streams. One statement. */
export async function giveClaimsBack(pool: pg.Pool, broken: readonly BrokenClaim[]): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `UPDATE audit_stream_progress p SET leased_until = broken.until, look_at = broken.until
       FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS broken (claim, stream_id, until)
      WHERE p.leased_by = broken.claim AND (broken.stream_id IS NULL OR p.stream_id = broken.stream_id)
     RETURNING p.stream_id AS id`,
    [
      broken.map(({ claim }) => claim),
      broken.map(({ streamId }) => streamId),
      broken.map(({ until }) => until),
    ],
  );
  return rows.map(({ id }) => id);
}

/** How far a stream is, for people. */
export type StreamHealth = {
  streamId: string;
  position: number;
  /** Entries of the log after the position. */
  waitingEntries: number;
  /** When the first of them happened; null: there is none. */
  waitingSince: Date | null;
  attempts: number;
  firstFailedAt: Date | null;
  dueAt: Date;
  lastAttemptAt: Date | null;
  lastSuccessAt: Date | null;
  lastError: string | null;
  testRequestedAt: Date | null;
  testedAt: Date | null;
  testError: string | null;
};

/** The position that a stream has reached, or up to which the log was removed: of a stream `p` and what is `gone` of its log. */
const reached = 'GREATEST(p.position, gone.removed_through)';

/** The health of each of these streams, in their order; null for one that does not exist. One statement. */
export async function listHealth(
  db: Transaction,
  streamIds: readonly string[],
): Promise<(StreamHealth | null)[]> {
  type Row = Omit<StreamHealth, 'position' | 'waitingEntries'> & { position: bigint; waitingEntries: bigint };
  const rows = await db.$queryRawUnsafe<Row[]>(
    `SELECT p.stream_id AS "streamId", p.position, p.attempts, p.first_failed_at AS "firstFailedAt", p.due_at AS "dueAt",
            p.last_attempt_at AS "lastAttemptAt", p.last_success_at AS "lastSuccessAt", p.last_error AS "lastError",
            p.test_requested_at AS "testRequestedAt", p.tested_at AS "testedAt", p.test_error AS "testError",
            GREATEST(0, COALESCE((SELECT position FROM audit_positions l WHERE l.organization_id = p.organization_id
                                   ORDER BY position DESC LIMIT 1), 0) - ${reached}) AS "waitingEntries",
            (SELECT e.occurred_at FROM audit_positions l JOIN audit_entries e USING (txid, seq)
              WHERE l.organization_id = p.organization_id AND l.position = ${reached} + 1) AS "waitingSince"
       FROM audit_stream_progress p LEFT JOIN audit_removals gone ON gone.organization_id = p.organization_id
      WHERE p.stream_id = ANY ($1::uuid[])`,
    streamIds,
  );
  const found = new Map(
    rows.map((row) => [
      row.streamId,
      { ...row, position: Number(row.position), waitingEntries: Number(row.waitingEntries) },
    ]),
  );
  return streamIds.map((id) => found.get(id) ?? null);
}

/** The streams of organizations with Guard by state, and for how long the oldest entry has waited for one that does not fail. One statement. */
export async function readStreamFigures(
  pool: pg.Pool,
  now: Date,
): Promise<{ states: Readonly<Record<string, number>>; lagSeconds: number }> {
  const { rows } = await pool.query<Record<string, number> & { lagSeconds: number }>(
    `SELECT count(*) FILTER (WHERE s.state = 'ACTIVE')::int AS active,
            count(*) FILTER (WHERE s.state = 'ACTIVE' AND p.attempts > 0)::int AS failing,
            count(*) FILTER (WHERE s.state = 'PAUSED')::int AS paused,
            count(*) FILTER (WHERE s.state = 'DISABLED')::int AS disabled,
            COALESCE(max(GREATEST(0, EXTRACT(EPOCH FROM $1::timestamptz - waiting.occurred_at)))
                       FILTER (WHERE s.state = 'ACTIVE' AND p.attempts = 0), 0)::float8 AS "lagSeconds"
       FROM audit_stream_progress p JOIN audit_streams s ON s.id = p.stream_id
       JOIN organizations o ON o.id = s.organization_id AND o.has_guard
       LEFT JOIN audit_removals gone ON gone.organization_id = p.organization_id
       LEFT JOIN LATERAL (SELECT e.occurred_at FROM audit_positions l JOIN audit_entries e USING (txid, seq)
                           WHERE l.organization_id = p.organization_id AND l.position = ${reached} + 1) AS waiting ON true`,
    [now],
  );
  const { lagSeconds = 0, ...states } = rows[0] ?? {};
  return { states, lagSeconds };
}
