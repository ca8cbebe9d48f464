import type { Delivery } from '../../events/subscriber.ts';
import { builder } from '../builder.ts';
import { clearReadCaches } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import type { GrantEvent } from '../subscriptions/grant-event.ts';
import { grantEvents } from '../subscriptions/grant-events.ts';
import { grantSnapshot } from '../subscriptions/grant-snapshot.ts';
import { Grant } from './grant.ts';

const GrantEventType = builder.enumType('GrantEventType', {
  description: 'The type of an event of a grant.',
  values: enumValues<GrantEvent['type']>({
    STARTED:
      'No event of a grant: the subscription has started. Always delivered first, whatever `filter` says. Its `grant` is null.',
    CURRENT: 'No event: the grant as it is at the start of a subscription with `withCurrentState`.',
    CURRENT_COMPLETE:
      'No event of a grant: every open grant has been delivered as `CURRENT`. Its `grant` is null. Left out, with the current state, if `filter.types` excludes `CURRENT`.',
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
  fields: (t) => ({
    id: t.id({
      viewerIndependent: true,
      description: 'Identifies the event. A repeated delivery has the same id.',
      resolve: ({ event }) => event.id,
    }),
    cursor: t.exposeString('cursor', {
      viewerIndependent: true,
      description:
        'The position of this event: a subscription with it as `after` continues with the next event. Before `CURRENT_COMPLETE`, it leads to the whole current state again. Valid for the same account and the same filter.',
    }),
    type: t.field({
      type: GrantEventType,
      viewerIndependent: true,
      description: 'What happened to the grant.',
      resolve: ({ event }) => event.type,
    }),
    occurredAt: t.field({
      type: 'DateTime',
      viewerIndependent: true,
      description:
        'The time of the event. For `CURRENT`, the time at which the grant was read; for `STARTED` and `CURRENT_COMPLETE`, the present.',
      resolve: ({ event }) => event.occurredAt,
    }),
    grant: t.field({
      type: Grant,
      nullable: true,
      viewerIndependent: true,
      ofTheEventItself: true,
      description:
        'The grant as it was right after the event; null for `STARTED` and `CURRENT_COMPLETE`. `viewerMay`, its ticket and other objects around it are as they are now. An engineer who has lost the ticket since sees it, its site and its product as they were then.',
      resolve: ({ event }, _, context, info) =>
        event.grant === null ? null : grantSnapshot(event.grant, event, context, info),
    }),
    openGrants: t.int({
      nullable: true,
      viewerIndependent: true,
      description:
        'For `CURRENT_COMPLETE`, how many grants the current state had: any other grant that the client holds is no longer open. Null for all other types.',
      resolve: ({ event }) => event.openGrants ?? null,
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
      after: t.arg.string({
        description:
          'The `cursor` of the last event received: the subscription continues with the event after it. Default: it starts now.',
      }),
      withCurrentState: t.arg.boolean({
        required: true,
        defaultValue: false,
        description:
          'Whether a subscription without `after` starts with the open grants, as events of type `CURRENT`, followed by `CURRENT_COMPLETE`.',
      }),
    },
    subscribe: (_, { filter, after, withCurrentState }, context) =>
      grantEvents(context, filter ?? {}, { after: after ?? null, withCurrentState }),
    resolve: (delivery, _, context) => {
      clearReadCaches(context);
      return delivery;
    },
  }),
);
