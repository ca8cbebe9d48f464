/** Grants in the database: the reads that commands need, and the one write, which checks versions. */
import type { Product, SupportSession, Ticket } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { snakeCase } from '../platform/snake-case.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import type { Grant } from './grant.ts';
import type { GrantChange } from './lifecycle.ts';
import { toGrant, toRow } from './row.ts';

/** The open grants of these tickets, and those with the ids `named`, open or not; at most `limit`. One statement. */
export async function listGrantsOfTickets(
  db: Transaction,
  ticketIds: readonly string[],
  named: readonly string[] = [],
  limit?: number,
): Promise<Grant[]> {
  const rows = await db.grant.findMany({
    where: {
      ticketId: { in: [...ticketIds] },
      OR: [
        { state: { in: ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'] } },
        ...(named.length === 0 ? [] : [{ id: { in: [...named] } }]),
      ],
    },
    orderBy: { id: 'asc' },
    ...(limit === undefined ? {} : { take: limit }),
  });
  return rows.map(toGrant);
}

/** Open grants of many tickets, and what their events say of each ticket. */
export type OpenGrants = {
  grants: Grant[];
  tickets: ReadonlyMap<string, Pick<Ticket, 'reporterId' | 'status' | 'version'> & { product: Marked }>;
};
type Marked = Pick<Product, 'unsettledSince' | 'unsettledById'>;

/**
 * Every open grant on a site, or on one product of it; of more than `limit`, so many. One statement; the caller holds the
 * site's lock.
 */
export async function listOpenGrantsOfSite(
  tx: Transaction,
  siteId: string,
  productId: string | null,
  limit?: number,
): Promise<OpenGrants> {
  const found = await tx.grant.findMany({
    where: {
      siteId,
      state: { in: ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'] },
      ...(productId === null ? {} : { ticket: { productId } }),
    },
    include: {
      ticket: {
        select: {
          ...{ reporterId: true, status: true, version: true },
          product: { select: { unsettledSince: true, unsettledById: true } },
        },
      },
    },
    relationLoadStrategy: 'join',
    orderBy: { id: 'asc' },
    ...(limit === undefined ? {} : { take: limit }),
  });
  return {
    grants: found.map(({ ticket: _, ...row }) => toGrant(row)),
    tickets: new Map(found.map(({ ticketId, ticket }) => [ticketId, ticket])),
  };
}

/** The end of the session under a grant, if there is one that is not recorded as ended. */
export type SessionEnd = {
  grantId: string;
  /** The session ends at this moment, unless its own time had run out before. */
  endedAt: Date;
  endReason: NonNullable<SupportSession['endReason']>;
  endedById: string | null;
};

/**
 * Writes changes of grants, the decisions that people made in them, and the ends of the sessions under them, and returns
 * these sessions. One statement, however many grants. A grant is written only over the version that the change
 * was decided on.
 *
 * @throws WriteConflictError when a grant is no longer at that version.
 */
export async function saveGrantChanges(
  tx: Transaction,
  changes: readonly (GrantChange & { reason: string | null; relayedById?: string })[],
  sessionEnds: readonly SessionEnd[],
): Promise<SupportSession[]> {
  if (changes.length === 0) return [];
  const latest = new Map(changes.map((change) => [change.grant.id, change.grant]));
  const steps = new Map<string, number>();
  for (const { grant } of changes) steps.set(grant.id, (steps.get(grant.id) ?? 0) + 1);
  const rows = [...latest.values()].map((grant) => ({
    ...snakeCase(toRow(grant)),
    decided_on: grant.version - (steps.get(grant.id) ?? 1),
  }));
  const decisions = changes.flatMap(({ grant, decision, reason, relayedById = null }) =>
    decision === null
      ? []
      : [
          {
            id: newId(decidedAt(grant)),
            organization_id: grant.organizationId,
            grant_id: grant.id,
            stage: decision.stage,
            outcome: decision.outcome,
            decided_by_id: decision.by,
            relayed_by_id: relayedById,
            reason,
            decided_at: decidedAt(grant),
          },
        ],
  );
  const [saved] = await tx.$queryRawUnsafe<{ written: number; ended: object[] }[]>(
    writeChanges,
    JSON.stringify(rows),
    JSON.stringify(sessionEnds.map(snakeCase)),
    JSON.stringify(decisions),
  );
  if (saved?.written !== rows.length) throw new WriteConflictError();
  return saved.ended.map(sessionIn);
}

/** As `decide` of sessions/session.ts decides `EndUse`. */
const endSessions = `
     UPDATE support_sessions AS session
        SET ended_at = GREATEST(session.started_at, LEAST(session.due_at, given.ended_at)),
            end_reason = CASE WHEN session.due_at >= given.ended_at THEN given.end_reason
                              WHEN session.due_at < session.expires_at THEN 'IDLE_LIMIT'
                              ELSE 'TIME_LIMIT' END,
            ended_by_id = CASE WHEN session.due_at >= given.ended_at THEN given.ended_by_id END,
            version = session.version + 1
       FROM jsonb_to_recordset($2::jsonb) AS given(
              grant_id uuid, ended_at timestamptz, end_reason support_session_end_reason, ended_by_id uuid)
      WHERE session.grant_id = given.grant_id AND session.ended_at IS NULL`;

const writeChanges = `
     WITH written AS (
     INSERT INTO grants AS known
     SELECT decided.* FROM jsonb_populate_recordset(NULL::grants, $1::jsonb) AS decided
     ON CONFLICT (id) DO UPDATE SET
       state = excluded.state, path = excluded.path, engineer_id = excluded.engineer_id,
       approval_due_at = excluded.approval_due_at,
       customer_approved_at = excluded.customer_approved_at, customer_approved_by_id = excluded.customer_approved_by_id,
       activated_at = excluded.activated_at, expires_at = excluded.expires_at, ended_at = excluded.ended_at,
       end_reason = excluded.end_reason, ended_by_id = excluded.ended_by_id, version = excluded.version
     WHERE (known.id, known.version) IN (
       SELECT (decided ->> 'id')::uuid, (decided ->> 'decided_on')::int FROM jsonb_array_elements($1::jsonb) AS decided)
     RETURNING id
     ), ended AS (
     ${endSessions}
     RETURNING session.*
     ), recorded AS (
     INSERT INTO decisions (id, organization_id, grant_id, stage, outcome, decided_by_id, relayed_by_id, reason, decided_at)
     SELECT id, organization_id, grant_id, stage, outcome, decided_by_id, relayed_by_id, reason, decided_at
       FROM jsonb_populate_recordset(NULL::decisions, $3::jsonb)
     )
     SELECT (SELECT count(*)::int FROM written) AS written,
            COALESCE((SELECT jsonb_agg(ended ORDER BY ended.id) FROM ended), '[]') AS ended`;

/** Restores a row that the database returned as JSON. */
function sessionIn(row: object): SupportSession {
  const entries = Object.entries(row).map(([name, value]) => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    /_at$/.test(name) && typeof value === 'string' ? new Date(value) : value,
  ]);
  return Object.fromEntries(entries) as SupportSession;
}

function decidedAt(grant: Grant): Date {
  switch (grant.state) {
    case 'PENDING_GUARD_APPROVAL':
      return grant.customerApprovedAt;
    case 'ACTIVE':
      return grant.activatedAt;
    case 'PENDING_APPROVAL':
      return grant.requestedAt;
    default:
      return grant.endedAt;
  }
}
