import type { AuditEntry as AuditRow } from '../../prisma/generated/client/client.ts';
import { currentTraceId } from '../metrics/spans.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { AuditEntry } from './entry.ts';

/** Appends entries to the audit log, in order, in the running transaction. One statement, however many. */
export async function appendAuditEntries(tx: Transaction, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map((entry) => auditRow(entry, newId(entry.occurredAt)));
  await tx.$executeRawUnsafe(insertAuditRows, JSON.stringify(rows));
}

/** The columns that whoever writes an entry gives it. */
export const entryColumnNames = `
  id, occurred_at, action, outcome, refusal_code, actor_id, actor_kind, actor_email, actor_name, resource_type,
  resource_id, organization_id, site_id, ticket_id, grant_id, session_id, details, count, client_address, product_key,
  site_url, ticket_key, request_id, trace_id, user_agent`;

/**
 * The values of those columns, of a row that is called `e`. It gets the names of its site and its ticket, and where it does not
 * name its product, that of its ticket: as they are once the command has written its state. All look-ups are by key: a join
 * would read all products where they are few.
 */
export const entryValues = `
  e.id, e.occurred_at, e.action, e.outcome, e.refusal_code, e.actor_id, e.actor_kind, e.actor_email, e.actor_name,
  e.resource_type, e.resource_id, e.organization_id, e.site_id, e.ticket_id, e.grant_id, e.session_id, e.details, e.count,
  e.client_address, COALESCE(e.product_key, (
    SELECT (SELECT product.key FROM products AS product WHERE product.id = ticket.product_id)
      FROM tickets AS ticket WHERE ticket.id = e.ticket_id)),
  (SELECT site.url FROM sites AS site WHERE site.id = e.site_id),
  (SELECT ticket.key FROM tickets AS ticket WHERE ticket.id = e.ticket_id),
  e.request_id, e.trace_id, e.user_agent`;

/** Inserts the rows that its parameter holds as JSON, in order. */
export const insertAuditRows = `
  INSERT INTO audit_entries (${entryColumnNames})
  SELECT ${entryValues}
    FROM jsonb_populate_recordset(NULL::audit_entries, $1::jsonb) AS e`;

/** The columns of an entry, of a table that is called `e`, by the names of its row. */
export const entryColumns = `
  e.id, e.txid, e.seq, e.occurred_at AS "occurredAt", e.action, e.outcome::text AS outcome,
  e.refusal_code AS "refusalCode", e.actor_id AS "actorId", e.actor_kind AS "actorKind",
  e.actor_email AS "actorEmail", e.actor_name AS "actorName", e.resource_type AS "resourceType",
  e.resource_id AS "resourceId", e.organization_id AS "organizationId", e.site_id AS "siteId",
  e.ticket_id AS "ticketId", e.grant_id AS "grantId", e.session_id AS "sessionId", e.details, e.count,
  host(e.client_address) AS "clientAddress", e.product_key AS "productKey", e.site_url AS "siteUrl",
  e.ticket_key AS "ticketKey", e.request_id AS "requestId", e.trace_id AS "traceId", e.user_agent AS "userAgent"`;

/** The row of an entry. */
export function auditRow({ actor, ...entry }: AuditEntry, id: string) {
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
    count: 1,
    product_key: productIn(entry),
    ...sourceColumns(entry.source),
  };
}

/** Where an entry came from, as its row has it. */
export function sourceColumns(source: AuditEntry['source']) {
  return {
    client_address: source?.clientAddress ?? null,
    request_id: source?.requestId ?? null,
    // The gateway's own trace, if one is recorded: it may have begun anew.
    trace_id: source === undefined ? null : (currentTraceId() ?? source.traceId),
    user_agent: source?.userAgent ?? null,
  };
}

/** The key of the product that the entry itself names: what a backend asked about, a ticket was filed about, or was licensed. */
function productIn({ resource, details }: Pick<AuditEntry, 'resource' | 'details'>): string | null {
  const key = resource.type === 'Product' ? details['key'] : details['product'];
  return typeof key === 'string' ? key : null;
}

/** The entries of one support session, at most `limit`: the newest first (`desc`) or the oldest first. */
export type ActionsWindow = { sessionId: string; order: 'asc' | 'desc'; limit: number };

/** The entries in each window, in the order in which they became visible or its reverse. Two statements, however many windows. */
export async function listActionsOfSessions(
  db: Transaction,
  windows: readonly ActionsWindow[],
): Promise<AuditRow[][]> {
  const asked = windows.map(({ sessionId, order, limit }, place) => ({
    ...{ place, limit, session_id: sessionId, ascending: order === 'asc' },
  }));
  const found = await db.$queryRawUnsafe<{ place: number; id: string }[]>(
    `SELECT asked.place, entry.id
       FROM jsonb_to_recordset($1::jsonb) AS asked(place int, session_id uuid, ascending boolean, "limit" int)
      CROSS JOIN LATERAL (
        (SELECT id FROM audit_entries WHERE asked.ascending AND session_id = asked.session_id
          ORDER BY txid, seq LIMIT asked."limit")
        UNION ALL
        (SELECT id FROM audit_entries WHERE NOT asked.ascending AND session_id = asked.session_id
          ORDER BY txid DESC, seq DESC LIMIT asked."limit")) AS entry`,
    JSON.stringify(asked),
  );
  const rows = await db.auditEntry.findMany({
    where: { id: { in: [...new Set(found.map(({ id }) => id))] } },
    orderBy: [{ txid: 'asc' }, { seq: 'asc' }],
  });
  return windows.map(({ order }, place) => {
    const inWindow = new Set(found.flatMap((one) => (one.place === place ? [one.id] : [])));
    const entries = rows.filter(({ id }) => inWindow.has(id));
    return order === 'asc' ? entries : entries.reverse();
  });
}
