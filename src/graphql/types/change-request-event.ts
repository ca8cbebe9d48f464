import type { Delivery } from '../../events/subscriber.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { type ChangeRequestEvent, changeRequestEvents } from '../subscriptions/change-request-events.ts';
import { changeRequestSnapshot } from '../subscriptions/change-request-snapshot.ts';
import { streamEvents } from '../subscriptions/event-stream.ts';
import { ChangeRequest } from './change-request.ts';
import { ResumableEvent, resolveDelivery, startArguments, typesAtBeginning } from './resumable-event.ts';

const ChangeRequestEventType = builder.enumType('ChangeRequestEventType', {
  description: 'The type of an event of a change request.',
  values: enumValues<ChangeRequestEvent['type']>({
    ...typesAtBeginning('change request', 'changeRequest'),
    REQUESTED: 'The engineer asks for the change. The customer decides next.',
    CONSENTED: 'The customer consented. The change may be made, once, until `validUntil`.',
    BEGUN: "The product's backend was allowed to make the change. The engineer records what came of it next.",
    COMPLETED: 'The engineer has recorded what came of the change: `result` says it.',
    REFUSED: 'The customer refused the change, or took the consent back: `endReason` says which.',
    WITHDRAWN:
      'The engineer took it back, or its ticket was closed or got another engineer, its site was deactivated or its product unlicensed: `endReason` says which.',
    EXPIRED: 'It was not decided, or the change was not begun, before `validUntil`.',
  }),
});

const ChangeRequestEventRef = builder
  .objectRef<Delivery<ChangeRequestEvent>>('ChangeRequestEvent')
  .implement({
    description:
      'An event of a change request. The events of one change request are delivered in the order in which they happened.',
    interfaces: [ResumableEvent],
    fields: (t) => ({
      type: t.field({
        type: ChangeRequestEventType,
        viewerIndependent: true,
        description: 'What happened to the change request.',
        resolve: ({ event }) => event.type,
      }),
      changeRequest: t.field({
        type: ChangeRequest,
        nullable: true,
        viewerIndependent: true,
        ofTheEventItself: true,
        description:
          'The change request as it was right after the event; null for `STARTED` and `CURRENT_COMPLETE`. `viewerMay`, its ticket and other objects around it are as they are now. An engineer who has lost the ticket since sees it, its site and its product as they were then.',
        resolve: ({ event }, _, context, info) => {
          const content = 'kind' in event ? event : event.content;
          const then = 'kind' in event ? event : {};
          return content === undefined
            ? null
            : changeRequestSnapshot(content.changeRequest, then, context, info);
        },
      }),
      openChangeRequests: t.int({
        nullable: true,
        viewerIndependent: true,
        description:
          'For `CURRENT_COMPLETE`, how many change requests the current state had: any other change request that the client holds is over. Null for all other types.',
        resolve: ({ event }) => ('kind' in event ? null : (event.stateSize ?? null)),
      }),
    }),
  });

const ChangeRequestEventFilter = builder.inputType('ChangeRequestEventFilter', {
  description: 'Selects events. All the conditions given must hold.',
  fields: (t) => ({
    siteId: t
      .id({ description: 'Only events of change requests on this site.' })
      .validate(optionalGlobalId('Site')),
    ticketId: t
      .id({ description: 'Only events of change requests of this ticket.' })
      .validate(optionalGlobalId('Ticket')),
    types: t
      .field({
        type: [ChangeRequestEventType],
        description: `Only events of these types, after \`STARTED\`; at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof ChangeRequestEventType.$inferType>()),
  }),
});

builder.subscriptionField('changeRequestEvents', (t) =>
  t.field({
    type: ChangeRequestEventRef,
    description:
      'The events of change requests: of the tickets of an engineer; of the tickets that a user filed and the sites that their roles cover; of the organizations that a service account watches. Delivered as those of `grantEvents`: each at least once, in order for each change request, and the first is always `STARTED`.',
    authScopes: { operation: 'changeRequestEvents' },
    args: {
      filter: t.arg({
        type: ChangeRequestEventFilter,
        description: 'Which events. Default: all that the viewer may receive.',
      }),
      ...startArguments,
    },
    subscribe: (_, { filter, after, withCurrentState }, context) =>
      streamEvents(changeRequestEvents, context, filter ?? {}, { after: after ?? null, withCurrentState }),
    resolve: resolveDelivery,
  }),
);
