/** What the subscriptions to events have in common: the fields of an event, its types at the beginning, the arguments. */
import type { Delivery } from '../../events/subscriber.ts';
import { builder } from '../builder.ts';
import { type Context, clearReadCaches } from '../context.ts';

export const ResumableEvent = builder
  .interfaceRef<Delivery<{ id: string; occurredAt: Date }>>('ResumableEvent')
  .implement({
    description:
      'An event of a subscription, after which the subscription can be resumed. `docs/events.md` is the contract.',
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
      occurredAt: t.field({
        type: 'DateTime',
        viewerIndependent: true,
        description:
          'The time of the event. For `CURRENT`, the time at which its object was read; for `STARTED` and `CURRENT_COMPLETE`, the present.',
        resolve: ({ event }) => event.occurredAt,
      }),
    }),
  });

/** The types of the events at the beginning of a subscription, and what they say. */
export function typesAtBeginning(subject: 'grant' | 'session' | 'change request', field: string = subject) {
  return {
    STARTED: `No event of a ${subject}: the subscription has started. Always delivered first, whatever \`filter\` says. Its \`${field}\` is null.`,
    CURRENT: `No event: the ${subject} as it is at the start of a subscription with \`withCurrentState\`.`,
    CURRENT_COMPLETE: `No event of a ${subject}: every open ${subject} has been delivered as \`CURRENT\`. Its \`${field}\` is null. Left out, with the current state, if \`filter.types\` excludes \`CURRENT\`.`,
  };
}

/** Where a subscription starts. */
export const startArguments = builder.args((t) => ({
  after: t.string({
    description:
      'The `cursor` of the last event received: the subscription continues with the event after it. Default: it starts now.',
  }),
  withCurrentState: t.boolean({
    required: true,
    defaultValue: false,
    description:
      'Whether a subscription without `after` starts with what is open, as events of type `CURRENT`, followed by `CURRENT_COMPLETE`.',
  }),
}));

/** Resolves the subscription field for each event: with what is read for it, not for the event before. */
export function resolveDelivery<Event>(delivery: Event, _: unknown, context: Context): Event {
  clearReadCaches(context);
  return delivery;
}
