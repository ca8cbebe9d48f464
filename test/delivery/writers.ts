/** Concurrent writers of events, whose transactions stay open for random times. */
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { EventAudience } from '../../src/events/audience.ts';
import type { EventEnvelope } from '../../src/events/envelope.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Draw } from '../api/tenancy-documents.ts';
import { grantEvent, sessionEvents } from '../events/events.ts';
import { begin } from '../events/gateway.ts';

/** Limits the number of events that writers write: they wait until the test allows more. */
export type EventBudget = {
  allow(count: number): void;
  /** No more events may be written: pending calls of `begin` resolve with false. */
  end(): void;
  /** Resolves with true when the caller may write this many, with false after the end. */
  begin(count: number): Promise<boolean>;
  committed(count: number): void;
  rolledBack(count: number): void;
  hasCommitted(count: number): Promise<void>;
};

export function createEventBudget(): EventBudget {
  let allowed = 0;
  let reserved = 0;
  let committed = 0;
  let isOver = false;
  let change = Promise.withResolvers<void>();
  function notify(): void {
    change.resolve();
    change = Promise.withResolvers();
  }
  return {
    allow(count) {
      allowed += count;
      notify();
    },
    end() {
      isOver = true;
      notify();
    },
    async begin(count) {
      while (!isOver && reserved >= allowed) await change.promise;
      reserved += count;
      return !isOver;
    },
    committed(count) {
      committed += count;
      notify();
    },
    rolledBack(count) {
      reserved -= count;
      notify();
    },
    async hasCommitted(count) {
      while (committed < count) await change.promise;
    },
  };
}

/** A grant with a session under it. */
export type WrittenGrant = { id: string; ticketId: string; sessionId: string; audience: EventAudience };

const types = ['REQUESTED', 'ACTIVATED', 'REVOKED', 'REASSIGNED'] as const;
/** Events of one transaction that all overtake others. */
const stormLength = 60;

/**
 * The start of the session under the grant, or its end: the events take turns. Its note is the number of the event under
 * the grant.
 */
function sessionEvent({ id: grantId, ticketId, sessionId, audience }: WrittenGrant, number: number) {
  const [started, ended] = sessionEvents(audience);
  const { session, grant, ...event } = number % 2 === 1 ? started : ended;
  const on = { grantId, ticketId };
  return {
    // Recent: events older than 30 days are deleted.
    ...{ ...event, ...on, id: newId(), occurredAt: new Date() },
    ...{ grant: { ...grant, id: grantId, ticketId } },
    session: { ...session, ...on, id: sessionId, note: String(number) },
  };
}

/**
 * Writes events until the budget ends. Each grant has one writer, so that its events are committed in order. Resolves
 * with the ids of the committed events.
 * @param wake called after every commit
 * @param storms of a hundred transactions, how many are a storm of urgent events
 * @param ofSessions of a hundred other events, how many are those of sessions under the grants
 */
export async function writeEvents(options: {
  pool: pg.Pool;
  grants: readonly WrittenGrant[];
  writers: number;
  budget: EventBudget;
  draw: Draw;
  wake: () => void;
  storms?: number;
  ofSessions?: number;
}): Promise<string[]> {
  const { pool, grants, writers, budget, draw, wake, storms = 0, ofSessions = 0 } = options;
  const written: string[] = [];

  async function writeOn(own: readonly WrittenGrant[]): Promise<void> {
    let versions = new Map<string, number>();
    let numbers = new Map<string, number>();
    for (;;) {
      const isStorm = draw.chance(storms);
      const count = isStorm ? stormLength : 1 + draw.below(3);
      if (!(await budget.begin(count))) return;
      const next = new Map(versions);
      const nextNumbers = new Map(numbers);
      const events = Array.from({ length: count }, (): EventEnvelope => {
        const grant = draw.pick(own);
        const { id, ticketId, audience } = grant;
        if (!isStorm && draw.chance(ofSessions)) {
          const number = (nextNumbers.get(id) ?? 0) + 1;
          nextNumbers.set(id, number);
          return sessionEvent(grant, number);
        }
        // The grants have version 1.
        const grantVersion = (next.get(id) ?? 1) + 1;
        next.set(id, grantVersion);
        // Recent: events older than 30 days are deleted.
        const occurredAt = new Date();
        const type = isStorm ? 'REVOKED' : draw.pick(types);
        return grantEvent({ grantId: id, ticketId, audience, grantVersion, occurredAt, type });
      });
      const writer = await begin(pool);
      await writer.append(...events);
      // Random, so that transactions commit in another order than they began.
      await wait(draw.below(30));
      if (draw.chance(10)) {
        await writer.rollback();
        budget.rolledBack(count);
        continue;
      }
      await writer.commit();
      wake();
      [versions, numbers] = [next, nextNumbers];
      written.push(...events.map(({ id }) => id));
      budget.committed(count);
    }
  }

  await Promise.all(
    Array.from({ length: writers }, (_, writer) =>
      writeOn(grants.filter((_grant, index) => index % writers === writer)),
    ),
  );
  return written;
}
