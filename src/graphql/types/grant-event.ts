import { mayHear, topicsFor } from '../../authorization/hearing.ts';
import { may } from '../../authorization/operations.ts';
import { relationsToPlatform } from '../../authorization/relations.ts';
import type { GrantEventEnvelope } from '../../events/envelope.ts';
import type { GrantRow } from '../../grants/row.ts';
import { findViewerById } from '../../identity/viewer.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { described } from '../described.ts';
import { optionalGlobalId } from '../input.ts';
import { Grant, rowAsItWas } from './grant.ts';

const GrantEventType = builder.enumType('GrantEventType', {
  description: 'What happened to a grant.',
  values: described<GrantEventEnvelope['type']>({
    REQUESTED: 'It was asked for; the customer decides.',
    AWAITING_GUARD: 'The customer approved; a Guard admin decides.',
    ACTIVATED: 'The engineer has access from now on.',
    DENIED: 'The customer or a Guard admin said no.',
    WITHDRAWN: 'The request was taken back, or what it was about went first.',
    EXPIRED: 'Nobody decided in time.',
    REVOKED: 'Access is over: taken away, or the ticket closed.',
    ENDED: 'Access is over: its time, its use, its site or its licence ended.',
    REASSIGNED: 'Another engineer has it from now on, or nobody.',
  }),
});

type GrantEvent = { event: GrantEventEnvelope; cursor: string };

const GrantEventRef = builder.objectRef<GrantEvent>('GrantEvent').implement({
  description:
    'Something happened to a grant. The events of one grant come in the order in which they happened.',
  fields: (t) => ({
    id: t.id({
      description: 'The same wherever and however often the event is delivered: what tells a repetition.',
      resolve: ({ event }) => event.id,
    }),
    cursor: t.string({
      description:
        'Give it as `after` to get everything that came after. Good for this account and this filter.',
      resolve: ({ cursor }) => cursor,
    }),
    type: t.field({
      type: GrantEventType,
      description: 'What happened.',
      resolve: ({ event }) => event.type,
    }),
    occurredAt: t.field({ type: 'DateTime', description: 'When.', resolve: ({ event }) => event.occurredAt }),
    grant: t.field({
      type: Grant,
      description: 'The grant as it was right after the event.',
      resolve: ({ event }): GrantRow => rowAsItWas(event.grant),
    }),
  }),
});

const GrantEventFilter = builder.inputType('GrantEventFilter', {
  description: 'Which events; everything given must hold.',
  fields: (t) => ({
    siteId: t.id({ description: 'On this site.' }).validate(optionalGlobalId('Site')),
    ticketId: t.id({ description: 'On this ticket.' }).validate(optionalGlobalId('Ticket')),
    types: t.field({ type: [GrantEventType], description: 'Of one of these types.' }),
  }),
});

builder.subscriptionField('grantEvents', (t) =>
  t.field({
    type: GrantEventRef,
    description:
      'What happens to grants: for an engineer on their tickets, for a user on their own tickets and on the sites their roles reach, for a service account wherever it watches.',
    authScopes: { operation: 'grantEvents' },
    args: {
      filter: t.arg({ type: GrantEventFilter, description: 'Which of them.' }),
      after: t.arg.string({ description: 'The last `cursor` received: everything after it comes first.' }),
    },
    subscribe: (_, { filter, after }, context) => grantEvents(context, filter ?? {}, after ?? null),
    resolve: (event) => event,
  }),
);

type Filter = {
  siteId?: string | null | undefined;
  ticketId?: string | null | undefined;
  types?: readonly string[] | null | undefined;
};

/** Begins with this call, and ends at once when it is returned, even while an event is awaited. */
function grantEvents(
  context: Context,
  filter: Filter,
  after: string | null,
): AsyncIterableIterator<GrantEvent> {
  const { feed, cursors, database } = context.services;
  let viewer = viewerOf(context);
  const { siteId, ticketId, types } = filter;
  const cursor = cursors({ viewerId: viewer.id, stream: 'grantEvents', filter });
  const deliveries = feed.subscribe({
    viewerId: viewer.id,
    recheck: async () => {
      const now = await findViewerById(database.prisma, viewer.id);
      if (now === null) return 'ACCOUNT_DEACTIVATED';
      viewer = now;
      return may('grantEvents', relationsToPlatform(now)) ? null : 'NO_LONGER_ALLOWED';
    },
    topics: () => topicsFor(viewer),
    mayHear: ({ audience }) => mayHear(viewer, audience),
    matches: (event) =>
      (siteId == null || event.audience.siteId === siteId) &&
      (ticketId == null || event.ticketId === ticketId) &&
      (types == null || types.includes(event.type)),
    ...(after === null ? {} : { after: cursor.decode(after) }),
  });

  const iterator: AsyncIterableIterator<GrantEvent> = {
    async next() {
      const { value, done } = await deliveries.next();
      if (done === true) return { value: undefined, done };
      return { value: { event: value.event, cursor: cursor.encode(value.position) }, done: false };
    },
    async return() {
      await deliveries.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
