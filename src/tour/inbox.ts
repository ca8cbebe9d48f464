import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import {
  WatchChangeRequestsDocument,
  type WatchChangeRequestsSubscription,
  WatchGrantsDocument,
  type WatchGrantsSubscription,
} from '../../schema/generated/operations.ts';
import { UnmetExpectationError } from './expectations.ts';
import type { Person } from './person.ts';

type GrantPayload = WatchGrantsSubscription['grantEvents'];
type ChangePayload = WatchChangeRequestsSubscription['changeRequestEvents'];

/** An event of a grant, not the end of a current state. */
export type GrantEvent = GrantPayload & { grant: NonNullable<GrantPayload['grant']> };

/** An event of a change request, likewise. */
export type ChangeEvent = ChangePayload & { changeRequest: NonNullable<ChangePayload['changeRequest']> };

/** An event, and when it was received, by `performance.now()`. */
export type ReceivedEvent<Event = GrantEvent> = { event: Event; at: number };

/** The events that a person has received since the inbox was opened. */
export type Inbox<Event extends { type: string } = GrantEvent> = {
  readonly player: Person;
  /**
   * Removes and returns the first event of this type about the ticket; waits for it when there is none yet.
   * @throws UnmetExpectationError when it is not received in time.
   */
  receive(type: Event['type'], ticketId: string): Promise<ReceivedEvent<Event>>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** How long to wait for an event, in milliseconds. */
const eventDeadlineMs = 30_000;

/** Subscribes the person to grant events; resolves when the subscription has started. */
export function openInbox(player: Person): Promise<Inbox> {
  return subscribe(player, {
    document: WatchGrantsDocument,
    eventOf: ({ grantEvents }) => grantEvents,
    hasHappened: (event): event is GrantEvent => event.grant !== null,
    ticketOf: ({ grant }) => grant.ticket.id,
  });
}

/** Subscribes the person to the events of change requests; resolves when the subscription has started. */
export function openChangeInbox(player: Person): Promise<Inbox<ChangeEvent>> {
  return subscribe(player, {
    document: WatchChangeRequestsDocument,
    eventOf: ({ changeRequestEvents }) => changeRequestEvents,
    hasHappened: (event): event is ChangeEvent => event.changeRequest !== null,
    ticketOf: ({ changeRequest }) => changeRequest.ticket.id,
  });
}

type Payload = { readonly id: string; readonly cursor: string; readonly type: string };

type Source<Result, Received extends Payload, Event extends Received> = {
  document: TypedDocumentNode<Result, { after?: string | null }>;
  eventOf(result: Result): Received;
  hasHappened(event: Received): event is Event;
  ticketOf(event: Event): string;
};

async function subscribe<Result, Received extends Payload, Event extends Received>(
  player: Person,
  { document, eventOf, hasHappened, ticketOf }: Source<Result, Received, Event>,
): Promise<Inbox<Event>> {
  const events = player.client.subscribeWithResume({
    ...{ document, eventOf },
    giveUpAfterMs: eventDeadlineMs,
  });
  const received: ReceivedEvent<Event>[] = [];
  let arrival = Promise.withResolvers<void>();
  const collecting = (async () => {
    for await (const event of events) {
      if (!hasHappened(event)) continue;
      received.push({ event, at: performance.now() });
      arrival.resolve();
      arrival = Promise.withResolvers();
    }
  })();
  // A failure of the subscription rejects the wait for the next event.
  collecting.catch((error: unknown) => arrival.reject(error));
  arrival.promise.catch(() => undefined);
  await events.started;

  const typesAbout = (ticketId: string) =>
    received.filter(({ event }) => ticketOf(event) === ticketId).map(({ event }) => event.type);
  return {
    player,
    async receive(type, ticketId) {
      const deadline = Promise.withResolvers<'LATE'>();
      const timer = setTimeout(() => deadline.resolve('LATE'), eventDeadlineMs);
      try {
        for (;;) {
          const index = received.findIndex(
            ({ event }) => event.type === type && ticketOf(event) === ticketId,
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
