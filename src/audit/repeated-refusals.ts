/**
 * Keeps the audit log from growing as fast as somebody repeats a refused command. The first refusal has its entry at once.
 * Those like it within the same minute are counted, in the transaction that refuses them, and become one entry once the
 * minute is over. So no refusal is lost, whatever is restarted.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { AuditEntry } from './entry.ts';
import { entryOfBoth, recordRepeated } from './repetitions.ts';
import { auditRow } from './store.ts';

const minuteMs = 60_000;

/**
 * Counts the refusals among the entries, and returns the entries without those that only repeat another one of the minute.
 * Another one is like it: the same actor, action, resource, place, code and details. Where they came from does not count:
 * whoever has many addresses would fill the log. Of where they came from, the entry that counts them has what is common to all.
 *
 * Commands that are refused alike wait for each other here. Whoever does so holds every other lock that it needs.
 */
export async function withoutRepetitions(
  tx: Transaction,
  entries: readonly AuditEntry[],
  now: Date,
): Promise<readonly AuditEntry[]> {
  const refusals = refusalsIn(entries, now);
  if (refusals.length === 0) return entries;
  const counted = Map.groupBy(refusals, ({ fingerprint }) => fingerprint);
  const rows = [...counted.values()].map((alike) => ({ ...alike[0]?.row, repetitions: alike.length - 1 }));
  const known = await tx.$queryRawUnsafe<{ id: string }[]>(
    `INSERT INTO repeated_refusals AS known (minute, actor_id, fingerprint, id, repetitions, last_at, entry)
     SELECT minute, actor_id, fingerprint, id, repetitions, last_at, entry
       FROM jsonb_populate_recordset(NULL::repeated_refusals, $1::jsonb) ORDER BY minute, actor_id, fingerprint
     ON CONFLICT (minute, actor_id, fingerprint) DO UPDATE
        SET repetitions = known.repetitions + excluded.repetitions + 1,
            last_at = GREATEST(known.last_at, excluded.last_at),
            entry = ${entryOfBoth}
     RETURNING id`,
    JSON.stringify(rows),
  );
  const ids = new Set(known.map(({ id }) => id));
  const repetitions = new Set(refusals.flatMap(({ entry, row }) => (ids.has(row.id) ? [] : [entry])));
  return entries.filter((entry) => !repetitions.has(entry));
}

function refusalsIn(entries: readonly AuditEntry[], now: Date) {
  const minute = new Date(Math.floor(now.getTime() / minuteMs) * minuteMs);
  return entries.flatMap((entry) => {
    if (entry.refusalCode === null || entry.actor.kind === 'SYSTEM') return [];
    const { occurredAt: _, source: __, ...said } = entry;
    const fingerprint = createHash('sha256').update(JSON.stringify(said)).digest('hex');
    const id = newId(now);
    const row = {
      minute,
      actor_id: entry.actor.id,
      fingerprint,
      id,
      last_at: now,
      entry: auditRow(entry, id),
    };
    return [{ entry, fingerprint, row }];
  });
}

/**
 * Writes an entry for each refusal that was repeated within a minute that is over, and forgets the refusals of those
 * minutes: at most `limit` of them. Returns how many. One statement; several gateways may run it at once.
 */
export async function recordRepetitions(pool: pg.Pool, now: Date, limit: number): Promise<number> {
  return await recordRepeated(
    pool,
    { table: 'repeated_refusals', begun: 'minute', forMs: minuteMs },
    now,
    limit,
  );
}
