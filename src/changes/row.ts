/** Converts a change request's row to the model that the rules use, and back. */
import type { ChangeRequest as ChangeRequestRow } from '../../prisma/generated/client/client.ts';
import type { ChangeEndReason, ChangeRequest } from './change-request.ts';

export type { ChangeRequestRow };

/** The columns of a row do not fit its state. CHECK constraints of the database prevent that, so it is a defect. */
class IllegalChangeRequestRowError extends Error {
  constructor(row: ChangeRequestRow) {
    super(`Change request ${row.id} is ${row.state}, but its other columns do not fit that state.`);
    this.name = 'IllegalChangeRequestRowError';
  }
}

export function toChangeRequest(row: ChangeRequestRow): ChangeRequest {
  const { id, ticketId, siteId, organizationId, kind, resourceType, resourceId, description } = row;
  const { justification, requestedById, requestedAt, validUntil, version } = row;
  const { decidedById, decidedAt, decisionReason, allowedAt, sessionId, result, resultNote } = row;
  const { endedAt, endedById, endReason } = row;
  const asked = {
    ...{ id, ticketId, siteId, organizationId, kind, resourceType, resourceId, description },
    ...{ justification, requestedById, requestedAt, validUntil, version },
  };
  const decided =
    decidedById !== null && decidedAt !== null ? { decidedById, decidedAt, decisionReason } : null;
  const undecided = { decidedById: null, decidedAt: null, decisionReason: null };
  const allowed = allowedAt !== null && sessionId !== null ? { allowedAt, sessionId } : null;
  const over = endedAt !== null ? { endedAt, endedById } : null;

  switch (row.state) {
    case 'PENDING_CONSENT':
      return { ...asked, state: row.state };
    case 'CONSENTED':
      if (decided) return { ...asked, ...decided, state: row.state };
      break;
    case 'IN_PROGRESS':
      if (decided && allowed) return { ...asked, ...decided, ...allowed, state: row.state };
      break;
    case 'COMPLETED':
      if (decided && allowed && over && result !== null)
        return { ...asked, ...decided, ...allowed, ...over, result, resultNote, state: row.state };
      break;
    case 'REFUSED':
      if (decided && over && isOneOf(endReason, ['REFUSED_BY_CUSTOMER', 'CONSENT_REVOKED']))
        return { ...asked, ...decided, ...over, endReason, state: row.state };
      break;
    case 'WITHDRAWN':
      if (over && isOneOf(endReason, withdrawals))
        return { ...asked, ...(decided ?? undecided), ...over, endReason, state: row.state };
      break;
    case 'EXPIRED':
      if (over && isOneOf(endReason, ['TIME_ELAPSED']))
        return { ...asked, ...(decided ?? undecided), ...over, endReason, state: row.state };
      break;
  }
  throw new IllegalChangeRequestRowError(row);
}

const withdrawals = [
  'WITHDRAWN_BY_ENGINEER',
  'TICKET_CLOSED',
  'TICKET_REASSIGNED',
  'SITE_DEACTIVATED',
  'PRODUCT_UNLICENSED',
  'PRODUCT_CHANGED',
] as const;

function isOneOf<Reason extends ChangeEndReason>(
  reason: ChangeEndReason | null,
  of: readonly Reason[],
): reason is Reason {
  return of.some((one) => one === reason);
}

export function toRow(request: ChangeRequest): ChangeRequestRow {
  return { ...absent, ...request };
}

const absent = {
  decidedById: null,
  decidedAt: null,
  decisionReason: null,
  allowedAt: null,
  sessionId: null,
  result: null,
  resultNote: null,
  endedAt: null,
  endedById: null,
  endReason: null,
};

/** The columns of a row of `c` in SQL, under the names of the model. */
export const changeRequestColumns = `
  c.id, c.ticket_id AS "ticketId", c.site_id AS "siteId", c.organization_id AS "organizationId", c.kind::text AS kind,
  c.resource_type AS "resourceType", c.resource_id AS "resourceId", c.description, c.justification,
  c.requested_by_id AS "requestedById", c.requested_at AS "requestedAt", c.valid_until AS "validUntil",
  c.state::text AS state, c.decided_by_id AS "decidedById", c.decided_at AS "decidedAt",
  c.decision_reason AS "decisionReason", c.allowed_at AS "allowedAt", c.session_id AS "sessionId",
  c.result::text AS result, c.result_note AS "resultNote", c.ended_at AS "endedAt", c.ended_by_id AS "endedById",
  c.end_reason::text AS "endReason", c.version`;

/** SQL that reads the ticket of a row of `c`, which is not closed, as JSON: what its event says of it. */
export const ticketOfChangeInSql = `
  SELECT json_build_object(
           'reporterId', t.reporter_id, 'assigneeId', t.assignee_id, 'closedAt', NULL,
           'status', t.status, 'version', t.version,
           'product', json_build_object('licensed', p.licensed),
           'site', json_build_object(
             'status', s.status, 'supportAccessRestricted', s.support_access_restricted,
             'requestWaitSeconds', s.request_wait_seconds, 'maxGrantSeconds', s.max_grant_seconds,
             'samePersonMayApproveTwice', s.same_person_may_approve_twice,
             'relayedConsentCounts', s.relayed_consent_counts, 'dataResidencyPinned', s.data_residency_pinned,
             'engineerCountries', coalesce(s.engineer_countries, '{}'),
             'sessionIdleSeconds', s.session_idle_seconds, 'maxSessionSeconds', s.max_session_seconds))
    FROM tickets t JOIN sites s ON s.id = t.site_id JOIN products p ON p.id = t.product_id
   WHERE t.id = c.ticket_id`;
