import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EventEnvelope } from '../../src/events/envelope.ts';
import {
  AccessEndedError,
  CursorExpiredError,
  FeedClosedError,
  FeedUnavailableError,
  HistoryReplacedError,
} from '../../src/events/errors.ts';
import { createInProcessBus } from '../../src/events/in-process-bus.ts';
import type { GrantEventEnvelope } from '../../src/events/kinds/grant.ts';
import { type AppendedEvents, deleteEventsBefore } from '../../src/events/outbox.ts';
import { origin } from '../../src/events/position.ts';
import { newId } from '../../src/platform/ids.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { eventually } from '../support/eventually.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/postgres.ts';
import { asRestored } from '../support/restored.ts';
import { bySize } from '../support/size.ts';
import { accessChanged, grantEvent } from './events.ts';
import {
  begin,
  type Delivery,
  type Gateway,
  idsOf,
  type Listener,
  listener,
  openGateway,
  openPool,
  type Subscribed,
  take,
  type Writer,
  write,
} from './gateway.ts';

let database: OwnPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  database = await startOwnPostgres();
  pool = openPool(database.url, 20);
});
afterAll(async () => {
  await pool.end();
  await database.dispose();
});

const open: Gateway[] = [];
async function gateway(options: Parameters<typeof openGateway>[1] = {}): Promise<Gateway> {
  const opened = await openGateway(database.url, options);
  open.push(opened);
  return opened;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.dispose()));
});

/** Writes events in a transaction of their own each, and wakes the gateway. */
async function tell({ relay }: Gateway, ...events: EventEnvelope[]): Promise<void> {
  for (const event of events) await write(pool, event);
  relay.wake();
}

const nothing = { subscriptions: 0, viewers: 0, live: 0, queued: 0, topicEntries: 0 };

const some = (count: number, facts: Partial<GrantEventEnvelope> = {}): GrantEventEnvelope[] =>
  Array.from({ length: count }, () => grantEvent(facts));

/** Writes an event, and returns everything that is received before it. */
async function untilNow(at: Gateway, subscribed: Subscribed): Promise<Delivery[]> {
  const mark = grantEvent();
  await tell(at, mark);
  const taken: Delivery[] = [];
  for (;;) {
    const [next] = await take(subscribed, 1);
    if (next === undefined || next.event.id === mark.id) return taken;
    taken.push(next);
  }
}

/** A subscription that has received an event from a gateway whose relay now waits for the next. */
async function subscribedAndWaiting(): Promise<{ at: Gateway; subscribed: Subscribed }> {
  const at = await gateway();
  const subscribed = at.feed.subscribe(listener());
  await eventually(() => expect(at.relay.stats().reads).toBe(1));
  await tell(at, grantEvent());
  await take(subscribed, 1);
  return { at, subscribed };
}

describe('a subscription', () => {
  test('receives, in order, what is committed after the call', async () => {
    const at = await gateway();
    await tell(at, grantEvent());
    await eventually(() => expect(at.relay.stats().events).toBe(1));
    const subscribed = at.feed.subscribe(listener());
    const events = some(5);
    await tell(at, ...events);
    const taken = await take(subscribed, 5);
    expect(taken.map(({ event }) => event)).toStrictEqual(events);
  });

  test('receives at once what is committed while an older transaction is open, and that transaction when it commits', async () => {
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    const slow = await begin(pool);
    const [late, prompt] = [grantEvent(), grantEvent()];
    await slow.append(late);
    await tell(at, prompt);
    const first = await take(subscribed, 1);
    expect(idsOf(first)).toStrictEqual([prompt.id]);
    await slow.commit();
    at.relay.wake();
    expect(idsOf(await take(subscribed, 1))).toStrictEqual([late.id]);
    // The position delivered while it was open does not include it.
    const resumed = at.feed.subscribe(listener({ after: first[0]?.position ?? origin }));
    expect(idsOf(await untilNow(at, resumed))).toStrictEqual([late.id]);
  });

  test('receives what is committed while the gateway is reading', async () => {
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    const next = subscribed.next();
    const read = at.holdRead();
    at.relay.wake();
    await read.held;
    const event = grantEvent();
    await tell(at, event);
    read.letGo();
    expect(await next).toMatchObject({ value: { event: { id: event.id } } });
  });

  test.each([
    ['from memory', { recentEvents: 1000 }],
    ['from the database', { recentEvents: 0, pageSize: 2 }],
    ['from the database, then from memory', { recentEvents: 3, pageSize: 2 }],
  ])('resumes after every event it received, %s', async (_where, options) => {
    const at = await gateway(options);
    const events = some(9);
    const subscribed = at.feed.subscribe(listener());
    await tell(at, ...events);
    const taken = await take(subscribed, events.length);
    for (const [index, { position }] of taken.entries()) {
      const resumed = at.feed.subscribe(listener({ after: position }));
      const missed = await take(resumed, events.length - index - 1);
      expect(idsOf(missed)).toStrictEqual(idsOf(events.slice(index + 1)));
      await resumed.return();
    }
    const resumed = at.feed.subscribe(listener({ after: taken[0]?.position ?? origin }));
    expect(idsOf(await untilNow(at, resumed))).toStrictEqual(idsOf(events.slice(1)));
  });

  test('receives what its gateway has committed without a read of the table', async () => {
    const { at, subscribed } = await subscribedAndWaiting();
    for (const event of some(3)) {
      at.relay.announce(await write(pool, event));
      const [next] = await take(subscribed, 1);
      expect(next?.event).toBe(event);
    }
    const together = some(2);
    at.relay.announce(await write(pool, ...together));
    const taken = await take(subscribed, 2);
    expect(taken.map(({ event }) => event)).toStrictEqual(together);
    expect(at.relay.stats().reads).toBe(2);
    // A resumption between two events of one transaction.
    const resumed = at.feed.subscribe(listener({ after: taken[0]?.position ?? origin }));
    expect(idsOf(await untilNow(at, resumed))).toStrictEqual([together[1]?.id]);
  });

  test('receives what another gateway committed before what its own gateway commits then', async () => {
    const { at, subscribed } = await subscribedAndWaiting();
    const [theirs, ours] = [grantEvent(), grantEvent()];
    await write(pool, theirs);
    at.relay.announce(await write(pool, ours));
    expect(idsOf(await take(subscribed, 2))).toStrictEqual([theirs.id, ours.id]);
    // Read before it is announced, it is received once.
    const late = grantEvent();
    const appended = await write(pool, late);
    at.relay.wake();
    expect(idsOf(await take(subscribed, 1))).toStrictEqual([late.id]);
    at.relay.announce(appended);
    expect(await untilNow(at, subscribed)).toStrictEqual([]);
  });

  test('ends when it resumes from another history, also where the gateway has read further than that', async () => {
    const before = await gateway();
    const [lost] = some(1);
    const subscribed = before.feed.subscribe(listener());
    await tell(before, grantEvent(), lost ?? grantEvent());
    const position = (await take(subscribed, 2)).at(-1)?.position ?? origin;
    await pool.query('DELETE FROM events WHERE id = $1', [lost?.id]);
    const after = await gateway();
    const live = after.feed.subscribe(listener());
    await tell(after, ...some(3));
    await take(live, 3);
    const resumed = after.feed.subscribe(listener({ after: position }));
    await expect(resumed.next()).rejects.toThrow(HistoryReplacedError);
    // So does one that stayed, as soon as its gateway reads again.
    before.relay.wake();
    await expect(subscribed.next()).rejects.toThrow(HistoryReplacedError);
  });

  test('ends when the database lacks an event read before, though not each read verifies that', async () => {
    const at = await gateway({ verifyInterval: 1_000 });
    const subscribed = at.feed.subscribe(listener());
    const [lost] = some(1);
    await tell(at, ...some(2), lost ?? grantEvent());
    await take(subscribed, 3);
    await pool.query('DELETE FROM events WHERE id = $1', [lost?.id]);
    const received = (async () => {
      for (;;) await take(subscribed, 1);
    })();
    received.catch(() => undefined);
    await write(pool, ...some(600));
    at.relay.wake();
    await expect(received).rejects.toThrow(HistoryReplacedError);
  });

  test('ends when an event before one that was passed on without a read is missing', async () => {
    const { at, subscribed } = await subscribedAndWaiting();
    const [lost, own] = [grantEvent(), grantEvent()];
    at.relay.announce(await write(pool, lost));
    await take(subscribed, 1);
    const appended = await write(pool, own);
    await pool.query('DELETE FROM events WHERE id = $1', [lost.id]);
    at.relay.announce(appended);
    const [delivered] = await take(subscribed, 1);
    expect(delivered?.event.id).toBe(own.id);
    const resumed = (await gateway()).feed.subscribe(listener({ after: delivered?.position ?? origin }));
    await expect(resumed.next()).rejects.toThrow(HistoryReplacedError);
    at.relay.wake();
    await expect(subscribed.next()).rejects.toThrow(HistoryReplacedError);
  });

  test('ends when an event that was passed on without a read is missing; its position covers few other events', async () => {
    const { at, subscribed } = await subscribedAndWaiting();
    await tell(at, ...some(50));
    await take(subscribed, 50);
    const spans: bigint[] = [];
    for (const event of some(5)) {
      const { reads } = at.relay.stats();
      at.relay.wake();
      await eventually(() => expect(at.relay.stats().reads).toBe(reads + 1));
      at.relay.announce(await write(pool, event));
      const [delivered] = await take(subscribed, 1);
      const { from, to } = delivered?.position.checksum ?? { from: 0n, to: 1000n };
      spans.push(to - from);
    }
    // The first one, and what was read before it; then what was passed on since the last read but one.
    expect(spans).toEqual([expect.any(BigInt), 2n, 2n, 2n, 2n]);
    const own = grantEvent();
    at.relay.announce(await write(pool, own));
    await take(subscribed, 1);
    await pool.query('DELETE FROM events WHERE id = $1', [own.id]);
    at.relay.wake();
    await expect(subscribed.next()).rejects.toThrow(HistoryReplacedError);
  });

  test('resumes from memory, without a read, after an event that the gateway has read itself', async () => {
    await pool.query('DELETE FROM events');
    const at = await gateway();
    const events = some(120);
    const subscribed = at.feed.subscribe(listener());
    await tell(at, ...events);
    const taken = await take(subscribed, events.length);
    const read = vi.spyOn(at.relay, 'read');
    const resumed = at.feed.subscribe(listener({ after: taken[110]?.position ?? origin }));
    expect(idsOf(await take(resumed, 9))).toStrictEqual(idsOf(events.slice(111)));
    expect(read).not.toHaveBeenCalled();
  });

  test('resumes at a gateway that has read less than the previous one', async () => {
    const [one, other] = [await gateway(), await gateway()];
    const subscribed = one.feed.subscribe(listener());
    const [known, next] = [some(3), some(2)];
    await tell(one, ...known);
    const last = (await take(subscribed, 3)).at(-1);
    const resumed = other.feed.subscribe(listener({ after: last?.position ?? origin }));
    // The other gateway is woken only now.
    await tell(other, ...next);
    expect(idsOf(await take(resumed, 2))).toStrictEqual(idsOf(next));
    expect(await untilNow(other, resumed)).toStrictEqual([]);
  });

  test('rejects a position after which events were deleted, and one of another history', async () => {
    const at = await gateway({ recentEvents: 0 });
    const subscribed = at.feed.subscribe(listener());
    await tell(at, ...some(3, { occurredAt: new Date('2020-01-01T00:00:00Z') }));
    const [first, , third] = await take(subscribed, 3);
    await eventually(() => expect(at.relay.stats().events).toBe(3));
    await deleteEventsBefore(pool, new Date('2021-01-01T00:00:00Z'), 100);
    const expired = at.feed.subscribe(listener({ after: first?.position ?? origin }));
    await expect(expired.next()).rejects.toThrow(CursorExpiredError);
    expect(await expired.next()).toStrictEqual({ done: true, value: undefined });
    const whole = at.feed.subscribe(listener({ after: third?.position ?? origin }));
    expect(await untilNow(at, whole)).toStrictEqual([]);
    const foreign = at.feed.subscribe(listener({ after: { next: 2n ** 60n, open: [] } }));
    await expect(foreign.next()).rejects.toThrow(HistoryReplacedError);
  });

  test('receives new events in a database restored from a dump, whose old events have higher transaction numbers', async () => {
    const rows = await asRestored<{ id: string }>(
      pool,
      `INSERT INTO events (id, organization_id, txid, seq, type, occurred_at, payload)
       SELECT gen_random_uuid(), '${vendorOrganizationId}', 1e12 + n, n, 'REVOKED', now(), '{"kind": "grant"}' FROM generate_series(1, 3) AS n
       RETURNING id`,
    );
    expect(rows).toHaveLength(3);
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    expect(await untilNow(at, subscribed)).toStrictEqual([]);
    const left = await pool.query('SELECT id FROM events WHERE id = ANY($1)', [rows.map(({ id }) => id)]);
    expect(left.rows).toStrictEqual([]);
    expect(at.relay.stats().unreadable).toBe(0);
  });

  test('skips unreadable events, and counts them', async () => {
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    await pool.query(`
      INSERT INTO events (id, type, occurred_at, payload)
      VALUES (gen_random_uuid(), 'STARTED', now(), '{"kind": "session"}'),
             (gen_random_uuid(), 'REVOKED', now(), '{"kind": "grant"}'), (gen_random_uuid(), '?', now(), 'null')`);
    expect(await untilNow(at, subscribed)).toStrictEqual([]);
    expect(at.relay.stats().unreadable).toBe(3);
  });

  test('in any order of commits: delivers each event once, each grant in order, and resumes at every position', async () => {
    const grants = ['a', 'b', 'c'].map(() => newId());
    /** A writer holds its grant from begin to end, as commands do. */
    const step = fc.record({
      grant: fc.nat({ max: 2 }),
      act: fc.constantFrom<('append' | 'commit' | 'announce' | 'rollback' | 'wake')[]>(
        'append',
        'append',
        'commit',
        'announce',
        'announce',
        'rollback',
        'wake',
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 60 }),
        fc.constantFrom(0, 3, 1000),
        fc.constantFrom(0, 600_000),
        async (steps, recentEvents, verifyInterval) => {
          const options = { recentEvents, verifyInterval, pageSize: 3, queueLength: 4 };
          const at = await openGateway(database.url, options);
          try {
            const subscribed = at.feed.subscribe(listener());
            type Writing = {
              writer: Writer;
              events: GrantEventEnvelope[];
              appended: (AppendedEvents | null)[];
            };
            const writers = new Map<number, Writing>();
            const committed: GrantEventEnvelope[] = [];
            const close = async (grant: number, act: 'commit' | 'announce' | 'rollback'): Promise<void> => {
              const writing = writers.get(grant);
              writers.delete(grant);
              await writing?.writer[act === 'rollback' ? 'rollback' : 'commit']();
              if (act !== 'rollback') committed.push(...(writing?.events ?? []));
              const [appended = null, ...further] = writing?.appended ?? [];
              // What a gateway announces was appended by one statement.
              if (act === 'announce' && further.length === 0) at.relay.announce(appended);
            };
            for (const { grant, act } of steps) {
              if (act === 'wake') at.relay.wake();
              else if (act !== 'append') await close(grant, act);
              else {
                const writing = writers.get(grant) ?? {
                  writer: await begin(pool),
                  events: [],
                  appended: [],
                };
                writers.set(grant, writing);
                const event = grantEvent({ grantId: grants[grant] ?? '' });
                writing.appended.push(await writing.writer.append(event));
                writing.events.push(event);
              }
            }
            for (const grant of [...writers.keys()]) await close(grant, 'commit');

            const taken = await untilNow(at, subscribed);
            expect(idsOf(taken).toSorted()).toStrictEqual(idsOf(committed).toSorted());
            for (const grantId of grants) {
              const ofGrant = (events: readonly GrantEventEnvelope[]) =>
                idsOf(events.filter((event) => event.grantId === grantId));
              expect(ofGrant(taken.map(({ event }) => event))).toStrictEqual(ofGrant(committed));
            }
            for (const [index, { position }] of taken.entries()) {
              const resumed = at.feed.subscribe(listener({ after: position }));
              const missed = await take(resumed, taken.length - index - 1);
              expect(idsOf(missed).toSorted()).toStrictEqual(idsOf(taken.slice(index + 1)).toSorted());
              await resumed.return();
            }
          } finally {
            await at.dispose();
          }
        },
      ),
      { numRuns: bySize(8, 100) },
    );
  });
});

describe('authorization', () => {
  test('is checked for every event, replayed or live, in order', async () => {
    const at = await gateway();
    const [replayed, live] = [some(3), some(3)];
    const start = at.relay.position();
    await tell(at, ...replayed);
    const asked: string[] = [];
    const refused = new Set([replayed[1]?.id, live[0]?.id]);
    const subscribed = at.feed.subscribe(
      listener({
        after: start ?? origin,
        mayReceive: ({ id }) => {
          asked.push(id);
          return !refused.has(id);
        },
      }),
    );
    const first = await take(subscribed, 2);
    await tell(at, ...live);
    const second = await take(subscribed, 2);
    const received = [...replayed, ...live].filter(({ id }) => !refused.has(id));
    expect(idsOf([...first, ...second])).toStrictEqual(idsOf(received));
    expect(asked).toStrictEqual(idsOf([...replayed, ...live]));
  });

  test('loads rights before the first event, and again when they change', async () => {
    const at = await gateway();
    const viewerId = newId();
    const site = newId();
    let granted = false;
    let sites: string[] = [];
    const recheck = async () => {
      const asOfNow = granted;
      await new Promise(setImmediate);
      sites = asOfNow ? [site] : [];
      return null;
    };
    const subscribed = at.feed.subscribe(
      listener({
        viewerId,
        recheck,
        mayReceive: ({ audience }) => sites.includes(audience.siteId),
        topics: () => sites.map((id) => `site:${id}` as const),
      }),
    );
    const onSite = () => grantEvent({ audience: { ...grantEvent().audience, siteId: site } });
    const next = subscribed.next();
    await tell(at, onSite());
    await eventually(() => expect(at.relay.stats().events).toBe(1));
    granted = true;
    const received = onSite();
    // In one commit: the right, and an event that it permits.
    await write(pool, accessChanged(viewerId), received);
    at.relay.wake();
    expect(await next).toMatchObject({ value: { event: { id: received.id } } });
    granted = false;
    await tell(at, accessChanged(viewerId), onSite(), accessChanged(newId()));
    await eventually(() => expect([at.relay.stats().events, sites]).toStrictEqual([6, []]));
    granted = true;
    const again = onSite();
    await tell(at, accessChanged(viewerId), again);
    expect(idsOf(await take(subscribed, 1))).toStrictEqual([again.id]);
  });

  test('delivers nothing by outdated rights, not even queued events', async () => {
    const at = await gateway();
    const viewerId = newId();
    let mayReceive = true;
    let asked = 0;
    const subscribed = at.feed.subscribe(
      listener({
        viewerId,
        mayReceive: () => {
          asked += 1;
          return mayReceive;
        },
      }),
    );
    const events = some(5);
    await tell(at, ...events);
    await take(subscribed, 1);
    await eventually(() => expect(at.feed.stats().queued).toBe(4));
    mayReceive = false;
    await tell(at, accessChanged(viewerId));
    await eventually(() => expect(at.relay.stats().events).toBe(6));
    const next = subscribed.next();
    // All four are checked again after the change.
    await eventually(() => expect(asked).toBe(5));
    mayReceive = true;
    const later = grantEvent();
    await tell(at, later);
    expect(idsOf([(await next).value ?? grantEvent()])).toStrictEqual([later.id]);
  });

  test('ends the subscription at once with the reason, whether or not the client is waiting for an event', async () => {
    const at = await gateway();
    const viewerId = newId();
    let reason: string | null = null;
    const recheck = async () => reason;
    const asking = at.feed.subscribe(listener({ viewerId, recheck }));
    const next = asking.next();
    const silent = at.feed.subscribe(listener({ viewerId, recheck }));
    const other = at.feed.subscribe(listener());
    await eventually(() => expect(at.feed.stats().live).toBe(1));
    reason = 'DEACTIVATED';
    const unreceived = grantEvent();
    await write(pool, accessChanged(viewerId));
    await tell(at, unreceived);
    await expect(next).rejects.toMatchObject({ code: 'ACCESS_ENDED', reason: 'DEACTIVATED' });
    await expect(silent.next()).rejects.toThrow(AccessEndedError);
    expect(await silent.next()).toStrictEqual({ done: true, value: undefined });
    expect(idsOf(await take(other, 1))).toStrictEqual([unreceived.id]);
    expect(at.feed.stats()).toMatchObject({ subscriptions: 1 });
  });

  test('judges an event by the new rights if both became visible together', async () => {
    const at = await gateway();
    const viewerId = newId();
    let reason: string | null = null;
    const subscribed = at.feed.subscribe(listener({ viewerId, recheck: async () => reason }));
    const next = subscribed.next();
    await eventually(() => expect(at.feed.stats().live).toBe(1));
    reason = 'DEACTIVATED';
    await write(pool, grantEvent(), accessChanged(viewerId));
    at.relay.wake();
    await expect(next).rejects.toThrow(AccessEndedError);
  });

  test('applies a change that a subscriber reads before the relay does', async () => {
    const at = await gateway({ recentEvents: 0 });
    const viewerId = newId();
    const subscribed = at.feed.subscribe(listener());
    await tell(at, ...some(2));
    const [first] = await take(subscribed, 2);
    // A subscriber reads the database only for what is before the relay's position.
    await eventually(() => expect(at.relay.stats().events).toBe(2));
    const relayReads = at.holdRead();
    at.relay.wake();
    await relayReads.held;
    await write(pool, accessChanged(viewerId), grantEvent());
    const rights = vi.fn().mockResolvedValueOnce(null).mockResolvedValue('DEACTIVATED');
    const resumed = at.feed.subscribe(
      listener({ viewerId, recheck: rights, after: first?.position ?? origin }),
    );
    await expect(take(resumed, 2)).rejects.toThrow(AccessEndedError);
    expect(rights).toHaveBeenCalledTimes(2);
    relayReads.letGo();
  });

  test('notices a change while rights are being loaded', async () => {
    const at = await gateway();
    const viewerId = newId();
    const gates: PromiseWithResolvers<null>[] = [];
    const load = () => {
      const gate = Promise.withResolvers<null>();
      gates.push(gate);
      return gate.promise;
    };
    const asked: string[] = [];
    const mayReceive = ({ id }: { id: string }) => asked.push(id) > 0;
    const subscribed = at.feed.subscribe(listener({ viewerId, recheck: load, mayReceive }));
    const next = subscribed.next();
    const event = grantEvent();
    await tell(at, accessChanged(viewerId), event);
    await eventually(() => expect(at.relay.stats().events).toBe(2));
    gates[0]?.resolve(null);
    await eventually(() => expect(gates).toHaveLength(2));
    expect(asked).toHaveLength(0);
    gates[1]?.resolve(null);
    expect(await next).toMatchObject({ value: { event: { id: event.id } } });
    expect(asked).toStrictEqual([event.id]);
  });

  test('retries to load rights, and ends the subscription if it fails for too long', async () => {
    const [at, impatient] = [await gateway(), await gateway({ outage: 300 })];
    const failure = new Error('out of reach');
    const recheck = vi.fn().mockRejectedValueOnce(failure).mockResolvedValue(null);
    const patient = at.feed.subscribe(listener({ recheck }));
    const event = grantEvent();
    await tell(at, event);
    expect(idsOf(await take(patient, 1))).toStrictEqual([event.id]);
    expect(recheck).toHaveBeenCalledTimes(2);
    const hopeless = impatient.feed.subscribe(listener({ recheck: () => Promise.reject(failure) }));
    const silent = impatient.feed.subscribe(listener({ recheck: () => new Promise(() => undefined) }));
    await expect(hopeless.next()).rejects.toThrow(FeedUnavailableError);
    await expect(silent.next()).rejects.toThrow(FeedUnavailableError);
  });

  test.each<[string, Partial<Listener>]>([
    ['mayReceive', { mayReceive: () => fail() }],
    ['matches', { matches: () => fail() }],
    ['topics', { topics: () => fail() }],
  ])('delivers nothing if %s throws, and affects no other subscription', async (_what, broken) => {
    const at = await gateway();
    const failing = at.feed.subscribe(listener(broken));
    const next = expect(failing.next()).rejects.toThrow('broken');
    const other = at.feed.subscribe(listener());
    const received = other.next();
    const event = grantEvent();
    await tell(at, event);
    await next;
    expect(await received).toMatchObject({ value: { event: { id: event.id } } });
    expect(at.feed.stats().subscriptions).toBe(1);
  });

  test('topics and filter exclude events, replayed or live', async () => {
    const at = await gateway();
    const start = at.relay.position() ?? origin;
    const engineer = newId();
    const mine = (type: GrantEventEnvelope['type']) =>
      grantEvent({ type, audience: { ...grantEvent().audience, engineerIds: [engineer] } });
    const [first, second] = [mine('ACTIVATED'), mine('ACTIVATED')];
    await tell(at, grantEvent(), first, mine('DENIED'));
    const asked: string[] = [];
    const subscribed = at.feed.subscribe(
      listener({
        after: start,
        topics: () => [`engineer:${engineer}`],
        matches: ({ type }) => type === 'ACTIVATED',
        mayReceive: ({ id }) => asked.push(id) > 0,
      }),
    );
    await take(subscribed, 1);
    const next = subscribed.next();
    await tell(at, grantEvent(), mine('DENIED'), second);
    await next;
    expect(asked).toStrictEqual([first.id, second.id]);
  });
});

function fail(): never {
  throw new Error('broken');
}

describe('a slow subscriber', () => {
  test.each([
    ['from memory', { recentEvents: 1000 }],
    ['from the database', { recentEvents: 20, pageSize: 10 }],
  ])('receives everything %s, with a queue that stays short', async (_where, options) => {
    const at = await gateway({ queueLength: 10, ...options });
    const subscribed = at.feed.subscribe(listener());
    const events = some(300);
    await tell(at, ...events.slice(0, 1));
    const taken = await take(subscribed, 1);
    await write(pool, ...events.slice(1));
    at.relay.wake();
    await eventually(() => expect(at.relay.stats().events).toBe(300));
    let longest = 0;
    while (taken.length < 300) {
      longest = Math.max(longest, at.feed.stats().queued);
      taken.push(...(await take(subscribed, 1)));
    }
    expect(idsOf(taken)).toStrictEqual(idsOf(events));
    expect(longest).toBeLessThanOrEqual(10);
    expect(await untilNow(at, subscribed)).toStrictEqual([]);
  });

  test('that has stopped reading has a short queue, does not affect others, and receives everything once it reads again', async () => {
    const at = await gateway({ queueLength: 10 });
    const stalled = at.feed.subscribe(listener());
    const others = Array.from({ length: 200 }, () => at.feed.subscribe(listener()));
    const events = some(50);
    const [first] = events;
    if (first !== undefined) await tell(at, first);
    await take(stalled, 1);
    const received = others.map((other) => take(other, events.length));
    await tell(at, ...events.slice(1));
    for (const each of await Promise.all(received)) expect(idsOf(each)).toStrictEqual(idsOf(events));
    expect(at.feed.stats()).toMatchObject({ queued: 10, subscriptions: 201 });
    expect(idsOf(await take(stalled, 49))).toStrictEqual(idsOf(events.slice(1)));
    expect(at.feed.stats().queued).toBe(0);
  });

  test('receives the end of a grant first, and a resumption from there misses nothing', async () => {
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    const grantId = newId();
    const [a, b] = some(2);
    const [asked, revoked] = [grantEvent({ grantId }), grantEvent({ grantId, type: 'REVOKED' })];
    const [opening] = some(1);
    if (a === undefined || b === undefined || opening === undefined) throw new Error('too few');
    await tell(at, opening);
    await take(subscribed, 1);
    await tell(at, a, asked, b, revoked);
    await eventually(() => expect(at.feed.stats().queued).toBe(4));
    const taken = await take(subscribed, 4);
    expect(idsOf(taken)).toStrictEqual([asked.id, revoked.id, a.id, b.id]);
    const received = new Set<string>();
    for (const { event, position } of taken) {
      received.add(event.id);
      const resumed = at.feed.subscribe(listener({ after: position }));
      const again = idsOf(await untilNow(at, resumed));
      for (const id of idsOf([a, asked, b, revoked])) {
        if (!received.has(id)) expect(again).toContain(id);
      }
      await resumed.return();
    }
  });
});

describe('a subscriber that events are pushed to', () => {
  test('receives them, replayed and live, each when its previous promise has settled', async () => {
    const at = await gateway();
    const start = at.relay.position() ?? origin;
    const events = some(6);
    await tell(at, ...events.slice(0, 3));
    const taken: Delivery[] = [];
    const gate = Promise.withResolvers<void>();
    const end = at.feed.push(listener({ after: start }), {
      onEvent(delivery) {
        taken.push(delivery);
        return taken.length === 2 ? gate.promise : undefined;
      },
      onEnd: (error) => expect(error).toBeUndefined(),
    });
    await eventually(() => expect(taken).toHaveLength(2));
    await tell(at, ...events.slice(3));
    await eventually(() => expect(at.relay.stats().events).toBe(6));
    expect(taken).toHaveLength(2);
    gate.resolve();
    await eventually(() => expect(idsOf(taken)).toStrictEqual(idsOf(events)));
    end();
    await tell(at, grantEvent());
    await eventually(() => expect(at.relay.stats().events).toBe(7));
    expect(taken).toHaveLength(6);
  });

  test('is notified of the end at once and once, with the error unless it has ended it', async () => {
    const at = await gateway();
    const ends: unknown[][] = [];
    const [end] = ['left', 'closed', 'broken'].map((name) =>
      at.feed.push(listener(), {
        onEvent: () => (name === 'broken' ? Promise.reject(new Error('broken')) : undefined),
        onEnd: (error) => ends.push([name, error?.message]),
      }),
    );
    end?.();
    expect(ends).toStrictEqual([['left', undefined]]);
    await tell(at, grantEvent());
    await eventually(() => expect(ends.slice(1)).toStrictEqual([['broken', 'broken']]));
    at.feed.dispose();
    expect(ends.slice(2)).toStrictEqual([['closed', new FeedClosedError().message]]);
  });
});

/** Writes an event and deletes it as expired, before the gateway can read it. */
async function expireUnread(at: Gateway): Promise<void> {
  const read = at.holdRead();
  at.relay.wake();
  await read.held;
  await write(pool, grantEvent({ occurredAt: new Date('2020-01-01T00:00:00Z') }));
  await deleteEventsBefore(pool, new Date('2021-01-01T00:00:00Z'), 100);
  at.relay.wake();
  read.letGo();
}

describe('the end', () => {
  test('by `return` is immediate, for a pending `next`, too', async () => {
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    const pending = [subscribed.next(), subscribed.next()];
    await subscribed.return();
    expect(await Promise.all(pending)).toStrictEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    expect(await subscribed.next()).toStrictEqual({ done: true, value: undefined });
    expect(at.feed.stats()).toStrictEqual(nothing);
  });

  test('by `dispose` ends all subscriptions, and later ones', async () => {
    const at = await gateway();
    const [asking, silent] = [at.feed.subscribe(listener()), at.feed.subscribe(listener())];
    const next = asking.next();
    at.feed.dispose();
    await expect(next).rejects.toThrow(FeedClosedError);
    await expect(silent.next()).rejects.toThrow(FeedClosedError);
    await expect(at.feed.subscribe(listener()).next()).rejects.toThrow(FeedClosedError);
    expect(at.feed.stats().subscriptions).toBe(0);
    expect(at.relay.stats().listeners).toBe(0);
  });

  const cycles = bySize(150, 500);
  test(`leaves nothing in memory, ${cycles} times over`, async () => {
    const at = await gateway();
    const events = some(2);
    await tell(at, ...events);
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    await eventually(() => expect(at.relay.stats().events).toBe(2));
    const before = timers();
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const viewerId = newId();
      const subscribed = at.feed.subscribe(
        listener({ viewerId, topics: () => [`engineer:${viewerId}`, `site:${cycle}`] }),
      );
      const next = subscribed.next();
      if (cycle % 3 === 0) await eventually(() => expect(at.feed.stats().live).toBe(1));
      if (cycle % 5 === 0) at.relay.wake();
      await subscribed.return();
      expect(await next).toStrictEqual({ done: true, value: undefined });
    }
    expect(at.feed.stats()).toStrictEqual(nothing);
    expect(at.relay.stats().listeners).toBe(1);
    // Waiting by a timer would count itself.
    const deadline = performance.now() + 60_000;
    while (timers() > before && performance.now() < deadline) await nextTurn();
    expect(timers()).toBeLessThanOrEqual(before);
  });

  test('comes when events were deleted before the gateway could read them; then it starts again', async () => {
    const at = await gateway();
    const subscribed = at.feed.subscribe(listener());
    const next = subscribed.next();
    await eventually(() => expect(at.feed.stats().live).toBe(1));
    await expireUnread(at);
    await expect(next).rejects.toThrow(HistoryReplacedError);
    await at.relay.ready();
    const restarted = at.feed.subscribe(listener());
    expect(await untilNow(at, restarted)).toStrictEqual([]);
  });

  test('is followed by subscriptions that continue from their start, even before that position is known', async () => {
    const at = await gateway();
    const lost = at.feed.subscribe(listener()).next();
    await eventually(() => expect(at.feed.stats().live).toBe(1));
    await expireUnread(at);
    await expect(lost).rejects.toThrow(HistoryReplacedError);
    expect(at.relay.position()).toBeUndefined();
    const subscribed = at.feed.subscribe(listener({ after: await at.relay.now() }));
    const next = subscribed.next();
    await eventually(() => expect(at.feed.stats().live).toBe(1));
    const [passed, urgent] = [grantEvent(), grantEvent({ type: 'REVOKED' })];
    await write(pool, passed, urgent);
    at.relay.wake();
    const { value } = await next;
    expect(value?.event.id).toBe(urgent.id);
    // After that position, the other one is still delivered, and nothing older.
    const resumed = at.feed.subscribe(listener({ after: value?.position ?? origin }));
    expect(idsOf(await take(resumed, 2))).toContain(passed.id);
    expect(value?.position).not.toStrictEqual(origin);
  });
});

describe('two gateways in one process', () => {
  test('wake each other', async () => {
    const bus = createInProcessBus();
    const [one, other] = [await gateway({ bus: bus.connect() }), await gateway({ bus: bus.connect() })];
    const subscribed = other.feed.subscribe(listener());
    const next = subscribed.next();
    const event = grantEvent();
    await tell(one, event);
    expect(await next).toMatchObject({ value: { event: { id: event.id } } });
    await one.dispose();
    await other.dispose();
    open.length = 0;
    expect(bus.size).toBe(0);
  });
});
