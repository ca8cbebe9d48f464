import { WatchGrantsDocument, type WatchGrantsSubscription } from '../../schema/generated/operations.ts';
import { UnmetExpectationError } from './expectations.ts';
import type { Person } from './person.ts';

type ReceivedPayload = WatchGrantsSubscription['grantEvents'];

/** An event of a grant, not the end of a current state. */
export type GrantEvent = ReceivedPayload & { grant: NonNullable<ReceivedPayload['grant']> };

/** An event, and when it was received, by `performance.now()`. */
export type ReceivedEvent = { event: GrantEvent; at: number };

/** The grant events that a person has received since the inbox was opened. */
export type Inbox = {
  readonly player: Person;
  /**
   * Removes and returns the first event of this type about the ticket; waits for it when there is none yet.
   * @throws UnmetExpectationError when it is not received in time.
   */
  receive(type: GrantEvent['type'], ticketId: string): Promise<ReceivedEvent>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** How long to wait for an event, in milliseconds. */
const eventDeadlineMs = 30_000;

/** Subscribes the person to grant events; resolves when the subscription has started. */
export async function openInbox(player: Person): Promise<Inbox> {
  const events = player.client.subscribeWithResume({
    document: WatchGrantsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    giveUpAfterMs: eventDeadlineMs,
  });
  const received: ReceivedEvent[] = [];
  let arrival = Promise.withResolvers<void>();
  const collecting = (async () => {
    for await (const { grant, ...event } of events) {
      if (grant === null) continue;
      received.push({ event: { ...event, grant }, at: performance.now() });
      arrival.resolve();
      arrival = Promise.withResolvers();
    }
  })();
  // A failure of the subscription rejects the wait for the next event.
  collecting.catch((error: unknown) => arrival.reject(error));
  arrival.promise.catch(() => undefined);
  await events.started;

  const typesAbout = (ticketId: string) =>
    received.filter(({ event }) => event.grant.ticket.id === ticketId).map(({ event }) => event.type);
  return {
    player,
    async receive(type, ticketId) {
      const deadline = Promise.withResolvers<'LATE'>();
      const timer = setTimeout(() => deadline.resolve('LATE'), eventDeadlineMs);
      try {
        for (;;) {
          const index = received.findIndex(
            ({ event }) => event.type === type && event.grant.ticket.id === ticketId,
          );
          const [found] = index === -1 ? [] : received.splice(index, 1);
          if (found !== undefined) return found;
          if ((await Promise.race([arrival.promise, deadline.promise])) === 'LATE') {
            throw new UnmetExpectationError(
              `${player.name} receives the event within ${eventDeadlineMs / 1_000} s`,
              type,
              typesAbout(ticketId),
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
