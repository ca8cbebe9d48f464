import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInProcessBus } from '../../src/events/in-process-bus.ts';
import type { GrantEventEnvelope } from '../../src/events/kinds/grant.ts';
import { origin, type Position } from '../../src/events/position.ts';
import { newId } from '../../src/platform/ids.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { bySize } from '../support/size.ts';
import { grantEvent } from './events.ts';
import { begin, type Gateway, idsOf, listener, openGateway, openPool, write } from './gateway.ts';

const eventCount = Number(process.env['TEST_EVENTS'] ?? bySize(1_500, 100_000));
const writerCount = 16;

let database: TestDatabase;
let pool: pg.Pool;
let gateways: Gateway[];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = openPool(database.url, writerCount);
  const bus = createInProcessBus();
  gateways = await Promise.all(
    [0, 50].map((recentEvents) =>
      openGateway(database.url, {
        bus: bus.connect(),
        recentEvents,
        pageSize: 100,
        queueLength: 50,
      }),
    ),
  );
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.dispose()));
  await pool.end();
  await database.dispose();
});

/** Holds callers back: once more than `held` wait, each new one releases a random one of them; until it is opened. */
function createTurnstile(held: number) {
  const waiting: (() => void)[] = [];
  let isOpen = false;
  return {
    async pass(): Promise<void> {
      if (isOpen) return;
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length > held) waiting.splice(Math.floor(Math.random() * waiting.length), 1)[0]?.();
      });
    },
    open() {
      isOpen = true;
      for (const go of waiting.splice(0)) go();
    },
  };
}

test(
  `16 writers that commit in random order, readers that disconnect and resume: ${eventCount} events, each once`,
  async () => {
    const start = gateways[0]?.relay.position() ?? origin;
    const turnstile = createTurnstile(writerCount / 2);
    /** Committed events per grant, in order. */
    const committed = new Map<string, string[]>();
    let written = 0;

    async function writeOn(): Promise<void> {
      const grantId = newId();
      const ids: string[] = [];
      committed.set(grantId, ids);
      while (written < eventCount) {
        const events = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () =>
          grantEvent({ grantId }),
        );
        written += events.length;
        const writer = await begin(pool);
        await writer.append(...events);
        await turnstile.pass();
        if (Math.random() < 0.1) {
          written -= events.length;
          await writer.rollback();
        } else {
          await writer.commit();
          ids.push(...events.map(({ id }) => id));
          gateways[Math.floor(Math.random() * 2)]?.relay.wake();
        }
      }
      turnstile.open();
    }

    /** The last event. */
    const last = grantEvent();

    /** Reads at one gateway, then at the other, from the last position it received, until the last event. */
    async function readOn(): Promise<GrantEventEnvelope[]> {
      const received: GrantEventEnvelope[] = [];
      let after: Position = start;
      for (;;) {
        const gateway = gateways[Math.floor(Math.random() * 2)];
        const subscribed = gateway?.feed.subscribe(listener({ after }));
        for (let left = Math.floor(Math.random() * 200); left > 0; left -= 1) {
          const next = await subscribed?.next();
          if (next === undefined || next.done) throw new Error('The subscription ended');
          if (next.value.event.id === last.id) return received;
          received.push(next.value.event);
          after = next.value.position;
        }
        await subscribed?.return?.();
      }
    }

    const readers = [readOn(), readOn()];
    await Promise.all(Array.from({ length: writerCount }, writeOn));
    await write(pool, last);
    gateways[0]?.relay.wake();
    const ids = [...committed.values()].flat().toSorted();
    for (const received of await Promise.all(readers)) {
      expect(idsOf(received).toSorted()).toStrictEqual(ids);
      for (const [grantId, expected] of committed) {
        expect(idsOf(received.filter((event) => event.grantId === grantId))).toStrictEqual(expected);
      }
    }
  },
  300_000 + eventCount * 10,
);
