/** Concurrent writers of events, whose transactions stay open for random times. */
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { EventAudience } from '../../src/events/audience.ts';
import type { Draw } from '../api/tenancy-documents.ts';
import { grantEvent } from '../events/events.ts';
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

export type WrittenGrant = { id: string; ticketId: string; audience: EventAudience };

const types = ['REQUESTED', 'ACTIVATED', 'REVOKED', 'REASSIGNED'] as const;
/** Events of one transaction that all overtake others. */
const stormLength = 60;

/**
 * Writes events until the budget ends. Each grant has one writer, so that its events are committed in order. Resolves
 * with the ids of the committed events.
 * @param wake called after every commit
 * @param storms of a hundred transactions, how many are a storm of urgent events
 */
export async function writeEvents(options: {
  pool: pg.Pool;
  grants: readonly WrittenGrant[];
  writers: number;
  budget: EventBudget;
  draw: Draw;
  wake: () => void;
  storms?: number;
}): Promise<string[]> {
  const { pool, grants, writers, budget, draw, wake, storms = 0 } = options;
  const written: string[] = [];

  async function writeOn(own: readonly WrittenGrant[]): Promise<void> {
    let versions = new Map<string, number>();
    for (;;) {
      const isStorm = draw.chance(storms);
      const count = isStorm ? stormLength : 1 + draw.below(3);
      if (!(await budget.begin(count))) return;
      const next = new Map(versions);
      const events = Array.from({ length: count }, () => {
        const { id, ticketId, audience } = draw.pick(own);
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
      versions = next;
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
