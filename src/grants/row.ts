/** Converts a grant's row to the model that the rules use, and back. */
import type { Grant as GrantRow } from '../../prisma/generated/client/client.ts';
import type { EndReason, Grant, GrantPath, GrantScope, GrantState } from './grant.ts';
import type { GrantTerms } from './terms.ts';

export type { GrantRow };

/** The columns of a row do not fit its state. CHECK constraints of the database prevent that, so it is a defect. */
class IllegalGrantRowError extends Error {
  constructor(row: GrantRow) {
    super(`Grant ${row.id} is ${row.state}, but its other columns do not fit that state.`);
    this.name = 'IllegalGrantRowError';
  }
}

/**
 * Stands for the terms of an open grant where a kept answer of an earlier version lacks them. Such an answer is only
 * shown: in the database, every open grant has its terms.
 */
const unknownTerms: GrantTerms = {
  guardRequired: true,
  maxGrantSeconds: null,
  samePersonMayApproveTwice: false,
};

/** The terms of the grant's opening. Null where the grant was over, or the row written, before they were kept. */
export function termsOfRow(row: GrantRow): GrantTerms | null {
  const { guardRequired, maxGrantSeconds, samePersonMayApproveTwice } = row;
  return guardRequired == null || samePersonMayApproveTwice == null
    ? null
    : { guardRequired, maxGrantSeconds, samePersonMayApproveTwice };
}

export function toGrant(row: GrantRow): Grant {
  const {
    id,
    organizationId,
    ticketId,
    siteId,
    engineerId,
    requestedById,
    justification,
    requestedAt,
    approvalDueAt,
    version,
  } = row;
  const { path, customerApprovedAt, customerApprovedById, expiresAt, activatedAt } = row;
  const { endedAt, endedById, endReason } = row;
  const scope: GrantScope =
    row.scopeKind === 'PRODUCT_DATA'
      ? { kind: 'PRODUCT_DATA' }
      : { kind: 'ROVO_CONVERSATIONS', conversationIds: row.conversationIds };
  const base = {
    ...{ id, organizationId, ticketId, siteId, scope, engineerId, requestedById, justification },
    ...{ requestedAt, approvalDueAt, version },
  };
  const approval =
    path !== null && customerApprovedAt !== null && customerApprovedById !== null
      ? { path, customerApprovedAt, customerApprovedById, expiresAt }
      : null;
  const none = { path: null, customerApprovedAt: null, customerApprovedById: null, expiresAt: null };
  const terms = termsOfRow(row);
  const open = { ...base, terms: terms ?? unknownTerms };
  const over = endedAt !== null && endReason !== null ? { endedAt, endedById, terms } : null;

  switch (row.state) {
    case 'PENDING_APPROVAL':
      return { ...open, state: row.state };
    case 'PENDING_GUARD_APPROVAL':
      if (approval) return { ...open, ...approval, state: row.state };
      break;
    case 'ACTIVE':
      if (approval && activatedAt) return { ...open, ...approval, activatedAt, state: row.state };
      break;
    case 'DENIED':
      if (over && isOneOf(endReason, ['DENIED_BY_CUSTOMER', 'DENIED_BY_GUARD'])) {
        return { ...base, ...(approval ?? none), ...over, state: row.state, endReason };
      }
      break;
    case 'WITHDRAWN':
      if (
        over &&
        isOneOf(endReason, [
          'WITHDRAWN_BY_ENGINEER',
          'TICKET_CLOSED',
          'SITE_DEACTIVATED',
          'PRODUCT_UNLICENSED',
          'PRODUCT_CHANGED',
        ])
      ) {
        return { ...base, ...(approval ?? none), ...over, state: row.state, endReason };
      }
      break;
    case 'EXPIRED':
      if (over && isOneOf(endReason, ['APPROVAL_TIMED_OUT'])) {
        return { ...base, ...(approval ?? none), ...over, state: row.state, endReason };
      }
      break;
    case 'REVOKED':
      if (over && approval && activatedAt && isOneOf(endReason, ['REVOKED_BY_CUSTOMER', 'TICKET_CLOSED'])) {
        return { ...base, ...approval, ...over, activatedAt, state: row.state, endReason };
      }
      break;
    case 'ENDED':
      if (
        over &&
        approval &&
        activatedAt &&
        isOneOf(endReason, [
          'TIME_ELAPSED',
          'RELEASED_BY_ENGINEER',
          'SITE_DEACTIVATED',
          'PRODUCT_UNLICENSED',
          'PRODUCT_CHANGED',
        ])
      ) {
        return { ...base, ...approval, ...over, activatedAt, state: row.state, endReason };
      }
      break;
  }
  throw new IllegalGrantRowError(row);
}

function isOneOf<Reason extends EndReason>(
  reason: EndReason | null,
  of: readonly Reason[],
): reason is Reason {
  return of.some((one) => one === reason);
}

export function toRow(grant: Grant): GrantRow {
  const flat: Every = { ...absent, ...grant };
  return {
    id: flat.id,
    organizationId: flat.organizationId,
    ticketId: flat.ticketId,
    siteId: flat.siteId,
    scopeKind: flat.scope.kind,
    conversationIds: flat.scope.kind === 'ROVO_CONVERSATIONS' ? [...flat.scope.conversationIds] : [],
    state: flat.state,
    path: flat.path,
    engineerId: flat.engineerId,
    requestedById: flat.requestedById,
    justification: flat.justification,
    requestedAt: flat.requestedAt,
    approvalDueAt: flat.approvalDueAt,
    guardRequired: flat.terms?.guardRequired ?? null,
    maxGrantSeconds: flat.terms?.maxGrantSeconds ?? null,
    samePersonMayApproveTwice: flat.terms?.samePersonMayApproveTwice ?? null,
    customerApprovedAt: flat.customerApprovedAt,
    customerApprovedById: flat.customerApprovedById,
    activatedAt: flat.activatedAt,
    expiresAt: flat.expiresAt,
    endedAt: flat.endedAt,
    endReason: flat.endReason,
    endedById: flat.endedById,
    version: flat.version,
  };
}

type Every = Omit<GrantRow, 'scopeKind' | 'conversationIds' | 'state' | keyof GrantTerms> & {
  state: GrantState;
  scope: GrantScope;
  terms: GrantTerms | null;
};

const absent = {
  path: null satisfies GrantPath | null,
  customerApprovedAt: null,
  customerApprovedById: null,
  activatedAt: null,
  expiresAt: null,
  endedAt: null,
  endReason: null,
  endedById: null,
};
