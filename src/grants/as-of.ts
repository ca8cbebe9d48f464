/** Grants as they are at a moment: a grant whose time has run out is over, even if that is not in the database yet. */

import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { GrantState } from './grant.ts';
import { decide } from './lifecycle.ts';
import { type GrantRow, toGrant, toRow } from './row.ts';

/** Returns the row as it is at `now`, including an expiry that the background job has not written yet. */
export function asOf(row: GrantRow, now: Date): GrantRow {
  const decision = decide(toGrant(row), { type: 'ElapseTime' }, now);
  return 'changed' in decision ? toRow(decision.changed.grant) : row;
}

/** When a request expires undecided: at its deadline, or at the end that the customer approved, if that is earlier. */
export function decisionDueAt({ approvalDueAt, activatedAt, expiresAt }: GrantRow): Date {
  return activatedAt === null && expiresAt !== null && expiresAt < approvalDueAt ? expiresAt : approvalDueAt;
}

/** The condition for grants that are in one of the states at `now`. With no states it matches no row. */
export function inStates(states: readonly GrantState[], now: Date): Prisma.GrantWhereInput {
  // Prisma drops an empty OR within an AND, where it would then match every row.
  return states.length === 0
    ? { id: { in: [] } }
    : { OR: [...new Set(states)].map((state) => inState(state, now)) };
}

function inState(state: GrantState, now: Date): Prisma.GrantWhereInput {
  switch (state) {
    case 'ACTIVE':
      return { state, ...notExpired(now) };
    case 'PENDING_APPROVAL':
      return { state, approvalDueAt: { gt: now } };
    case 'PENDING_GUARD_APPROVAL':
      return { state, approvalDueAt: { gt: now }, ...notExpired(now) };
    case 'ENDED':
      return { OR: [{ state }, { state: 'ACTIVE', expiresAt: { lte: now } }] };
    case 'EXPIRED':
      return {
        OR: [
          { state },
          { state: { in: ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'] }, approvalDueAt: { lte: now } },
          { state: 'PENDING_GUARD_APPROVAL', expiresAt: { lte: now } },
        ],
      };
    case 'DENIED':
    case 'WITHDRAWN':
    case 'REVOKED':
      return { state };
  }
}

function notExpired(now: Date): Prisma.GrantWhereInput {
  return { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
}
