import type { Database } from '../platform/database.ts';

/** At most so many rows of each kind are counted. */
const most = 10_000;

/** What is due and not done yet, by the kind of work. Bounded reads of indexes. */
const waiting = {
  grants_to_end: `grants WHERE state = 'ACTIVE' AND expires_at <= now()`,
  places_to_settle:
    '(SELECT unsettled_since FROM sites UNION ALL SELECT unsettled_since FROM products) AS place WHERE unsettled_since IS NOT NULL',
  changes_to_settle: `proposed_changes WHERE state = 'WAITING' AND COALESCE(effective_at, expires_at) <= now()`,
  audit_entries_without_position: `audit_entries WHERE txid > COALESCE((SELECT max(txid) FROM audit_positions), 0)`,
  mails_to_send: `mails WHERE state = 'WAITING'`,
  mails_overdue: `mails WHERE state = 'WAITING' AND due_at <= now()`,
} as const;

/** How long a reading is kept, in milliseconds: everybody who asks within it gets the same one. */
const keptFor = 5_000;

/** Returns a function that counts what waits to be done in the background. */
export function createBacklogReader({
  pool,
}: Database): () => Promise<Readonly<Record<keyof typeof waiting, number>>> {
  const counts = Object.entries(waiting).map(
    ([name, rows]) => `(SELECT count(*)::int FROM (SELECT FROM ${rows} LIMIT ${most}) AS counted) AS ${name}`,
  );
  let last: { at: number; reading: Promise<Readonly<Record<keyof typeof waiting, number>>> } | undefined;
  const read = async () => {
    const { rows } = await pool.query<Record<keyof typeof waiting, number>>(`SELECT ${counts.join(', ')}`);
    const [row] = rows;
    if (row === undefined) throw new Error('A SELECT without a table returned no row');
    return row;
  };
  return () => {
    if (last === undefined || performance.now() - last.at > keptFor)
      last = { at: performance.now(), reading: read() };
    return last.reading;
  };
}
