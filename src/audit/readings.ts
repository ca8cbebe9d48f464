/**
 * Puts on the audit log who reads it. The first reading of its kind has its entry before what was read is handed out. Those like
 * it within the same hour are counted, in this gateway, and become one entry once the hour is over. So whoever asks each second
 * leaves two entries an hour, and a reading costs no statement but the first.
 *
 * Counts are written down every few seconds. A gateway that is killed loses those of the last seconds, never that somebody has read.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Clock } from '../platform/clock.ts';
import { newId } from '../platform/ids.ts';
import type { RequestSource } from '../platform/request-source.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import { type Actor, type AuditEntry, actorOf } from './entry.ts';
import { entryOfBoth, recordRepeated } from './repetitions.ts';
import { auditRow, entryColumnNames, entryValues, sourceColumns } from './store.ts';

export type ReadingAction = Extract<AuditEntry['action'], `audit_entries.${string}`>;

/** The actions of entries about readings. */
export function isReading(action: string): boolean {
  return action.startsWith('audit_entries.');
}

export type Reading = {
  readonly action: ReadingAction;
  readonly reader: Exclude<Actor, { kind: 'SYSTEM' }>;
  readonly source: RequestSource;
  /** Of which log, by its organization, and what its readers may know of what was asked for. */
  readonly logId: string;
  readonly details: Readonly<Record<string, unknown>>;
};

export type Readings = {
  /** Resolves once the readings are on record: nothing of what was read may leave before. Rejects if that fails. */
  record(readings: readonly Reading[]): Promise<void>;
  /** Writes down what was counted since the last time. */
  save(): Promise<void>;
};

/** Who leaves no entries by reading. */
export const unrecordedReadings: Readings = { record: async () => undefined, save: async () => undefined };

const hourMs = 3_600_000;
/** Milliseconds after an hour in which gateways write down the counts of it. */
const graceMs = 60_000;
/** So many readings of one kind, by one account in one log, are told apart in an hour. Of the others it is said that there are more. */
const mostToldApart = 20;
/** Readings that a gateway remembers. Beyond, each is written down at once. */
const mostKnown = 10_000;

type Row = ReturnType<typeof rowOf>;
type Known = { readonly row: Row; readonly written: Promise<void>; count: number; lastAt: Date };

/** @param onWritten called when entries were written */
export function createReadings({
  pool,
  clock,
  onWritten,
}: {
  readonly pool: pg.Pool;
  readonly clock: Clock;
  readonly onWritten?: () => void;
}): Readings {
  /** By what tells them apart, which is looked up at each reading: to make a row takes much longer. */
  let known = new Map<string, Known>();
  /** How many are told apart, by reader, action and log. */
  let toldApart = new Map<string, number>();
  let hour = 0;
  /** Those of hours that are over, and what could not be written down yet. */
  let counted: Row[] = [];

  function beginHour(now: Date): void {
    const present = Math.floor(now.getTime() / hourMs);
    if (present === hour) return;
    counted.push(...takeCounts());
    [known, toldApart, hour] = [new Map(), new Map(), present];
  }

  function takeCounts(): Row[] {
    return [...known.values()].flatMap((one) => {
      if (one.count === 0) return [];
      // The row that is there may have become an entry already, so this one has an id of its own.
      const id = newId(one.lastAt);
      const { row, count: repetitions, lastAt: last_at } = one;
      one.count = 0;
      return [{ ...row, id, repetitions, last_at, entry: { ...row.entry, id } }];
    });
  }

  /** The reading, told apart from others as far as there are not too many. */
  function toldApartFrom(reading: Reading): Reading {
    if (known.has(keyOf(reading))) return reading;
    const kind = `${reading.reader.id} ${reading.action} ${reading.logId}`;
    const apart = toldApart.get(kind) ?? 0;
    if (apart < mostToldApart) {
      if (toldApart.size < mostKnown) toldApart.set(kind, apart + 1);
      return reading;
    }
    const { conditions: _, filter: __, groupBy: ___, grantId: ____, ...common } = reading.details;
    return { ...reading, details: common };
  }

  async function record(readings: readonly Reading[]): Promise<void> {
    const now = clock();
    beginHour(now);
    const awaited = new Set<Promise<void>>();
    const first = new Map<string, Row>();
    for (const given of readings) {
      const reading = toldApartFrom(given);
      const key = keyOf(reading);
      const one = known.get(key);
      if (one === undefined) {
        first.set(key, rowOf(reading, now));
        continue;
      }
      one.count += 1;
      one.lastAt = now;
      narrowSource(one.row.entry, sourceColumns(reading.source));
      awaited.add(one.written);
    }
    if (first.size > 0) awaited.add(begin(first, now));
    await Promise.all(awaited);
  }

  function begin(first: ReadonlyMap<string, Row>, now: Date): Promise<void> {
    const written = writeFirst(pool, [...first.values()]).then(onWritten);
    const mine: [string, Known][] = [];
    for (const [key, row] of first) {
      if (known.size >= mostKnown) break;
      const one = { row, written, count: 0, lastAt: now };
      known.set(key, one);
      mine.push([key, one]);
    }
    written.catch(() => {
      for (const [key, one] of mine) if (known.get(key) === one) known.delete(key);
    });
    return written;
  }

  return {
    record,
    async save() {
      beginHour(clock());
      const rows = together([...counted, ...takeCounts()]);
      counted = [];
      if (rows.length === 0) return;
      try {
        await writeCounts(pool, rows);
      } catch (error) {
        counted.push(...rows);
        throw error;
      }
    },
  };
}

function keyOf({ action, reader, logId, details }: Reading): string {
  return `${reader.id} ${action} ${logId} ${JSON.stringify(details)}`;
}

function rowOf({ action, reader, source, logId, details }: Reading, now: Date) {
  const entry: AuditEntry = {
    ...{ action, actor: actorOf(reader), refusalCode: null, occurredAt: now, source, details },
    resource: { type: 'Organization', id: logId },
    organizationId: logId === vendorOrganizationId ? null : logId,
  };
  const { occurredAt: _, source: __, ...said } = entry;
  const id = newId(now);
  return {
    hour: new Date(Math.floor(now.getTime() / hourMs) * hourMs),
    actor_id: reader.id,
    fingerprint: createHash('sha256').update(JSON.stringify(said)).digest('hex'),
    id,
    repetitions: 0,
    last_at: now,
    entry: auditRow(entry, id) as Record<string, unknown>,
  };
}

/** The counts of the same readings of an hour as one: what could not be written down, and what was counted since. */
function together(rows: readonly Row[]): Row[] {
  const alike = Map.groupBy(rows, ({ hour, fingerprint }) => `${hour.getTime()} ${fingerprint}`);
  return [...alike.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const entry = { ...first.entry };
    for (const other of others) narrowSource(entry, other.entry);
    const repetitions = others.reduce((sum, other) => sum + other.repetitions, first.repetitions);
    return [{ ...first, entry, repetitions, last_at: others.at(-1)?.last_at ?? first.last_at }];
  });
}

const sourceColumnNames = Object.keys(sourceColumns(undefined));

/** Of where readings came from, their entry says what is common to all. */
function narrowSource(kept: Row['entry'], other: Row['entry']): void {
  for (const key of sourceColumnNames) if (kept[key] !== other[key]) kept[key] = null;
}

const upsertSql = (repeatedBy: string): string => `
  INSERT INTO repeated_readings AS known (hour, actor_id, fingerprint, id, repetitions, last_at, entry)
  SELECT hour, actor_id, fingerprint, id, repetitions, last_at, entry FROM asked ORDER BY hour, actor_id, fingerprint
      ON CONFLICT (hour, actor_id, fingerprint) DO UPDATE
     SET repetitions = known.repetitions + ${repeatedBy}, last_at = GREATEST(known.last_at, excluded.last_at),
         entry = ${entryOfBoth}
  RETURNING id`;

/** Writes an entry of each reading that no gateway has had this hour, and counts the others. One statement. */
async function writeFirst(pool: pg.Pool, rows: readonly Row[]): Promise<void> {
  const asked = rows.map((row) => ({ ...row, entry_id: newId(row.last_at) }));
  await pool.query(
    `WITH asked AS (
       SELECT reading.*, given->'entry_id' AS entry_id FROM jsonb_array_elements($1::jsonb) AS given
        CROSS JOIN LATERAL jsonb_populate_record(NULL::repeated_readings, given) AS reading
     ), counted AS (${upsertSql('1')})
     INSERT INTO audit_entries (${entryColumnNames})
     SELECT ${entryValues}
       FROM asked JOIN counted USING (id)
      CROSS JOIN LATERAL jsonb_populate_record(NULL::audit_entries, entry || jsonb_build_object('id', entry_id)) AS e`,
    [JSON.stringify(asked)],
  );
}

/** Adds what a gateway has counted. One statement. */
async function writeCounts(pool: pg.Pool, rows: readonly Row[]): Promise<void> {
  await pool.query(
    `WITH asked AS (SELECT * FROM jsonb_populate_recordset(NULL::repeated_readings, $1::jsonb)) ${upsertSql('excluded.repetitions')}`,
    [JSON.stringify(rows)],
  );
}

/**
 * Writes an entry of each reading that was repeated within an hour that is over, and forgets the readings of that hour: at most
 * `limit`. Returns how many. One statement; several gateways may run it at once.
 */
export async function recordRepeatedReadings(pool: pg.Pool, now: Date, limit: number): Promise<number> {
  return await recordRepeated(
    pool,
    { table: 'repeated_readings', begun: 'hour', forMs: hourMs + graceMs },
    now,
    limit,
  );
}
