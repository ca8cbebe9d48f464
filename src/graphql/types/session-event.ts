import type { Delivery } from '../../events/subscriber.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { streamEvents } from '../subscriptions/event-stream.ts';
import { type SessionEvent, sessionEvents } from '../subscriptions/session-events.ts';
import { sessionSnapshot } from '../subscriptions/session-snapshot.ts';
import { ResumableEvent, resolveDelivery, startArguments, typesAtBeginning } from './resumable-event.ts';
import { SupportSession } from './support-session.ts';

const SessionEventType = builder.enumType('SessionEventType', {
  description: 'The type of an event of a support session.',
  values: enumValues<SessionEvent['type']>({
    ...typesAtBeginning('session'),
    SESSION_STARTED:
      "The engineer has started to use a grant: the session's `reason` and `note` say what for.",
    SESSION_ENDED: 'The session is over: `endReason` says why.',
  }),
});

const SessionEventRef = builder.objectRef<Delivery<SessionEvent>>('SessionEvent').implement({
  description:
    'An event of a support session. The events of the sessions of one grant are delivered in the order in which they happened.',
  interfaces: [ResumableEvent],
  fields: (t) => ({
    type: t.field({
      type: SessionEventType,
      viewerIndependent: true,
      description: 'What happened to the session.',
      resolve: ({ event }) => event.type,
    }),
    session: t.field({
      type: SupportSession,
      nullable: true,
      viewerIndependent: true,
      ofTheEventItself: true,
      description:
        'The session as it was right after the event, with its grant of that moment; null for `STARTED` and `CURRENT_COMPLETE`. Other objects around it are as they are now. An engineer who has lost the ticket since sees it, its site and its product as they were then.',
      resolve: ({ event }, _, context, info) => {
        const content = 'kind' in event ? event : event.content;
        return content === undefined ? null : sessionSnapshot(content, event, context, info);
      },
    }),
    openSessions: t.int({
      nullable: true,
      viewerIndependent: true,
      description:
        'For `CURRENT_COMPLETE`, how many sessions the current state had: any other session that the client holds is over. Null for all other types.',
      resolve: ({ event }) => ('kind' in event ? null : (event.stateSize ?? null)),
    }),
  }),
});

const SessionEventFilter = builder.inputType('SessionEventFilter', {
  description: 'Selects events. All the conditions given must hold.',
  fields: (t) => ({
    siteId: t.id({ description: 'Only events of sessions on this site.' }).validate(optionalGlobalId('Site')),
    ticketId: t
      .id({ description: 'Only events of sessions of this ticket.' })
      .validate(optionalGlobalId('Ticket')),
    grantId: t
      .id({ description: 'Only events of sessions under this grant.' })
      .validate(optionalGlobalId('Grant')),
    types: t
      .field({
        type: [SessionEventType],
        description: `Only events of these types, after \`STARTED\`; at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof SessionEventType.$inferType>()),
  }),
});

builder.subscriptionField('sessionEvents', (t) =>
  t.field({
    type: SessionEventRef,
    description:
      'The events of support sessions: those of an engineer; on the tickets that a user filed and the sites that their roles cover; of the organizations that a service account watches. Delivered as those of `grantEvents`: each at least once, in order for each grant, and the first is always `STARTED`.',
    authScopes: { operation: 'sessionEvents' },
    args: {
      filter: t.arg({
        type: SessionEventFilter,
        description: 'Which events. Default: all that the viewer may receive.',
      }),
      ...startArguments,
    },
    subscribe: (_, { filter, after, withCurrentState }, context) =>
      streamEvents(sessionEvents, context, filter ?? {}, { after: after ?? null, withCurrentState }),
    resolve: resolveDelivery,
  }),
);
