/** Records as the lines of a table, for people who open it in a spreadsheet. */
import { stringify } from 'csv-stringify/sync';
import type { AuditRecord } from './record.ts';

const columns = {
  position: ({ position }) => position,
  occurredAt: ({ occurredAt }) => occurredAt,
  action: ({ action }) => action,
  outcome: ({ outcome }) => outcome,
  refusalCode: ({ refusalCode }) => refusalCode,
  count: ({ count }) => count,
  actorKind: ({ actor }) => actor.kind,
  actorName: ({ actor }) => actor.name,
  actorEmail: ({ actor }) => actor.email,
  resourceType: ({ resource }) => resource.type,
  resourceId: ({ resource }) => resource.id,
  siteUrl: ({ siteUrl }) => siteUrl,
  productKey: ({ productKey }) => productKey,
  ticketKey: ({ ticketKey }) => ticketKey,
  grantId: ({ grantId }) => grantId,
  supportSessionId: ({ supportSessionId }) => supportSessionId,
  clientAddress: ({ clientAddress }) => clientAddress,
  userAgent: ({ userAgent }) => userAgent,
  requestId: ({ requestId }) => requestId,
  details: ({ details }) => JSON.stringify(details),
  id: ({ id }) => id,
} satisfies Readonly<Record<string, (record: AuditRecord) => string | number | undefined>>;

const cells = Object.values(columns);

/** The names of the columns, after the mark by which spreadsheets know UTF-8. */
export const csvHeader: string = stringify([Object.keys(columns)], {
  bom: true,
  record_delimiter: 'windows',
});

/**
 * A line for each record, by RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it: names and
 * texts are whatever people have written.
 */
export function csvLines(records: readonly AuditRecord[]): string {
  return stringify(
    records.map((record) => cells.map((cellOf) => cellOf(record))),
    { escape_formulas: true, record_delimiter: 'windows', quoted_match: /[\r\n]/ },
  );
}
