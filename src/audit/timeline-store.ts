import type { AuditEntry as AuditRow } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { listPages, type PageWindow } from '../platform/page-windows.ts';
import { entryColumns } from './store.ts';
import { timelineActions } from './timeline.ts';

export type TimelineWindow = PageWindow & { ticketId: string };

/**
 * Pages of the timelines of tickets, in the order in which their entries became visible. A page is read from an index
 * that leaves out the support actions, however many there are. A bound that is no entry of the ticket leaves nothing.
 */
export async function listTimelines(
  db: Transaction,
  windows: readonly TimelineWindow[],
): Promise<AuditRow[][]> {
  return await listPages<AuditRow, TimelineWindow>(db, windows, timelineSql, timelineActions);
}

/** No transaction and no entry has a greater number. */
const greatest = '9223372036854775807';

const timelineSql = (order: PageWindow['order']): string => `
  SELECT asked.place, entry.*
    FROM jsonb_to_recordset($1::jsonb) AS asked(place int, "ticketId" uuid, below uuid, above uuid, "limit" int)
    LEFT JOIN audit_entries lower ON lower.id = asked.above AND lower.ticket_id = asked."ticketId"
    LEFT JOIN audit_entries upper ON upper.id = asked.below AND upper.ticket_id = asked."ticketId"
   CROSS JOIN LATERAL (
     SELECT ${entryColumns}
       FROM audit_entries e
      WHERE e.ticket_id = asked."ticketId" AND e.resource_type IN ('Ticket', 'Grant', 'SupportSession', 'ChangeRequest')
        AND e.outcome = 'SUCCEEDED' AND e.action = ANY ($2::text[])
        AND (e.txid, e.seq) > (COALESCE(lower.txid, 0), COALESCE(lower.seq, 0))
        AND (e.txid, e.seq) < (COALESCE(upper.txid, ${greatest}), COALESCE(upper.seq, ${greatest}))
      ORDER BY e.txid ${order}, e.seq ${order} LIMIT asked."limit") AS entry
   WHERE (asked.above IS NULL OR lower.id IS NOT NULL) AND (asked.below IS NULL OR upper.id IS NOT NULL)
   ORDER BY asked.place, entry.txid ${order}, entry.seq ${order}`;
