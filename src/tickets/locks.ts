import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock, tryExclusiveLock, trySharedLock } from '../platform/locks.ts';
import type { TicketRef } from './ticket.ts';

/** Names a ticket, or one by a grant, a support session or a change request on it. */
type TicketName =
  | TicketRef
  | { grantOf: TicketRef }
  | { grantId: string }
  | { sessionId: string }
  | { changeRequestId: string };

/**
 * Takes an exclusive lock on a ticket, and a shared lock on its site. Does nothing if there is no such ticket. One
 * statement.
 */
export async function lockTicket(tx: Transaction, by: TicketName): Promise<void> {
  const locks = `SELECT ${sharedLock('site', 't.site_id::text')}, ${exclusiveLock('ticket', 't.id::text')}`;
  if ('grantOf' in by) {
    await lockTicket(tx, by.grantOf);
  } else if ('ticketId' in by || 'ticketKey' in by || 'externalId' in by) {
    const { sql, values } = namedTicket(by);
    await tx.$executeRawUnsafe(`${locks} FROM tickets t WHERE ${sql}`, ...values);
  } else {
    const [table, id] = nameOnTicket(by);
    await tx.$executeRawUnsafe(
      `${locks} FROM ${table} named JOIN tickets t ON t.id = named.ticket_id WHERE named.id = $1::uuid`,
      id,
    );
  }
}

/** SQL for the ticket `t`, whose name are the first parameters. */
export function namedTicket(by: TicketRef): { sql: string; values: string[] } {
  if ('ticketId' in by) return { sql: 't.id = $1::uuid', values: [by.ticketId] };
  if ('ticketKey' in by) return { sql: 't.key = $1', values: [by.ticketKey] };
  return {
    sql: 't.external_id = $1 AND t.integration_id = (SELECT id FROM accounts WHERE email = $2)',
    values: [by.externalId, by.integrationEmail],
  };
}

function nameOnTicket(
  by: Exclude<TicketName, TicketRef | { grantOf: TicketRef }>,
): [table: string, id: string] {
  if ('grantId' in by) return ['grants', by.grantId];
  return 'sessionId' in by ? ['support_sessions', by.sessionId] : ['change_requests', by.changeRequestId];
}

/**
 * Takes the locks of a command on each of the tickets of these grants: shared ones on the sites, and exclusive ones on the
 * tickets, both in the order of their ids. Two statements, however many grants.
 */
export async function lockTicketsOfGrants(tx: Transaction, grantIds: readonly string[]): Promise<void> {
  for (const [column, lock] of [
    ['site_id', sharedLock('site', 'named.id::text')],
    ['ticket_id', exclusiveLock('ticket', 'named.id::text')],
  ])
    await tx.$executeRawUnsafe(
      `SELECT ${lock}
         FROM (SELECT DISTINCT ${column} AS id FROM grants WHERE id = ANY ($1::uuid[]) ORDER BY ${column}) AS named`,
      grantIds,
    );
}

/**
 * Locks tickets of a site, or of one product of it, on which a grant is open or a change request waits, as a command on a
 * ticket does, and returns their ids, at most `limit`. A ticket that is locked already is left out, so that nobody waits for
 * it, and so are those of `except`. One statement.
 */
export async function lockTicketsWithOpenOn(
  tx: Transaction,
  { siteId, productId }: { siteId: string; productId: string | null },
  limit: number,
  except: readonly string[],
): Promise<string[]> {
  const rows = await tx.$queryRawUnsafe<{ id: string }[]>(
    `WITH open AS MATERIALIZED (
       (SELECT g.ticket_id FROM grants g JOIN tickets t ON t.id = g.ticket_id
         WHERE g.site_id = $1::uuid AND ($2::uuid IS NULL OR t.product_id = $2::uuid)
           AND g.state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE') AND g.ticket_id <> ALL ($4::uuid[]) LIMIT 10 * $3::int)
       UNION ALL
       (SELECT c.ticket_id FROM change_requests c JOIN tickets t ON t.id = c.ticket_id
         WHERE c.site_id = $1::uuid AND ($2::uuid IS NULL OR t.product_id = $2::uuid)
           AND c.state IN ('PENDING_CONSENT', 'CONSENTED') AND c.ticket_id <> ALL ($4::uuid[]) LIMIT 10 * $3::int))
     SELECT ticket_id::text AS id FROM (SELECT DISTINCT ticket_id FROM open) AS ticket
      WHERE ${trySharedLock('site', '$1::text')} AND ${tryExclusiveLock('ticket', 'ticket_id::text')}
      LIMIT $3::int`,
    ...[siteId, productId, limit, except],
  );
  return rows.map(({ id }) => id);
}

/** SQL that locks tickets of `due`, as `lockTicketsWithOpenOn` does: at most so many as the second parameter says. */
const lockSomeDue = `
  SELECT ticket_id::text AS id FROM (SELECT DISTINCT ticket_id, site_id FROM due) AS ticket
   WHERE ${trySharedLock('site', 'site_id::text')} AND ${tryExclusiveLock('ticket', 'ticket_id::text')}
   LIMIT $2::int`;

/**
 * Locks tickets with open grants whose time has run out by `now`, and returns their ids, at most `limit`, with the time of the
 * database. Leaves out those that are locked already, and those of `except`. One statement, two partial indexes.
 */
export async function lockTicketsWithExpiredGrants(
  tx: Transaction,
  now: Date,
  limit: number,
  except: readonly string[],
): Promise<{ ticketIds: string[]; readAt: Date }> {
  const [row] = await tx.$queryRawUnsafe<{ ticketIds: string[]; readAt: Date }[]>(
    `WITH due AS MATERIALIZED (
       (SELECT ticket_id, site_id FROM grants
         WHERE state = 'ACTIVE' AND expires_at <= $1::timestamptz AND ticket_id <> ALL ($3::uuid[])
         ORDER BY expires_at LIMIT 10 * $2::int)
       UNION ALL
       (SELECT ticket_id, site_id FROM grants
         WHERE state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL')
           AND LEAST(approval_due_at, expires_at) <= $1::timestamptz AND ticket_id <> ALL ($3::uuid[])
         ORDER BY LEAST(approval_due_at, expires_at) LIMIT 10 * $2::int))
     SELECT clock_timestamp() AS "readAt", ARRAY(${lockSomeDue}) AS "ticketIds"`,
    ...[now, limit, except],
  );
  if (row === undefined) throw new Error('A SELECT without a table returned no row');
  return row;
}

/** What waits on a ticket until a time, in SQL: the table, which rows of it are open, and the column with their time. */
type Due = { table: string; isOpen: string; at: string };

/** The same for tickets with change requests whose time has run out, unless these have ended with their site or licence. */
export const lockTicketsWithExpiredChangeRequests = lockingDue({
  table: 'change_requests',
  isOpen: `state IN ('PENDING_CONSENT', 'CONSENTED')`,
  at: 'valid_until',
});

/** The same for tickets with support sessions whose time has run out. */
export const lockTicketsWithDueSessions = lockingDue({
  table: 'support_sessions',
  isOpen: 'ended_at IS NULL',
  at: 'due_at',
});

function lockingDue({ table, isOpen, at }: Due) {
  return async (tx: Transaction, now: Date, limit: number, except: readonly string[]): Promise<string[]> => {
    const rows = await tx.$queryRawUnsafe<{ id: string }[]>(
      `WITH due AS MATERIALIZED (
         SELECT ticket_id, site_id FROM ${table}
          WHERE ${isOpen} AND ${at} <= $1::timestamptz
            AND ticket_id <> ALL ($3::uuid[]) AND NOT is_on_unsettled(ticket_id)
          ORDER BY ${at} LIMIT 10 * $2::int) ${lockSomeDue}`,
      ...[now, limit, except],
    );
    return rows.map(({ id }) => id);
  };
}

const openTicketsOfEngineer = `SELECT id, site_id FROM tickets WHERE assignee_id = $1::uuid AND status <> 'CLOSED'`;

/**
 * Takes an exclusive lock on an engineer's caseload: nobody gives them a ticket until this transaction ends. Then takes
 * the locks of a command on each of their open tickets: shared ones on the sites, and exclusive ones on the tickets, both
 * in the order of their ids. Three statements, however many tickets.
 */
export async function lockCaseload(tx: Transaction, engineerId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('caseload', '$1')}`, engineerId);
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('site', 'site.id::text')}
       FROM (SELECT DISTINCT site_id AS id FROM (${openTicketsOfEngineer}) AS ticket ORDER BY site_id) AS site`,
    engineerId,
  );
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('ticket', 'ticket.id::text')} FROM (${openTicketsOfEngineer} ORDER BY id) AS ticket`,
    engineerId,
  );
}

/** Names an engineer: by their id, or by their email address. */
export type EngineerRef = { engineerId: string } | { engineerEmail: string };

/**
 * Takes a shared lock on an engineer's caseload: the engineer is not deactivated until this transaction ends. Does nothing
 * if nobody has the address. One statement.
 */
export async function shareCaseload(tx: Transaction, by: EngineerRef): Promise<void> {
  if ('engineerId' in by) {
    await tx.$executeRawUnsafe(`SELECT ${sharedLock('caseload', '$1')}`, by.engineerId);
  } else {
    await tx.$executeRawUnsafe(
      `SELECT ${sharedLock('caseload', 'id::text')} FROM accounts WHERE email = $1`,
      by.engineerEmail,
    );
  }
}

/** Takes that lock for the engineer of a ticket. Does nothing for a ticket without one. */
export async function shareCaseloadOfAssignee(tx: Transaction, by: TicketRef): Promise<void> {
  const { sql, values } = namedTicket(by);
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('caseload', 't.assignee_id::text')} FROM tickets t
      WHERE ${sql} AND t.assignee_id IS NOT NULL`,
    ...values,
  );
}
