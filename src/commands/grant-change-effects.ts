/** What follows from a change of a grant: its audit entry, its event, and its mail. */
import type { AuditAction } from '../audit/actions.ts';
import type { Actor, AuditEntry } from '../audit/entry.ts';
import {
  type GrantEventEnvelope,
  grantKind,
  type TicketOfEvent,
  ticketAtEvent,
} from '../events/kinds/grant.ts';
import type { Grant } from '../grants/grant.ts';
import type { GrantChange } from '../grants/lifecycle.ts';
import { toRow } from '../grants/row.ts';
import { grantReassignedMail } from '../notifications/kinds/grant-reassigned.ts';
import { guardRequestMail } from '../notifications/kinds/guard-request.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import { newId } from '../platform/ids.ts';

/** A change with what the command adds to it: who, why, in which organization, and the grant before. */
export type DecidedGrantChange = GrantChange & {
  before: Grant | null;
  actor: Actor;
  action: AuditAction;
  reason: string | null;
  /** The service account that relayed the decision, if one did. */
  relayedById?: string;
  /** It passes on because its engineer's account was deactivated. */
  engineerIsGone?: boolean;
  organizationId: string;
  ticket: TicketOfEvent;
  occurredAt: Date;
};

export function grantChangeAuditEntry(change: DecidedGrantChange): AuditEntry {
  const { grant, before, reason, decision, relayedById } = change;
  const row = toRow(grant);
  return {
    action: change.action,
    actor: change.actor,
    resource: { type: 'Grant', id: grant.id },
    refusalCode: null,
    occurredAt: change.occurredAt,
    organizationId: change.organizationId,
    siteId: grant.siteId,
    ticketId: grant.ticketId,
    grantId: grant.id,
    details: {
      from: before?.state ?? null,
      to: grant.state,
      version: grant.version,
      scope: grant.scope,
      engineerId: grant.engineerId,
      ...(change.event === 'REASSIGNED' ? { formerEngineerId: before?.engineerId ?? null } : {}),
      ...(row.path === null ? {} : { path: row.path }),
      ...(row.expiresAt === null ? {} : { expiresAt: row.expiresAt }),
      ...(row.endReason === null ? {} : { endReason: row.endReason }),
      ...(reason === null ? {} : { reason }),
      ...(change.event === 'APPROVAL_LAPSED' ? lapsedApprovalOf(before) : {}),
      ...(change.event === 'WAIT_SHORTENED' ? { approvalDueAt: grant.approvalDueAt } : {}),
      ...(relayedById === undefined ? {} : { relayedById, onBehalfOfId: decision?.by ?? null }),
    },
  };
}

/** Whose approval it was: the grant after the change no longer says so. */
function lapsedApprovalOf(before: Grant | null): { approverId?: string } {
  return before?.state === 'PENDING_GUARD_APPROVAL' ? { approverId: before.customerApprovedById } : {};
}

/** Both the engineer who loses the grant and the engineer who gets it receive the event. */
export function grantChangeEvent(change: DecidedGrantChange): GrantEventEnvelope {
  const { grant, before } = change;
  const engineers = [grant.engineerId, before?.engineerId ?? null].filter((id) => id !== null);
  return {
    id: newId(change.occurredAt),
    kind: grantKind,
    type: change.event,
    occurredAt: change.occurredAt,
    audience: {
      organizationId: change.organizationId,
      siteId: grant.siteId,
      reporterId: change.ticket.reporterId,
      engineerIds: [...new Set(engineers)],
    },
    ticketId: grant.ticketId,
    grantId: grant.id,
    grantVersion: grant.version,
    grant: toRow(grant),
    ticket: ticketAtEvent(change.ticket),
  };
}

/** What people are mailed about a change. Nobody is told of a request that passes to another engineer. */
export function grantChangeMails({ event, grant, before }: DecidedGrantChange): MailRequest[] {
  switch (event) {
    case 'AWAITING_GUARD':
      return [{ kind: guardRequestMail, aboutId: grant.id }];
    case 'REASSIGNED': {
      const details = { formerEngineerId: before?.engineerId ?? null };
      return grant.state === 'ACTIVE'
        ? [{ kind: grantReassignedMail, aboutId: grant.ticketId, details }]
        : [];
    }
    default:
      return [];
  }
}
