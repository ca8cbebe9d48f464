import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { AuditEntry } from './entry.ts';

/** Appends entries to the audit log, in order, in the running transaction. One statement, however many. */
export async function appendAuditEntries(tx: Transaction, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map((entry) => auditRow(entry, newId(entry.occurredAt)));
  await tx.$executeRawUnsafe(insertAuditRows, JSON.stringify(rows));
}

/** Inserts the rows that its parameter holds as JSON, in order. */
export const insertAuditRows = `
  INSERT INTO audit_entries (id, occurred_at, action, outcome, refusal_code, actor_id, actor_kind, actor_email,
                             actor_name, resource_type, resource_id, organization_id, site_id, ticket_id, grant_id,
                             session_id, details)
  SELECT id, occurred_at, action, outcome, refusal_code, actor_id, actor_kind, actor_email,
         actor_name, resource_type, resource_id, organization_id, site_id, ticket_id, grant_id, session_id, details
    FROM jsonb_populate_recordset(NULL::audit_entries, $1::jsonb)`;

/** The row of an entry. */
export function auditRow({ actor, ...entry }: AuditEntry, id: string): object {
  return {
    id,
    occurred_at: entry.occurredAt,
    action: entry.action,
    outcome: entry.refusalCode === null ? 'SUCCEEDED' : 'REFUSED',
    refusal_code: entry.refusalCode,
    actor_id: actor.kind === 'SYSTEM' ? null : actor.id,
    actor_kind: actor.kind,
    actor_email: actor.kind === 'SYSTEM' ? null : actor.email,
    actor_name: actor.kind === 'SYSTEM' ? 'Latchkey' : actor.name,
    resource_type: entry.resource.type,
    resource_id: entry.resource.id,
    organization_id: entry.organizationId,
    site_id: entry.siteId ?? null,
    ticket_id: entry.ticketId ?? null,
    grant_id: entry.grantId ?? null,
    session_id: entry.sessionId ?? null,
    details: entry.details,
  };
}
