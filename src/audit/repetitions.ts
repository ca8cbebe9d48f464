/** What is alike within a while, counted in a table until the while is over: it then becomes one entry of the audit log. */
import type pg from 'pg';
import { entryColumnNames, entryValues } from './store.ts';

/** A table of repetitions, the column in which it has the beginning of the while, and how long that is, in milliseconds. */
export type Repeated = { readonly table: string; readonly begun: string; readonly forMs: number };

/**
 * Writes an entry for each row of which the while is over, if anything was repeated, and deletes the rows: at most `limit` of
 * them. Returns how many. One statement; several gateways may run it at once.
 */
export async function recordRepeated(
  pool: pg.Pool,
  { table, begun, forMs }: Repeated,
  now: Date,
  limit: number,
): Promise<number> {
  const { rows } = await pool.query<{ forgotten: number }>(
    `WITH over AS (
       DELETE FROM ${table} WHERE (${begun}, actor_id, fingerprint) IN (
         SELECT ${begun}, actor_id, fingerprint FROM ${table} WHERE ${begun} <= $1::timestamptz
          ORDER BY ${begun} LIMIT $3::int FOR UPDATE SKIP LOCKED)
       RETURNING repetitions, last_at, entry
     ), recorded AS (
       INSERT INTO audit_entries (${entryColumnNames})
       SELECT ${entryValues}
         FROM over CROSS JOIN LATERAL jsonb_populate_record(NULL::audit_entries, entry || jsonb_build_object(
                'occurred_at', $2::timestamptz, 'count', repetitions,
                'details', entry->'details' || jsonb_build_object('since', entry->'occurred_at', 'until', to_char(last_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))) AS e
        WHERE repetitions > 0 ORDER BY last_at
     )
     SELECT count(*)::int AS forgotten FROM over`,
    [new Date(now.getTime() - forMs), now, limit],
  );
  return rows[0]?.forgotten ?? 0;
}

/** Of where repetitions came from, their entry says what is common to all: in SQL, of two rows of a table. */
export const entryOfBoth = `
  known.entry || (
    SELECT jsonb_object_agg(key, CASE WHEN known.entry->key = excluded.entry->key THEN known.entry->key ELSE 'null' END)
      FROM unnest('{client_address,request_id,trace_id,user_agent}'::text[]) AS key)`;
