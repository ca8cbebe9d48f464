import type { Delivery } from '../../events/subscriber.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { streamEvents } from '../subscriptions/event-stream.ts';
import { type GrantEvent, grantEvents } from '../subscriptions/grant-events.ts';
import { grantSnapshot } from '../subscriptions/grant-snapshot.ts';
import { Grant } from './grant.ts';
import { ResumableEvent, resolveDelivery, startArguments, typesAtBeginning } from './resumable-event.ts';

const GrantEventType = builder.enumType('GrantEventType', {
  description: 'The type of an event of a grant.',
  values: enumValues<GrantEvent['type']>({
    ...typesAtBeginning('grant'),
    REQUESTED: 'Access was requested. The customer decides next.',
    AWAITING_GUARD: 'The customer approved. A Guard admin decides next.',
    WAIT_SHORTENED:
      "The request waits for less time than before: its site's policy was tightened. `approvalDueAt` is earlier.",
    APPROVAL_LAPSED:
      "The customer's approval has lapsed before the Guard admin's decision: the person who gave it may no longer grant. The customer decides next.",
    ACTIVATED: 'The engineer has received access.',
    DENIED: 'The customer or a Guard admin denied the request.',
    WITHDRAWN:
      'The request was taken back, or its ticket, site or product was closed, deactivated or unlicensed.',
    EXPIRED: 'Nobody decided before `approvalDueAt`.',
    REVOKED: 'Access has ended: it was revoked, or the ticket was closed.',
    ENDED:
      'Access has ended: its time ran out, it was released, or its site or product was deactivated or unlicensed.',
    REASSIGNED: 'The grant has passed to another engineer, or to nobody.',
  }),
});

const GrantEventRef = builder.objectRef<Delivery<GrantEvent>>('GrantEvent').implement({
  description:
    'An event of a grant. The events of one grant are delivered in the order in which they happened.',
  interfaces: [ResumableEvent],
  fields: (t) => ({
    type: t.field({
      type: GrantEventType,
      viewerIndependent: true,
      description: 'What happened to the grant.',
      resolve: ({ event }) => event.type,
    }),
    grant: t.field({
      type: Grant,
      nullable: true,
      viewerIndependent: true,
      ofTheEventItself: true,
      description:
        'The grant as it was right after the event; null for `STARTED` and `CURRENT_COMPLETE`. `viewerMay`, its ticket and other objects around it are as they are now. An engineer who has lost the ticket since sees it, its site and its product as they were then.',
      resolve: ({ event }, _, context, info) => {
        const content = 'kind' in event ? event : event.content;
        return content === undefined ? null : grantSnapshot(content.grant, event, context, info);
      },
    }),
    openGrants: t.int({
      nullable: true,
      viewerIndependent: true,
      description:
        'For `CURRENT_COMPLETE`, how many grants the current state had: any other grant that the client holds is no longer open. Null for all other types.',
      resolve: ({ event }) => ('kind' in event ? null : (event.stateSize ?? null)),
    }),
  }),
});

const GrantEventFilter = builder.inputType('GrantEventFilter', {
  description: 'Selects events. All the conditions given must hold.',
  fields: (t) => ({
    siteId: t.id({ description: 'Only events of grants on this site.' }).validate(optionalGlobalId('Site')),
    ticketId: t
      .id({ description: 'Only events of grants of this ticket.' })
      .validate(optionalGlobalId('Ticket')),
    types: t
      .field({
        type: [GrantEventType],
        description: `Only events of these types, after \`STARTED\`; at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof GrantEventType.$inferType>()),
  }),
});

builder.subscriptionField('grantEvents', (t) =>
  t.field({
    type: GrantEventRef,
    description:
      'The events of grants: of the tickets of an engineer; of the tickets that a user filed and the sites that their roles cover; of the organizations that a service account watches. Each event is delivered at least once, and in order for each grant. The first event is always `STARTED`: a client that loses its connection resumes from its cursor and misses nothing.',
    authScopes: { operation: 'grantEvents' },
    args: {
      filter: t.arg({
        type: GrantEventFilter,
        description: 'Which events. Default: all that the viewer may receive.',
      }),
      ...startArguments,
    },
    subscribe: (_, { filter, after, withCurrentState }, context) =>
      streamEvents(grantEvents, context, filter ?? {}, { after: after ?? null, withCurrentState }),
    resolve: resolveDelivery,
  }),
);
