/**
 * Change requests as they are at a moment: one whose time has run out is over, and so is one that waited when its site or
 * its product's licence ended, even if that is not in the database yet.
 */
import type { Prisma } from '../../prisma/generated/client/client.ts';
import { type ChangeRequest, type ChangeRequestState, waitingChangeStates } from './change-request.ts';
import { decide } from './lifecycle.ts';
import { type ChangeRequestRow, toChangeRequest, toRow } from './row.ts';

/** The end of its site or of its licence, if what was open there is not settled: organizations/unsettled.ts. */
type EndOfPlace = { reason: 'SITE_DEACTIVATED' | 'PRODUCT_UNLICENSED'; since: Date; byId: string };

/** Returns the row as it is at `now`, including an end that the background job has not written yet. */
export function asOf(row: ChangeRequestRow, now: Date, end: EndOfPlace | null = null): ChangeRequestRow {
  const request = toChangeRequest(row);
  const settled = settle(request, now, end);
  return settled === request ? row : toRow(settled);
}

function settle(request: ChangeRequest, now: Date, end: EndOfPlace | null): ChangeRequest {
  const elapsed = decide(request, { type: 'ElapseTime' }, end?.since ?? now);
  if ('changed' in elapsed) return elapsed.changed;
  return end === null ? request : endWithPlace(request, end);
}

/** Withdraws what waited when its site or licence ended. What was begun stays to be recorded. */
export function endWithPlace(request: ChangeRequest, { reason, since, byId }: EndOfPlace): ChangeRequest {
  const ended = decide(request, { type: 'EndUse', reason, by: byId }, since);
  return 'changed' in ended ? ended.changed : request;
}

/**
 * The condition for change requests that are in one of the states at `now`. With no states it matches no row.
 *
 * @param unsettledSites the sites on which something may have ended that is not settled. Default: none
 */
export function inStates(
  states: readonly ChangeRequestState[],
  now: Date,
  unsettledSites: readonly string[] = [],
): Prisma.ChangeRequestWhereInput {
  // Prisma drops an empty OR within an AND, where it would then match every row.
  return states.length === 0
    ? { id: { in: [] } }
    : { OR: [...new Set(states)].map((state) => inState(state, now, unsettledOn(unsettledSites))) };
}

function unsettledOn(siteIds: readonly string[]): Prisma.ChangeRequestWhereInput | null {
  if (siteIds.length === 0) return null;
  const marked = { unsettledSince: { not: null } };
  return { siteId: { in: [...siteIds] }, ticket: { OR: [{ site: marked }, { product: marked }] } };
}

function inState(
  state: ChangeRequestState,
  now: Date,
  unsettled: Prisma.ChangeRequestWhereInput | null,
): Prisma.ChangeRequestWhereInput {
  const inUse = unsettled === null ? {} : { NOT: unsettled };
  switch (state) {
    case 'PENDING_CONSENT':
    case 'CONSENTED':
      return { state, validUntil: { gt: now }, ...inUse };
    case 'EXPIRED':
      return {
        OR: [{ state }, { state: { in: [...waitingChangeStates] }, validUntil: { lte: now }, ...inUse }],
      };
    case 'WITHDRAWN':
      return unsettled === null
        ? { state }
        : { OR: [{ state }, { state: { in: [...waitingChangeStates] }, ...unsettled }] };
    case 'IN_PROGRESS':
    case 'COMPLETED':
    case 'REFUSED':
      return { state };
  }
}
