/** The locks of evaluations: nobody ends what they are decided on until they are committed. */
import { trySharedLock } from '../platform/locks.ts';
import { type Connection, run } from './connection.ts';
import type { Question } from './question.ts';

/** The ticket on which an engineer works, and whether its locks were taken. */
export type LockedTicket = { readonly ticketId: string; readonly locked: boolean };

/** By what questions name the use of access: a ticket or a session. */
export type Uses = ReadonlyMap<string, LockedTicket>;

/** The tickets, and the ids of the service accounts whose rights stay as they are. */
type Locks = { readonly uses: Uses; readonly askers: ReadonlySet<string> };

/** A ticket by its use, or a service account by its id. */
type Found = { use: string; ticketId: string | null; locked: boolean };

const lockTickets = {
  name: 'access_locks',
  text: `
    SELECT found.use, found.ticket_id AS "ticketId",
           CASE WHEN ${trySharedLock('site', 'found.site_id::text')}
                THEN ${trySharedLock('ticket', 'found.ticket_id::text')} ELSE false END AS locked
      FROM (SELECT 'key ' || key AS use, id AS ticket_id, site_id FROM tickets WHERE key = ANY ($1::text[])
            UNION ALL
            SELECT 'id ' || id, ticket_id, site_id FROM support_sessions WHERE id = ANY ($2::uuid[])) AS found
    UNION ALL
    SELECT id, NULL, ${trySharedLock('rights', 'id')} FROM unnest($3::text[]) AS asker(id)`,
};

/**
 * Takes shared locks on the tickets that the questions name, on their sites, and on the rights of the service accounts
 * that ask, without waiting. A ticket or session that does not exist is not in the answer. One statement; what is read
 * afterwards is true until the transaction ends.
 */
export async function tryLocks(
  connection: Connection,
  questions: readonly Question[],
  askerIds: readonly string[],
): Promise<Locks> {
  const named = (by: string) => questions.filter(({ use }) => use.by === by).map(({ use }) => use.value);
  const values = [distinct(named('key')), distinct(named('id')), distinct(askerIds)];
  const { rows } = await run<Found>(connection, lockTickets, values);
  return {
    uses: new Map(
      rows.flatMap(({ use, ticketId, locked }) => (ticketId === null ? [] : [[use, { ticketId, locked }]])),
    ),
    askers: new Set(rows.flatMap(({ use, ticketId, locked }) => (ticketId === null && locked ? [use] : []))),
  };
}

/** The key of a question in `Uses`. */
export function useOf({ use }: Question): string {
  return `${use.by} ${use.value}`;
}

export function distinct<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}
