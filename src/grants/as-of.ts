/**
 * Grants as they are at a moment: one whose time has run out is over, and so is one that was open when its site or its
 * product's licence ended, even if that is not in the database yet.
 */
import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { GrantState } from './grant.ts';
import { decide, endWithPlace } from './lifecycle.ts';
import { type GrantRow, toGrant, toRow } from './row.ts';

/** The end of the grant's site or of its licence, if what was open there is not settled: organizations/unsettled.ts. */
type EndOfPlace = { reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED'; since: Date; byId: string };

/** Returns the row as it is at `now`, including an end that the background job has not written yet. */
export function asOf(row: GrantRow, now: Date, end: EndOfPlace | null = null): GrantRow {
  const grant = toGrant(row);
  const elapsed = decide(grant, { type: 'ElapseTime' }, end?.since ?? now);
  if ('changed' in elapsed) return toRow(elapsed.changed.grant);
  if (end === null) return row;
  const ended = decide(grant, endWithPlace(end.reason, end.byId), end.since);
  return 'changed' in ended ? toRow(ended.changed.grant) : row;
}

/** When a request expires undecided: at its deadline, or at the end that the customer approved, if that is earlier. */
export function decisionDueAt({ approvalDueAt, activatedAt, expiresAt }: GrantRow): Date {
  return activatedAt === null && expiresAt !== null && expiresAt < approvalDueAt ? expiresAt : approvalDueAt;
}

/**
 * The condition for grants that are in one of the states at `now`. With no states it matches no row.
 *
 * @param unsettledSites the sites on which something may have ended that is not settled. Default: none
 */
export function inStates(
  states: readonly GrantState[],
  now: Date,
  unsettledSites: readonly string[] = [],
): Prisma.GrantWhereInput {
  // Prisma drops an empty OR within an AND, where it would then match every row.
  return states.length === 0
    ? { id: { in: [] } }
    : { OR: [...new Set(states)].map((state) => inState(state, now, unsettledOn(unsettledSites))) };
}

/** The conditions for what is open where something has ended, and for the rest. Null: nothing has. */
type Unsettled = { is: Prisma.GrantWhereInput; isNot: Prisma.GrantWhereInput } | null;

function unsettledOn(siteIds: readonly string[]): Unsettled {
  if (siteIds.length === 0) return null;
  const marked = { unsettledSince: { not: null } };
  const is = { siteId: { in: [...siteIds] }, ticket: { OR: [{ site: marked }, { product: marked }] } };
  return { is, isNot: { NOT: is } };
}

const pending = ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'] as const satisfies GrantState[];

function inState(state: GrantState, now: Date, unsettled: Unsettled): Prisma.GrantWhereInput {
  const inUse = unsettled?.isNot ?? {};
  switch (state) {
    case 'ACTIVE':
      return { state, ...notExpired(now), ...inUse };
    case 'PENDING_APPROVAL':
      return { state, approvalDueAt: { gt: now }, ...inUse };
    case 'PENDING_GUARD_APPROVAL':
      return { state, approvalDueAt: { gt: now }, ...notExpired(now), ...inUse };
    case 'ENDED':
      return {
        OR: [
          { state },
          { state: 'ACTIVE', expiresAt: { lte: now }, ...inUse },
          ...(unsettled === null ? [] : [{ state: 'ACTIVE', ...unsettled.is } as const]),
        ],
      };
    case 'EXPIRED':
      return {
        OR: [
          { state },
          { state: { in: [...pending] }, approvalDueAt: { lte: now }, ...inUse },
          { state: 'PENDING_GUARD_APPROVAL', expiresAt: { lte: now }, ...inUse },
        ],
      };
    case 'WITHDRAWN':
      return unsettled === null
        ? { state }
        : { OR: [{ state }, { state: { in: [...pending] }, ...unsettled.is }] };
    case 'DENIED':
    case 'REVOKED':
      return { state };
  }
}

function notExpired(now: Date): Prisma.GrantWhereInput {
  return { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
}
