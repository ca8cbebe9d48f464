/** A well-behaved subscriber next to clients that misbehave: it must receive every event once. */
import { EventEmitter, once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'vitest';
import { withDeadline } from '../../src/platform/deadline.ts';
import { generousMs } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { done, type World } from '../support/world.ts';

export type Bystander = {
  /**
   * Writes events while the work runs, at least five, and expects the bystander to receive each of them
   * once. Returns the work's result.
   */
  during<Result>(work: () => Promise<Result>): Promise<Result>;
};

/** Milliseconds between two events while the work goes on: a stream of them, and not all that a machine can write. */
const pause = 25;

const tookTooLong = () => new Error(`The work beside the bystander did not finish within ${generousMs} ms.`);

/** Subscribes as an account that may receive every event; resolves once the subscription has started. */
export async function startBystander(gateway: TestGateway, world: World): Promise<Bystander> {
  const watcher = await gateway.as(world.services.watching);
  const reporter = await gateway.as(world.acme.emails.reporter);
  const productId = world.acme.sites.main.products.jira;
  const received: string[] = [];
  const changes = new EventEmitter<{ change: [] }>();
  let end: unknown;

  const ended = (how: unknown) => {
    end = how;
    changes.emit('change');
  };
  watcher.socket().subscribe<{ grantEvents: { id: string } }>(
    { query: 'subscription { grantEvents { id } }' },
    {
      next: ({ data, errors }) => {
        if (data == null) return ended(errors);
        received.push(data.grantEvents.id);
        changes.emit('change');
      },
      error: ended,
      complete: () => ended('completed'),
    },
  );

  async function until(what: () => string | null): Promise<void> {
    const late = AbortSignal.timeout(generousMs);
    for (let missing = what(); missing !== null; missing = what()) {
      if (end !== undefined) throw new Error(`The bystander's subscription ended: ${JSON.stringify(end)}`);
      await once(changes, 'change', { signal: late }).catch(() => {
        throw new Error(`The bystander did not receive ${missing}.`);
      });
    }
  }

  async function written(): Promise<string[]> {
    const { rows } = await gateway.sql.query<{ id: string }>(
      `SELECT id FROM events WHERE payload->>'kind' = 'grant'`,
    );
    return rows.map(({ id }) => id);
  }

  // From here on nothing may be missed.
  await until(() => (received.length > 0 ? null : 'the start of its subscription'));

  return {
    async during(work) {
      const before = new Set(await written());
      let isOver = false;
      const working = withDeadline(work(), generousMs, tookTooLong).finally(() => {
        isOver = true;
      });
      working.catch(() => undefined);
      for (let events = 0; !isOver || events < 5; events += 1) {
        await done(reporter, 'createTicket', { productId, summary: 'Meanwhile', grantDataAccess: false });
        if (!isOver) await Promise.race([wait(pause), working.catch(() => undefined)]);
      }
      const expected = (await written()).filter((id) => !before.has(id));
      await until(() => {
        const missing = expected.filter((id) => !received.includes(id)).length;
        return missing === 0 ? null : `${missing} of the ${expected.length} events written meanwhile`;
      });
      const receivedSince = received.filter((id) => expected.includes(id));
      expect(receivedSince.length, 'events that the bystander received, each once').toBe(expected.length);
      return await working;
    },
  };
}
