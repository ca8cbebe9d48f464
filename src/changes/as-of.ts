/** Change requests as they are at a moment: one whose time has run out is over, even if that is not in the database yet. */
import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { ChangeRequestState } from './change-request.ts';
import { decide } from './lifecycle.ts';
import { type ChangeRequestRow, toChangeRequest, toRow } from './row.ts';

/** Returns the row as it is at `now`, including an expiry that the background job has not written yet. */
export function asOf(row: ChangeRequestRow, now: Date): ChangeRequestRow {
  const decision = decide(toChangeRequest(row), { type: 'ElapseTime' }, now);
  return 'changed' in decision ? toRow(decision.changed) : row;
}

/** The condition for change requests that are in one of the states at `now`. With no states it matches no row. */
export function inStates(states: readonly ChangeRequestState[], now: Date): Prisma.ChangeRequestWhereInput {
  // Prisma drops an empty OR within an AND, where it would then match every row.
  return states.length === 0
    ? { id: { in: [] } }
    : { OR: [...new Set(states)].map((state) => inState(state, now)) };
}

function inState(state: ChangeRequestState, now: Date): Prisma.ChangeRequestWhereInput {
  switch (state) {
    case 'PENDING_CONSENT':
    case 'CONSENTED':
      return { state, validUntil: { gt: now } };
    case 'EXPIRED':
      return {
        OR: [{ state }, { state: { in: ['PENDING_CONSENT', 'CONSENTED'] }, validUntil: { lte: now } }],
      };
    case 'IN_PROGRESS':
    case 'COMPLETED':
    case 'REFUSED':
    case 'WITHDRAWN':
      return { state };
  }
}
