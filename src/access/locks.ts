/** The locks of evaluations: nobody ends what they are decided on until they are committed. */
import { trySharedLock } from '../platform/locks.ts';
import type { Connection } from './connection.ts';
import type { Question } from './question.ts';

/** The ticket on which an engineer works, and whether its locks were taken. */
export type LockedTicket = { readonly ticketId: string; readonly locked: boolean };

/** By what questions name the use of access: a ticket or a session. */
export type Uses = ReadonlyMap<string, LockedTicket>;

/** The tickets, and the ids of the service accounts whose rights stay as they are. */
export type Locks = { readonly uses: Uses; readonly askers: ReadonlySet<string> };

const lockTickets = {
  name: 'access_locks',
  text: `
    SELECT (SELECT json_agg(json_build_array(found.use, found.ticket_id,
                     CASE WHEN ${trySharedLock('site', 'found.site_id::text')}
                          THEN ${trySharedLock('ticket', 'found.ticket_id::text')} ELSE false END))
              FROM (SELECT 'key ' || key AS use, id AS ticket_id, site_id FROM tickets WHERE key = ANY ($1::text[])
                    UNION ALL
                    SELECT 'id ' || id, ticket_id, site_id FROM support_sessions WHERE id = ANY ($2::uuid[])) AS found
           ) AS uses,
           (SELECT json_agg(id) FROM unnest($3::text[]) AS asker(id) WHERE ${trySharedLock('rights', 'id')}) AS askers`,
};

type Row = {
  uses: [use: string, ticketId: string, locked: boolean][] | null;
  askers: string[] | null;
};

/**
 * Takes shared locks on the tickets that the questions name, on their sites, and on the rights of the service accounts
 * that ask, without waiting. A ticket or session that does not exist is not in the answer. One statement; what a later
 * one reads is true until the transaction ends.
 */
export async function tryLocks(
  connection: Connection,
  questions: readonly Question[],
  askerIds: readonly string[],
): Promise<Locks> {
  const values = [...usesOf(questions), askerIds];
  const { rows } = await connection.run<Row>(lockTickets, values);
  const { uses, askers } = rows[0] ?? {};
  return {
    uses: new Map((uses ?? []).map(([use, ticketId, locked]) => [use, { ticketId, locked }])),
    askers: new Set(askers),
  };
}

/** The keys of the tickets and the ids of the sessions that the questions name. */
export function usesOf(questions: readonly Question[]): [keys: string[], sessionIds: string[]] {
  const named = (by: string) => distinct(questions.flatMap(({ use }) => (use.by === by ? use.value : [])));
  return [named('key'), named('id')];
}

/** The key of a question in `Uses`. */
export function useOf({ use }: Question): string {
  return `${use.by} ${use.value}`;
}

export function distinct<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}
