/** Reads what nearly every command is decided on in one statement. */
import type { Grant } from '../grants/grant.ts';
import { type GrantRow, toGrant } from '../grants/row.ts';
import type { Transaction } from '../platform/database.ts';
import { columnsOf, prepareJsonRows, type Related } from '../platform/json-rows.ts';
import { namedTicket } from '../tickets/locks.ts';
import type { TicketOnProduct } from '../tickets/store.ts';
import type { TicketRef } from '../tickets/ticket.ts';

/** Names the ticket itself, or one of its grants. */
type TicketName = TicketRef | { grantId: string } | { grantOf: TicketRef };

export type TicketWithGrants = {
  ticket: TicketOnProduct;
  /** Its open grants, and the named one even if it is over, in the order of their ids. */
  grants: Grant[];
};

const whole = (model: string, related: readonly Related<null>[] = []) => ({
  ...{ model, columns: columnsOf(model), related },
});
const ticketRows = prepareJsonRows(
  whole('Ticket', [
    { as: 'site', relation: 'site', selection: whole('Site') },
    { as: 'product', relation: 'product', selection: whole('Product') },
  ]),
)(null);
const grantRows = prepareJsonRows(whole('Grant'))(null);

/** The ticket, or the ticket of the grant, with its site and product, and its grants. One statement. */
export async function findTicketWithGrants(
  tx: Transaction,
  by: TicketName,
): Promise<TicketWithGrants | null> {
  const { sql, values } = named(by);
  const grantId = 'grantId' in by ? by.grantId : null;
  const [found] = await tx.$queryRawUnsafe<{ ticket: unknown; grants: unknown[] }[]>(
    `WITH named AS (SELECT t.* FROM tickets t WHERE ${sql})
     SELECT (SELECT ${ticketRows.sql.text} FROM named AS r) AS ticket,
            (SELECT coalesce(json_agg(${grantRows.sql.text} ORDER BY r.id), '[]') FROM grants AS r
              WHERE r.ticket_id = (SELECT id FROM named)
                AND (r.state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE')
                     OR r.id = $${values.length + 1}::uuid)) AS grants`,
    ...[...values, grantId],
  );
  if (found === undefined || found.ticket === null) return null;
  return {
    ticket: ticketRows.read(found.ticket) as TicketOnProduct,
    grants: found.grants.map((grant) => toGrant(grantRows.read(grant) as GrantRow)),
  };
}

function named(by: TicketName): { sql: string; values: string[] } {
  if ('grantId' in by)
    return { sql: 't.id = (SELECT ticket_id FROM grants WHERE id = $1::uuid)', values: [by.grantId] };
  return namedTicket('grantOf' in by ? by.grantOf : by);
}
