/** Proposed changes in the database, and what decides whether a change has to be proposed. */
import type { Prisma, ProposedChange } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { countsInSql } from '../roles/role-counts.ts';
import type { Change } from './change.ts';
import { type Confirmation, confirmationWait, type ProposalState, type Settlement } from './proposal.ts';
import type { GuardFacts, Wait } from './protection.ts';

export type { ProposedChange };

/** A change that is to wait, as its row. */
export function newProposedChange(
  change: Change,
  { needs, effectiveAt }: Wait,
  by: { id: string; proposedById: string; now: Date },
): ProposedChange {
  return {
    ...change,
    ...{ id: by.id, proposedById: by.proposedById, proposedAt: by.now },
    ...{ needs, effectiveAt },
    expiresAt: effectiveAt === null ? new Date(by.now.getTime() + confirmationWait) : null,
    ...{ state: 'WAITING', settledById: null, settledAt: null, version: 1 },
  };
}

export async function findProposedChange(tx: Transaction, id: string): Promise<ProposedChange | null> {
  return await tx.proposedChange.findUnique({ where: { id } });
}

/** The changes of these things that wait, or have expired and are not settled yet. */
export async function listWaiting(tx: Transaction, about: readonly string[]): Promise<ProposedChange[]> {
  return await tx.proposedChange.findMany({ where: { about: { in: [...about] }, state: 'WAITING' } });
}

/** How many changes of an organization wait for each confirmation. */
export type WaitingCounts = Readonly<Record<Confirmation, number>>;

/** One statement. Those count as well that have expired and are not settled yet. */
export async function countWaiting(tx: Transaction, organizationId: string): Promise<WaitingCounts> {
  const groups = await tx.proposedChange.groupBy({
    by: ['needs'],
    where: { organizationId, state: 'WAITING' },
    _count: true,
  });
  return {
    ...{ GUARD_ADMIN: 0, ORGANIZATION_ADMIN: 0 },
    ...Object.fromEntries(groups.map(({ needs, _count }) => [needs, _count])),
  };
}

/** Whether support access is restricted in the organization, and its active Guard admins. One statement. */
export async function findGuardFacts(tx: Transaction, organizationId: string): Promise<GuardFacts> {
  const [found] = await tx.$queryRawUnsafe<GuardFacts[]>(
    `SELECT EXISTS (SELECT 1 FROM sites WHERE organization_id = $1::uuid AND support_access_restricted) AS "isRestricted",
            (SELECT coalesce(jsonb_agg(jsonb_build_object('accountId', r.account_id, 'siteId', r.site_id)), '[]')
               FROM role_assignments r JOIN accounts a ON a.id = r.account_id
              WHERE r.organization_id = $1::uuid AND r.role = 'GUARD_ADMIN' AND ${countsInSql} AND a.active)
              AS "guardAdmins"`,
    organizationId,
  );
  if (found === undefined) throw new Error('A SELECT without FROM returns one row');
  return found;
}

/** The condition for proposed changes that are in the state at `now`. */
export function inState(state: ProposalState, now: Date): Prisma.ProposedChangeWhereInput {
  switch (state) {
    case 'WAITING':
      return { state, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
    case 'EXPIRED':
      return { OR: [{ state }, { state: 'WAITING', expiresAt: { lte: now } }] };
    case 'APPLIED':
    case 'LAPSED':
    case 'DECLINED':
    case 'WITHDRAWN':
      return { state };
  }
}

export async function insertProposedChanges(
  tx: Transaction,
  changes: readonly ProposedChange[],
): Promise<void> {
  await tx.proposedChange.createMany({
    data: changes as readonly (ProposedChange & Prisma.ProposedChangeCreateManyInput)[] as never,
  });
}

/** Saves how a change was settled. Throws WriteConflictError if somebody else has settled it since it was read. */
export async function saveSettlement(
  tx: Transaction,
  id: string,
  { version, ...settlement }: Settlement,
): Promise<void> {
  const { count } = await tx.proposedChange.updateMany({
    where: { id, version: version - 1 },
    data: { ...settlement, version },
  });
  if (count === 0) throw new WriteConflictError();
}

/**
 * The ids of at most `limit` changes that take effect or expire by `now`, without those of `except`, the longest due first.
 * One statement.
 */
export async function listDue(
  tx: Transaction,
  now: Date,
  limit: number,
  except: readonly string[],
): Promise<string[]> {
  const rows = await tx.$queryRawUnsafe<{ id: string }[]>(
    `SELECT id FROM proposed_changes
      WHERE state = 'WAITING' AND coalesce(effective_at, expires_at) <= $1::timestamptz AND id <> ALL ($3::uuid[])
      ORDER BY coalesce(effective_at, expires_at), id LIMIT $2::int`,
    ...[now, limit, except],
  );
  return rows.map(({ id }) => id);
}
