/** How a grant's row is to be read at a moment: time ends a grant at its moment, not when the sweep comes. */

import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { GrantState } from './grant.ts';
import { decide } from './lifecycle.ts';
import { type GrantRow, toGrant, toRow } from './row.ts';

/** The row as it would be were the sweep always in time. */
export function asOf(row: GrantRow, now: Date): GrantRow {
  const decision = decide(toGrant(row), { type: 'ElapseTime' }, now);
  return 'changed' in decision ? toRow(decision.changed.grant) : row;
}

/** The condition for grants that are, at the moment, in one of the states. */
export function inStates(states: readonly GrantState[], now: Date): Prisma.GrantWhereInput {
  // An empty OR is no condition at all.
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
