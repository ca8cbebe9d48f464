/** How a change of a grant reads on the audit log and on the event stream, and which are written about. */
import type { AuditAction } from '../audit/actions.ts';
import type { Actor, AuditEntry } from '../audit/entry.ts';
import type { GrantEventEnvelope } from '../events/envelope.ts';
import type { Grant } from '../grants/grant.ts';
import type { GrantChange } from '../grants/lifecycle.ts';
import { toRow } from '../grants/row.ts';
import { newId } from '../platform/ids.ts';

/** A change with what only the command knows: who, why, where, and what the grant was before. */
export type DecidedGrantChange = GrantChange & {
  before: Grant | null;
  actor: Actor;
  action: AuditAction;
  reason: string | null;
  organizationId: string;
  /** Who filed the grant's ticket. */
  reporterId: string;
  occurredAt: Date;
};

export function grantChangeAuditEntry(change: DecidedGrantChange): AuditEntry {
  const { grant, before, reason } = change;
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
      ...(row.path === null ? {} : { path: row.path }),
      ...(row.expiresAt === null ? {} : { expiresAt: row.expiresAt }),
      ...(row.endReason === null ? {} : { endReason: row.endReason }),
      ...(reason === null ? {} : { reason }),
    },
  };
}

/** The engineer who loses a grant hears of it as well as the one who receives it. */
export function grantChangeEvent(change: DecidedGrantChange): GrantEventEnvelope {
  const { grant, before } = change;
  const engineers = [grant.engineerId, before?.engineerId ?? null].filter((id) => id !== null);
  return {
    id: newId(),
    kind: 'grant',
    type: change.event,
    occurredAt: change.occurredAt,
    audience: {
      organizationId: change.organizationId,
      siteId: grant.siteId,
      reporterId: change.reporterId,
      engineerIds: [...new Set(engineers)],
    },
    ticketId: grant.ticketId,
    grantId: grant.id,
    grantVersion: grant.version,
    grant: toRow(grant),
  };
}

/** The grants whose requests a Guard admin is to be told of by email. */
export function grantsAwaitingGuard(changes: readonly DecidedGrantChange[]): string[] {
  return changes.filter(({ event }) => event === 'AWAITING_GUARD').map(({ grant }) => grant.id);
}
