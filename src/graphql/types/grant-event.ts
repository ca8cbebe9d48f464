import { builder } from '../builder.ts';
import { readAnew } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { optionalGlobalId } from '../input.ts';
import { type GrantEvent, type GrantEventPayload, grantEvents } from '../subscriptions/grant-events.ts';
import { grantSnapshot } from '../subscriptions/grant-snapshot.ts';
import { Grant } from './grant.ts';

const GrantEventType = builder.enumType('GrantEventType', {
  description: 'What happened to a grant.',
  values: enumValues<GrantEventPayload['type']>({
    CURRENT: 'Nothing happened: this is how it stands. Only at the beginning, if asked for.',
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

const GrantEventRef = builder.objectRef<GrantEvent>('GrantEvent').implement({
  description:
    'Something happened to a grant. The events of one grant come in the order in which they happened.',
  fields: (t) => ({
    id: t.id({
      viewerIndependent: true,
      description: 'The same wherever and however often the event is delivered: what tells a repetition.',
      resolve: ({ payload }) => payload.id,
    }),
    cursor: t.exposeString('cursor', {
      viewerIndependent: true,
      description:
        'Give it as `after` to get everything that came after. Good for this account and this filter.',
    }),
    type: t.field({
      type: GrantEventType,
      viewerIndependent: true,
      description: 'What happened.',
      resolve: ({ payload }) => payload.type,
    }),
    occurredAt: t.field({
      type: 'DateTime',
      viewerIndependent: true,
      description: 'When.',
      resolve: ({ payload }) => payload.occurredAt,
    }),
    grant: t.field({
      type: Grant,
      viewerIndependent: true,
      ofTheEventItself: true,
      description: 'The grant as it was right after the event.',
      resolve: ({ payload }, _, context, info) =>
        grantSnapshot(payload.grant, payload.occurredAt, context, info),
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
      withCurrentState: t.arg.boolean({
        required: true,
        defaultValue: false,
        description: 'Without `after`: the open grants come first, as events of type `CURRENT`.',
      }),
    },
    subscribe: (_, { filter, after, withCurrentState }, context) =>
      grantEvents(context, filter ?? {}, { after: after ?? null, withCurrentState }),
    resolve: (event, _, context) => {
      readAnew(context);
      return event;
    },
  }),
);
