import type { Prisma } from '../../../prisma/generated/client/client.ts';
import { visibleInboundTicketEvents } from '../../authorization/visibility.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { byId, keysetConnection, nodesQuery } from '../keyset-connection.ts';
import { ServiceAccount } from './account.ts';

const InboundTicketEventType = builder.enumType('InboundTicketEventType', {
  description: 'What an event of a ticketing system reports: the `type` that it was sent with.',
  values: enumValues({
    CREATED: '`ticket.created`: a ticket was filed.',
    UPDATED: '`ticket.updated`: something of a ticket has changed.',
    ASSIGNED: '`ticket.assigned`: a ticket was given to an engineer, or to nobody.',
    STATUS_CHANGED: '`ticket.status_changed`: the status of a ticket has changed.',
    CLOSED: '`ticket.closed`: a ticket was closed.',
  }),
});

const InboundTicketEventState = builder.enumType('InboundTicketEventState', {
  description: 'What came of an event of a ticketing system.',
  values: enumValues({
    RECEIVED:
      'It is being applied, or the gateway stopped while it was. It is applied when it is sent again.',
    APPLIED: 'The ticket is as it says, or as a later event says.',
    WAITING: 'It is applied by itself once its ticket is filed, or reopened.',
    KEPT: 'It could not be applied, or not wholly: the `reason` says why. Replay it once that is gone.',
  }),
});

const reasons = {
  NO_TICKET_YET: 'The event that files its ticket has not come yet.',
  TICKET_CLOSED: 'The ticket is closed, so it is assigned once an event has reopened it.',
  SITE_UNKNOWN: 'There is no site with this URL, or the ticketing system does not serve it.',
  PRODUCT_UNKNOWN: 'The site has no product with this key.',
  REPORTER_NOT_A_MEMBER: "No active user of the site's organization has the reporter's address.",
  ENGINEER_UNKNOWN: "No active support engineer has the engineer's address.",
  REFUSED: 'A rule refuses it: `refusalCode` is the code, and the audit log has the refusal.',
} as const;

const InboundTicketEventReason = builder.enumType('InboundTicketEventReason', {
  description: 'Why an event of a ticketing system was not applied, or not wholly.',
  values: enumValues(reasons),
});

export const InboundTicketEvent = builder.prismaNode('InboundTicketEvent', {
  description: 'A signed event that a ticketing system has sent, kept for 30 days, and what came of it.',
  id: { field: 'id', description: 'The global id: opaque, and unique in the whole schema.' },
  fields: (t) => ({
    integration: t.relation('integration', {
      type: ServiceAccount,
      description: 'The service account of the ticketing system.',
    }),
    webhookId: t.exposeString('webhookId', { description: 'The `webhook-id` that it was sent with.' }),
    eventType: t.expose('type', { type: InboundTicketEventType, description: 'What it reports.' }),
    externalId: t.exposeString('externalId', {
      description: 'The id of its ticket in the ticketing system.',
    }),
    occurredAt: t.expose('occurredAt', {
      type: 'DateTime',
      description: 'The time when it happened, as the ticketing system says.',
    }),
    content: t.field({
      type: 'JSONObject',
      description: 'What it says of the ticket, as far as Latchkey reads it: `docs/webhooks.md`.',
      resolve: ({ content }) => content as Record<string, unknown>,
    }),
    state: t.expose('state', { type: InboundTicketEventState, description: 'What came of it.' }),
    reason: t.expose('reason', {
      type: InboundTicketEventReason,
      nullable: true,
      description: 'Why it waits or is kept, for programs. Null in the other states.',
    }),
    explanation: t.string({
      nullable: true,
      description: 'Why it waits or is kept, for people. Null in the other states.',
      resolve: ({ reason }) => (reason === null ? null : reasons[reason]),
    }),
    refusalCode: t.exposeString('refusalCode', {
      nullable: true,
      description: 'The `code` of the refusal. Null for other reasons than `REFUSED`.',
    }),
    ticket: t.relation('ticket', {
      nullable: true,
      description: 'The ticket that it is about. Null as long as that was not filed.',
    }),
    receivedAt: t.expose('receivedAt', {
      type: 'DateTime',
      description: 'The time when it came for the first time.',
    }),
    attempts: t.exposeInt('attempt', { description: 'The number of attempts to apply it.' }),
  }),
});

const InboundTicketEventEdge = builder.edgeObject({
  name: 'InboundTicketEventEdge',
  type: InboundTicketEvent,
  description: 'An event of a ticketing system in a list.',
});

const InboundTicketEventConnection = builder.connectionObject(
  {
    name: 'InboundTicketEventConnection',
    type: InboundTicketEvent,
    description: 'A page of events of ticketing systems.',
  },
  InboundTicketEventEdge,
);

const InboundTicketEventFilter = builder.inputType('InboundTicketEventFilter', {
  description: 'Selects events of ticketing systems. All the conditions given must hold.',
  fields: (t) => ({
    states: t
      .field({
        type: [InboundTicketEventState],
        description: `Only events in one of these states, at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof InboundTicketEventState.$inferType>()),
    integrationId: t
      .id({ description: 'Only events of this service account.' })
      .validate(optionalGlobalId('ServiceAccount')),
  }),
});

builder.queryField('inboundTicketEvents', (t) =>
  t.connection(
    {
      type: InboundTicketEvent,
      nullable: true,
      description:
        'The events that ticketing systems have sent, newest first: all of them for operators, its own for a ticketing system. Null with an error.',
      authScopes: { operation: 'inboundTicketEvents' },
      args: {
        filter: t.arg({
          type: InboundTicketEventFilter,
          description: 'Which events. Default: all that the viewer may see.',
        }),
      },
      resolve: (_, args, context, info) =>
        keysetConnection(args, byId('inboundTicketEvents'), ({ where, ...window }) => {
          const { states, integrationId } = args.filter ?? {};
          const filter: Prisma.InboundTicketEventWhereInput = {
            ...(states == null ? {} : { state: { in: states } }),
            ...(integrationId == null ? {} : { integrationId }),
          };
          return context.services.database.prisma.inboundTicketEvent.findMany({
            ...nodesQuery(context, info),
            where: { AND: [visibleInboundTicketEvents(viewerOf(context)), filter, where] },
            ...window,
          });
        }),
    },
    InboundTicketEventConnection,
    InboundTicketEventEdge,
  ),
);
