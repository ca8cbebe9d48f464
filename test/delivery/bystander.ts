/** A subscriber that behaves, beside whatever others do: it must hear everything, once. */
import { EventEmitter, once } from 'node:events';
import { expect } from 'vitest';
import { withDeadline } from '../../src/platform/deadline.ts';
import type { TestGateway } from '../support/gateway.ts';
import { done, fileTicket, type World } from '../support/world.ts';

export type Bystander = {
  /**
   * Has events written for as long as the work takes, five at least, and expects every one of them to arrive,
   * once. Answers what the work answers.
   */
  during<Result>(work: () => Promise<Result>): Promise<Result>;
};

/** Milliseconds for the last event to arrive, and for what happens beside. */
const patience = 10_000;
const longestWork = 20_000;

const tookTooLong = () =>
  new Error(`What happened beside the bystander was not over after ${longestWork} ms.`);

/** Somebody who hears of every grant, already listening. */
export async function startBystander(gateway: TestGateway, world: World): Promise<Bystander> {
  const watcher = await gateway.as(world.services.watching);
  const reporter = await gateway.as(world.acme.emails.reporter);
  const productId = world.acme.sites.main.products.jira;
  const heard: string[] = [];
  const changes = new EventEmitter<{ change: [] }>();
  let end: unknown;

  const { grantId } = await fileTicket(gateway, world);
  const ended = (how: unknown) => {
    end = how;
    changes.emit('change');
  };
  watcher.socket().subscribe<{ grantEvents: { id: string } }>(
    { query: 'subscription { grantEvents(withCurrentState: true) { id } }' },
    {
      next: ({ data, errors }) => {
        if (data == null) return ended(errors);
        heard.push(data.grantEvents.id);
        changes.emit('change');
      },
      error: ended,
      complete: () => ended('completed'),
    },
  );

  async function until(what: () => string | null): Promise<void> {
    const late = AbortSignal.timeout(patience);
    for (let missing = what(); missing !== null; missing = what()) {
      if (end !== undefined) throw new Error(`The bystander's subscription ended: ${JSON.stringify(end)}`);
      await once(changes, 'change', { signal: late }).catch(() => {
        throw new Error(`The bystander did not hear ${missing}.`);
      });
    }
  }

  async function written(): Promise<string[]> {
    const { rows } = await gateway.sql.query<{ id: string }>(
      `SELECT id FROM events WHERE payload->>'kind' = 'grant'`,
    );
    return rows.map(({ id }) => id);
  }

  // The state comes after the position from which events go on: from here on nothing may be missed.
  await until(() => (heard.length > 0 ? null : `of grant ${grantId} as it stands`));

  return {
    async during(work) {
      const before = new Set(await written());
      let isOver = false;
      const working = withDeadline(work(), longestWork, tookTooLong).finally(() => {
        isOver = true;
      });
      working.catch(() => undefined);
      for (let events = 0; !isOver || events < 5; events += 1)
        await done(reporter, 'createTicket', { productId, summary: 'Meanwhile', grantDataAccess: false });
      const expected = (await written()).filter((id) => !before.has(id));
      await until(() => {
        const missing = expected.filter((id) => !heard.includes(id)).length;
        return missing === 0 ? null : `${missing} of the ${expected.length} events written meanwhile`;
      });
      const heardSince = heard.filter((id) => expected.includes(id));
      expect(heardSince.length, 'events that the bystander heard, each once').toBe(expected.length);
      return await working;
    },
  };
}
