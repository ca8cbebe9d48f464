import { WatchGrantsDocument, type WatchGrantsSubscription } from '../../schema/generated/operations.ts';
import { UnmetExpectationError } from './expectations.ts';
import type { Player } from './player.ts';

export type GrantEvent = WatchGrantsSubscription['grantEvents'];

/** An event, and when it came by `performance.now()`. */
export type Heard = { event: GrantEvent; at: number };

/** What somebody hears of grants, collected from now on. */
export type Listener = {
  readonly player: Player;
  /**
   * The next event of this type about the ticket, heard or yet to come.
   * @throws UnmetExpectationError when it does not come in time.
   */
  hear(type: GrantEvent['type'], ticketId: string): Promise<Heard>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Milliseconds for an event to come. */
const eventDeadlineMs = 5_000;

export async function listen(player: Player): Promise<Listener> {
  const events = player.client.subscribeWithResume({
    document: WatchGrantsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    giveUpAfterMs: eventDeadlineMs,
  });
  const heard: Heard[] = [];
  let arrival = Promise.withResolvers<void>();
  const collecting = (async () => {
    for await (const event of events) {
      heard.push({ event, at: performance.now() });
      arrival.resolve();
      arrival = Promise.withResolvers();
    }
  })();
  // A subscription that fails is told to whoever waits for an event.
  collecting.catch((error: unknown) => arrival.reject(error));
  arrival.promise.catch(() => undefined);
  await events.connected;

  const unheard = (ticketId: string) =>
    heard.filter(({ event }) => event.grant.ticket.id === ticketId).map(({ event }) => event.type);
  return {
    player,
    async hear(type, ticketId) {
      const deadline = Promise.withResolvers<'LATE'>();
      const timer = setTimeout(() => deadline.resolve('LATE'), eventDeadlineMs);
      try {
        for (;;) {
          const index = heard.findIndex(
            ({ event }) => event.type === type && event.grant.ticket.id === ticketId,
          );
          const [found] = index === -1 ? [] : heard.splice(index, 1);
          if (found !== undefined) return found;
          if ((await Promise.race([arrival.promise, deadline.promise])) === 'LATE') {
            throw new UnmetExpectationError(
              `${player.name} hears of it within ${eventDeadlineMs / 1_000} s`,
              type,
              unheard(ticketId),
            );
          }
        }
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      await events.dispose();
      await collecting.catch(() => undefined);
    },
  };
}
