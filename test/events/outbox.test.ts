import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EventEnvelope } from '../../src/events/envelope.ts';
import { CursorExpiredError, HistoryReplacedError } from '../../src/events/errors.ts';
import { createCursorSigner } from '../../src/events/event-cursor.ts';
import {
  appendEvents,
  deleteEventsBefore,
  deleteForeignEvents,
  type Reader,
} from '../../src/events/outbox.ts';
import { includes, origin, type Position } from '../../src/events/position.ts';
import {
  currentPosition,
  readEvents,
  readEventsUnverified,
  readerSettings,
} from '../../src/events/read-events.ts';
import { createTail } from '../../src/events/tail.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/postgres.ts';
import { asRestored } from '../support/restored.ts';
import { bySize } from '../support/size.ts';
import { grantEvent } from './events.ts';
import { begin, openPool, silent, type Writer, write } from './gateway.ts';

// A server of its own: transactions of other databases on a server count as open, too.
let database: OwnPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  database = await startOwnPostgres();
  pool = openPool(database.url, 20);
});
beforeEach(async () => {
  await pool.query('DELETE FROM events');
});
afterAll(async () => {
  await pool.end();
  await database.dispose();
});

/** What the work does is undone, so that it can take away what was committed. */
async function inUndoneTransaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await work(client);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

const cursors = createCursorSigner(['a secret of the tests'])({
  ...{ viewerId: 'ada', stream: 'test', filter: null },
});

/** The position as a client gives it back. */
function asResumed(position: Position): Position {
  return cursors.decode(cursors.encode(position));
}

/** Reads everything after a position, page by page; returns the ids and the last position. */
async function readOn(from: Position, limit = 3): Promise<{ ids: string[]; position: Position }> {
  const ids: string[] = [];
  let position = from;
  for (;;) {
    const page = await readEvents(pool, position, limit);
    ids.push(...page.rows.map(({ row }) => row.id));
    position = page.position;
    if (!page.hasMore) return { ids, position };
  }
}

test('all reads use one plan, which uses the index although it was made when the table was empty', async () => {
  await pool.query('VACUUM ANALYZE events');
  const db = openDatabase({ url: database.url, logger: silent, poolSize: 1, settings: readerSettings });
  const start = await currentPosition(db.pool);
  await readEvents(db.pool, start, 100);
  for (let count = 0; count < 20; count += 1) {
    await write(pool, ...Array.from({ length: 100 }, () => grantEvent()));
  }
  await readEvents(db.pool, start, 100);
  const { rows: prepared } = await db.pool.query(
    `SELECT name, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%was_open%'`,
  );
  expect(prepared).toMatchObject([{ custom_plans: '0' }]);
  const kept = '00000000-0000-7000-8000-000000000000';
  const values = `(${start.next}, '{1,2}', '{0,5}', '${kept}', '{1,2}', ${start.next}, ${start.next + 1n}, '{2}', '{0}')`;
  const { rows: plan } = await db.pool.query(
    `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE "${prepared[0].name}" ${values}`,
  );
  await db.dispose();
  const text = JSON.stringify(plan);
  expect(text).toContain('events_txid_seq_key');
  expect(text).not.toContain('Seq Scan');
  // Of 2,000 events, no step of the plan has read more than the page.
  const met = [...text.matchAll(/"Actual Rows":([\d.]+)/g)].map(([, count]) => Number(count));
  expect(Math.max(...met)).toBeLessThanOrEqual(100);
});

describe('appending', () => {
  test('keeps the given order, in one statement of the given transaction', async () => {
    const statements: string[] = [];
    const db = openDatabase({
      url: database.url,
      logger: silent,
      deadlines: generousDatabaseDeadlines,
      onStatement: (sql) => statements.push(sql),
    });
    const events = Array.from({ length: 50 }, () => grantEvent());
    await db.transaction((tx) => appendEvents(tx, events));
    await db.transaction((tx) => appendEvents(tx, []));
    await db.dispose();
    expect((await readOn(origin)).ids).toStrictEqual(events.map(({ id }) => id));
    expect(statements.filter((sql) => sql.includes('INSERT'))).toHaveLength(1);
  });

  test('in a transaction that fails writes nothing', async () => {
    const writer = await begin(pool);
    await writer.append(grantEvent());
    await writer.rollback();
    expect((await readOn(origin)).ids).toStrictEqual([]);
  });
});

describe('reading', () => {
  test('returns committed events at once, and later those of an older transaction, each once', async () => {
    const [old, young] = [grantEvent(), grantEvent()];
    const slow = await begin(pool);
    await slow.append(old);
    await write(pool, young);

    const first = await readEvents(pool, origin, 10);
    expect(first.rows.map(({ row }) => row.id)).toStrictEqual([young.id]);

    await slow.commit();
    const second = await readEvents(pool, first.position, 10);
    expect(second.rows.map(({ row }) => row.id)).toStrictEqual([old.id]);
    expect((await readEvents(pool, second.position, 10)).rows).toStrictEqual([]);
  });

  test('drops open transactions from positions once they have finished', async () => {
    const [slow, aborted] = [await begin(pool), await begin(pool)];
    await slow.append(grantEvent());
    await aborted.append(grantEvent());
    await write(pool, grantEvent());
    const before = await readEvents(pool, origin, 10);
    expect(before.position.open).toHaveLength(2);
    await aborted.rollback();
    await slow.commit();
    expect((await readEvents(pool, before.position, 10)).position.open).toStrictEqual([]);
  });

  test('pages through a transaction of many events', async () => {
    const events = Array.from({ length: 10 }, () => grantEvent());
    await write(pool, ...events);
    for (const limit of [1, 2, 3, 5, 10, 11]) {
      expect((await readOn(origin, limit)).ids).toStrictEqual(events.map(({ id }) => id));
    }
  });

  test('never goes beyond the last event, since transaction numbers without a trace may be reused', async () => {
    await write(pool, grantEvent());
    const { position } = await readEvents(pool, origin, 10);
    const lost = await begin(pool);
    await lost.append(grantEvent());
    await lost.rollback();
    const idle = await readEvents(pool, position, 10);
    expect(idle.position.next).toBe(position.next);
    expect((await currentPosition(pool)).next).toBe(position.next);
  });

  test('continues the state of a REPEATABLE READ transaction without a gap', async () => {
    const [seen, open, later] = [grantEvent(), grantEvent(), grantEvent()];
    await write(pool, seen);
    const slow = await begin(pool);
    await slow.append(open);
    const client = await pool.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const state = await client.query<{ id: string }>('SELECT id FROM events');
    await write(pool, later);
    const position = await currentPosition(client);
    await client.query('COMMIT');
    client.release();
    await slow.commit();
    expect(state.rows.map(({ id }) => id)).toStrictEqual([seen.id]);
    expect((await readOn(position)).ids.toSorted()).toStrictEqual([open.id, later.id].toSorted());
  });

  test('from an empty table, while a transaction is open, misses nothing', async () => {
    const slow = await begin(pool);
    const event = grantEvent();
    await slow.append(event);
    const position = await currentPosition(pool);
    await slow.commit();
    expect((await readOn(position)).ids).toStrictEqual([event.id]);
  });

  test('rejects a position ahead of the database', async () => {
    const ahead: Position = { next: 2n ** 60n, open: [] };
    await expect(readEvents(pool, ahead, 10)).rejects.toThrow(HistoryReplacedError);
  });

  test('uses the index, however many events there are and however long a transaction stays open', async () => {
    await asRestored(
      pool,
      `INSERT INTO events (id, organization_id, txid, seq, type, occurred_at, payload)
       SELECT gen_random_uuid(), '${vendorOrganizationId}', n, n, 'T', now(), '{}' FROM generate_series(1, 50000) AS n`,
    );
    await pool.query('ANALYZE events');
    const client = await pool.connect();
    const plans: string[] = [];
    try {
      await client.query('SET plan_cache_mode = force_generic_plan');
      const explaining: Reader = {
        async query(statement) {
          const isVerified = statement.values?.length === 9;
          const name = isVerified ? 'verified' : 'unverified';
          await client.query(
            `PREPARE ${name} (bigint, bigint[], bigint[], uuid${isVerified ? ', bigint[], bigint, bigint, bigint[], bigint[]' : ''})
                  AS ${statement.text}`,
          );
          const plan = await client.query<{ 'QUERY PLAN': string }>(
            `EXPLAIN (ANALYZE) EXECUTE ${name} (
               49000, '{5,6,7}', '{0,0,0}', '00000000-0000-7000-8000-000000000000'
               ${isVerified ? ", '{3,4}', 48900, 49000, '{48950}', '{0}'" : ''})`,
          );
          plans.push(plan.rows.map((row) => row['QUERY PLAN']).join('\n'));
          return client.query(statement);
        },
      };
      await readEvents(explaining, origin, 500);
      await readEventsUnverified(explaining, origin, 500);
    } finally {
      client.release(true);
    }
    expect(plans).toHaveLength(2);
    expect(plans.join('\n')).not.toMatch(/Seq Scan/);
    const touched = [...plans.join('\n').matchAll(/on events.*rows=(\d+)/g)].map(([, rows]) => Number(rows));
    expect(Math.max(...touched)).toBeLessThanOrEqual(500);
  });
});

describe('readers beside writers that commit in any order', () => {
  /** Writers open and close transactions one step at a time; the reader reads between any two steps. */
  type Step = { writer: number; act: 'append' | 'commit' | 'rollback' } | { readAfterMs: number };
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          writer: fc.nat({ max: 4 }),
          act: fc.constantFrom<('append' | 'commit' | 'rollback')[]>(
            'append',
            'append',
            'commit',
            'rollback',
          ),
        }),
      },
      { weight: 1, arbitrary: fc.record({ readAfterMs: fc.constantFrom(0, 400, 1_000) }) },
    ),
    { minLength: 10, maxLength: 50 },
  );

  type Played = {
    start: Position;
    /** The ids of each transaction, in the order of the commits. */
    commits: string[][];
    /** Each event with the position after it, in the order in which they were read. */
    read: { id: string; position: Position }[];
  };

  async function play(schedule: Step[], limit: number): Promise<Played> {
    await pool.query('DELETE FROM events');
    await write(pool, grantEvent(), grantEvent());
    const played: Played = { start: await currentPosition(pool), commits: [], read: [] };
    const writers = new Map<number, { writer: Writer; events: EventEnvelope[] }>();
    let now = 0;
    const tail = createTail({ db: pool, pageSize: limit, verifyInterval: 1_000, now: () => now });
    tail.startAt(played.start);
    const readAll = async (): Promise<void> => {
      for (let hasMore = true; hasMore; ) {
        const page = await tail.read();
        played.read.push(...page.rows.map(({ row, position: here }) => ({ id: row.id, position: here })));
        ({ hasMore } = page);
      }
    };
    const close = async (number: number, act: 'commit' | 'rollback'): Promise<void> => {
      const open = writers.get(number);
      if (open === undefined) return;
      writers.delete(number);
      await open.writer[act]();
      if (act === 'commit') played.commits.push(open.events.map(({ id }) => id));
    };
    for (const step of schedule) {
      if ('readAfterMs' in step) {
        now += step.readAfterMs;
        await readAll();
      } else if (step.act === 'append') {
        const open = writers.get(step.writer) ?? { writer: await begin(pool), events: [] };
        writers.set(step.writer, open);
        const event = grantEvent();
        await open.writer.append(event);
        open.events.push(event);
      } else await close(step.writer, step.act);
    }
    for (const number of [...writers.keys()]) await close(number, 'commit');
    await readAll();
    return played;
  }

  test('read every committed event exactly once, and can resume after each of them', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (schedule, limit) => {
        const { commits, read } = await play(schedule, limit);
        expect(read.map(({ id }) => id).toSorted()).toStrictEqual(commits.flat().toSorted());
        for (const [index, { position: from }] of read.entries()) {
          const missing = read.slice(index + 1).map(({ id }) => id);
          expect((await readOn(from, limit)).ids.toSorted()).toStrictEqual(missing.toSorted());
        }
      }),
      { numRuns: bySize(8, 200) },
    );
  });

  test('notice, after the loss of the last commits, exactly those positions that include a lost event', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), async (schedule, limit) => {
        const { start, commits, read } = await play(schedule, limit);
        const positions = [
          { included: [], position: start },
          ...read.map(({ position }, index) => ({
            included: read.slice(0, index + 1).map(({ id }) => id),
            position,
          })),
        ];
        await inUndoneTransaction(async (client) => {
          for (let kept = commits.length; kept >= 0; kept -= 1) {
            const lost = new Set(commits.slice(kept).flat());
            await client.query('DELETE FROM events WHERE id = ANY($1)', [[...lost]]);
            for (const { included, position } of positions) {
              const outcome = await readEvents(client, asResumed(position), limit).then(
                () => 'READ',
                (error: Error) => error.name,
              );
              const isLost = included.some((id) => lost.has(id));
              expect(outcome).toBe(isLost ? 'HistoryReplacedError' : 'READ');
            }
          }
        });
      }),
      { numRuns: bySize(4, 60) },
    );
  });
});

describe('a position of another history', () => {
  /** Positions after each of the events, which were read together. */
  async function readAfterEach(events: readonly EventEnvelope[]): Promise<Position[]> {
    const start = await currentPosition(pool);
    for (const event of events) await write(pool, event);
    const { rows } = await readEvents(pool, start, events.length + 1);
    return rows.map(({ position }) => position);
  }

  test('is noticed if its transactions have been repeated with other events', async () => {
    await write(pool, grantEvent());
    const before = await currentPosition(pool);
    const [after] = await readAfterEach([grantEvent()]);
    await asRestored(pool, `UPDATE events SET id = gen_random_uuid() WHERE txid >= $1`, [
      String(before.next),
    ]);
    await expect(readEvents(pool, after ?? origin, 10)).rejects.toThrow(HistoryReplacedError);
    expect((await readEvents(pool, before, 10)).rows).toHaveLength(1);
  });

  test('is noticed if it has no event that the database lacks, but the database has one that it includes unread', async () => {
    const [, after] = await readAfterEach([grantEvent(), grantEvent()]);
    await asRestored(
      pool,
      `INSERT INTO events (id, organization_id, txid, seq, type, occurred_at, payload)
       SELECT gen_random_uuid(), '${vendorOrganizationId}', max(txid), max(seq) + 1, 'T', now(), '{}' FROM events`,
    );
    await expect(readEvents(pool, after ?? origin, 10)).rejects.toThrow(HistoryReplacedError);
  });

  test('is noticed at a gateway that starts in the new history', async () => {
    const lost = grantEvent();
    const [after] = await readAfterEach([lost]);
    await pool.query('DELETE FROM events WHERE id = $1', [lost.id]);
    await write(pool, grantEvent(), grantEvent());
    const now = await currentPosition(pool);
    await expect(readEvents(pool, after ?? origin, 10)).rejects.toThrow(HistoryReplacedError);
    expect((await readEvents(pool, now, 10)).rows).toStrictEqual([]);
  });

  test('is noticed by any event of the last page, and by any of the last 200 where a gateway starts', async () => {
    const events = Array.from({ length: 230 }, () => grantEvent());
    for (const event of events) await write(pool, event);
    const { position } = await readOn(origin, 50);
    const ofStart = await currentPosition(pool);
    await inUndoneTransaction(async (client) => {
      await client.query('DELETE FROM events WHERE id = $1', [events[200]?.id]);
      await expect(readEvents(client, position, 10)).rejects.toThrow(HistoryReplacedError);
    });
    await inUndoneTransaction(async (client) => {
      await client.query('DELETE FROM events WHERE id = $1', [events[40]?.id]);
      await expect(readEvents(client, ofStart, 10)).rejects.toThrow(HistoryReplacedError);
    });
    // What a checksum covers does not grow without a limit.
    const covered = await pool.query<{ count: string }>(
      'SELECT count(*) FROM events WHERE txid >= $1 AND txid < $2',
      [String(position.checksum?.from), String(position.checksum?.to)],
    );
    expect(Number(covered.rows[0]?.count)).toBeLessThanOrEqual(250);
  });

  test('is noticed in the middle of a transaction of many events, and after it', async () => {
    await write(pool, grantEvent());
    const start = await currentPosition(pool);
    const events = Array.from({ length: 250 }, () => grantEvent());
    await write(pool, ...events);
    const positions: Position[] = [];
    for (let position = start, hasMore = true; hasMore; ) {
      const page = await readEvents(pool, position, 30);
      positions.push(...page.rows.map(({ position: here }) => here));
      ({ position, hasMore } = page);
    }
    for (const position of positions) await readEvents(pool, asResumed(position), 1);
    await pool.query('DELETE FROM events WHERE txid >= $1', [String(start.next)]);
    for (const position of positions) {
      await expect(readEvents(pool, asResumed(position), 1)).rejects.toThrow(HistoryReplacedError);
    }
    expect((await readOn(start)).ids).toStrictEqual([]);
  });
});

const day = 86_400_000;
const at = (days: number): Date => new Date(Date.UTC(2026, 0, 1) + days * day);

describe('retention', () => {
  test('deletes old events in batches, and returns how many', async () => {
    const events = [1, 2, 3, 4, 5].map((days) => grantEvent({ occurredAt: at(days) }));
    for (const event of events) await write(pool, event);
    expect(await deleteEventsBefore(pool, at(4), 2)).toBe(2);
    expect(await deleteEventsBefore(pool, at(4), 2)).toBe(1);
    expect(await deleteEventsBefore(pool, at(4), 2)).toBe(0);
    expect((await readOn(await currentPosition(pool))).ids).toStrictEqual([]);
    const { rows } = await pool.query<{ id: string }>("SELECT id FROM events WHERE type <> 'KEPT_FROM'");
    expect(rows.map(({ id }) => id).toSorted()).toStrictEqual(
      events
        .slice(3)
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  test('makes positions invalid from which a deleted event would be missed, and only those', async () => {
    const events = [1, 2, 3].map((days) => grantEvent({ occurredAt: at(days) }));
    const positions: Position[] = [await currentPosition(pool)];
    for (const event of events) {
      await write(pool, event);
      positions.push(await currentPosition(pool));
    }
    await deleteEventsBefore(pool, at(3), 100);
    const [before, afterFirst, afterSecond, afterThird] = positions;
    for (const expired of [before, afterFirst, origin]) {
      await expect(readEvents(pool, expired ?? origin, 10)).rejects.toThrow(CursorExpiredError);
    }
    expect((await readOn(afterSecond ?? origin)).ids).toStrictEqual([events[2]?.id]);
    expect((await readOn(afterThird ?? origin)).ids).toStrictEqual([]);
  });

  test('of everything leaves a position to start from', async () => {
    for (const days of [1, 2]) {
      await write(pool, grantEvent({ occurredAt: at(days) }));
      const atRest = (await readEvents(pool, await currentPosition(pool), 10)).position;
      await deleteEventsBefore(pool, at(9), 100);
      expect((await readOn(atRest)).ids).toStrictEqual([]);
      const next = grantEvent({ occurredAt: at(10) });
      const fresh = await currentPosition(pool);
      await write(pool, next);
      expect((await readOn(fresh)).ids).toStrictEqual([next.id]);
      expect((await readOn(atRest)).ids).toStrictEqual([next.id]);
    }
  });

  test('keeps events that an open transaction has yet to commit', async () => {
    const late = grantEvent({ occurredAt: at(1) });
    const slow = await begin(pool);
    await slow.append(late);
    await write(pool, grantEvent({ occurredAt: at(1) }));
    expect(await deleteEventsBefore(pool, at(5), 100)).toBe(0);
    const position = (await readEvents(pool, origin, 10)).position;
    await slow.commit();
    expect(includes(position, { txid: position.open[0]?.txid ?? 0n, seq: 1n })).toBe(false);
    expect((await readOn(position)).ids).toStrictEqual([late.id]);
  });

  test('of the events that a position covers leaves it valid, and a later loss is noticed', async () => {
    const [first, second] = [grantEvent({ occurredAt: at(1) }), grantEvent({ occurredAt: at(3) })];
    const start = await currentPosition(pool);
    await write(pool, first);
    const one = (await readEvents(pool, start, 10)).position;
    await write(pool, second);
    // Covers both events, of which one is deleted.
    const both = (await readEvents(pool, one, 10)).position;
    await deleteEventsBefore(pool, at(2), 100);
    expect((await readOn(asResumed(both))).ids).toStrictEqual([]);
    const fresh = await currentPosition(pool);
    await pool.query('DELETE FROM events WHERE id = $1', [second.id]);
    await expect(readEvents(pool, asResumed(fresh), 10)).rejects.toThrow(HistoryReplacedError);
  });
});

describe('a dump, restored where transactions have lower numbers,', () => {
  /** Events as a dump contains them: numbered by a database that was far ahead of this one. */
  async function restore(events: readonly EventEnvelope[]): Promise<void> {
    await write(pool, ...events);
    await asRestored(pool, `UPDATE events SET txid = txid + 1000000 WHERE id = ANY($1)`, [
      events.map(({ id }) => id),
    ]);
  }

  test('loses its events, and every earlier position becomes invalid', async () => {
    await write(pool, grantEvent());
    const native = await currentPosition(pool);
    await restore([grantEvent(), grantEvent()]);
    const foreign = await currentPosition(pool);
    expect(await deleteForeignEvents(pool)).toBe(2);
    expect(await deleteForeignEvents(pool)).toBe(0);
    for (const earlier of [native, foreign, origin]) {
      await expect(readEvents(pool, asResumed(earlier), 10)).rejects.toThrow(HistoryReplacedError);
    }
    const start = await currentPosition(pool);
    const next = grantEvent();
    await write(pool, next);
    expect((await readOn(asResumed(start))).ids).toStrictEqual([next.id]);
  });

  test('invalidates positions whose transactions this database has reached since', async () => {
    await write(pool, grantEvent());
    const last = await currentPosition(pool);
    await asRestored(pool, 'UPDATE events SET txid = txid + 3');
    const foreign = { ...last, next: last.next + 3n, checksum: undefined };
    expect(await deleteForeignEvents(pool)).toBe(1);
    for (let count = 0; count < 6; count += 1) await write(pool, grantEvent());
    const { next, open } = foreign;
    const checksum = { late: [], from: next - 1n, to: next, except: open, value: 1n };
    await expect(readEvents(pool, { next, open, checksum }, 10)).rejects.toThrow(HistoryReplacedError);
  });

  test('loses its mark of deleted events, too', async () => {
    await restore([grantEvent({ occurredAt: at(1) })]);
    await pool.query(
      `INSERT INTO events (id, type, occurred_at, payload)
       SELECT '00000000-0000-7000-8000-000000000000', 'KEPT_FROM', now(),
              jsonb_build_object('kind', 'retention', 'keptFrom', (txid + 1)::text) FROM events`,
    );
    await asRestored(pool, 'UPDATE events SET txid = txid + 1000000');
    expect(await deleteForeignEvents(pool)).toBe(1);
    const start = await currentPosition(pool);
    const next = grantEvent();
    await write(pool, next);
    expect((await readOn(start)).ids).toStrictEqual([next.id]);
  });
});
