/** Many who write events at once, each in transactions that stay open for as long as it comes. */
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { EventAudience } from '../../src/events/envelope.ts';
import type { Draw } from '../api/tenancy-documents.ts';
import { grantEvent } from '../events/events.ts';
import { begin } from '../events/gateway.ts';

/** Keeps writers in step with what else is done: they write what they are allowed to, and wait for more. */
export type EventBudget = {
  allow(count: number): void;
  /** Whoever waits is told that there is nothing more to write. */
  end(): void;
  /** Resolves when more may be written; false: nothing more is. */
  begin(count: number): Promise<boolean>;
  committed(count: number): void;
  rolledBack(count: number): void;
  hasCommitted(count: number): Promise<void>;
};

export function createEventBudget(): EventBudget {
  let allowed = 0;
  let begun = 0;
  let committed = 0;
  let isOver = false;
  let change = Promise.withResolvers<void>();
  function tell(): void {
    change.resolve();
    change = Promise.withResolvers();
  }
  return {
    allow(count) {
      allowed += count;
      tell();
    },
    end() {
      isOver = true;
      tell();
    },
    async begin(count) {
      while (!isOver && begun >= allowed) await change.promise;
      begun += count;
      return !isOver;
    },
    committed(count) {
      committed += count;
      tell();
    },
    rolledBack(count) {
      begun -= count;
      tell();
    },
    async hasCommitted(count) {
      while (committed < count) await change.promise;
    },
  };
}

export type WrittenGrant = { id: string; audience: EventAudience };

const types = ['REQUESTED', 'ACTIVATED', 'REVOKED', 'REASSIGNED'] as const;

/**
 * Writes events until the budget ends; each grant is one writer's alone, so that its events are committed in turn.
 * Resolves to the ids of what was committed.
 * @param wake called after every commit
 */
export async function writeEvents(options: {
  pool: pg.Pool;
  grants: readonly WrittenGrant[];
  writers: number;
  budget: EventBudget;
  draw: Draw;
  wake: () => void;
}): Promise<string[]> {
  const { pool, grants, writers, budget, draw, wake } = options;
  const written: string[] = [];

  async function writeOn(own: readonly WrittenGrant[]): Promise<void> {
    let versions = new Map<string, number>();
    for (;;) {
      const count = 1 + draw.below(3);
      if (!(await budget.begin(count))) return;
      const next = new Map(versions);
      const events = Array.from({ length: count }, () => {
        const { id, audience } = draw.pick(own);
        const grantVersion = (next.get(id) ?? 0) + 1;
        next.set(id, grantVersion);
        // Of today: what is older than 30 days is swept away.
        const occurredAt = new Date();
        return grantEvent({ grantId: id, audience, grantVersion, occurredAt, type: draw.pick(types) });
      });
      const writer = await begin(pool);
      await writer.append(...events);
      // For as long as it comes: transactions are committed in another order than they began.
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
