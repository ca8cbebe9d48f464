/** Lists of tickets: of everything that the viewer sees, of a site, of an organization. */
import type { GraphQLResolveInfo } from 'graphql';
import type { Prisma, Ticket as TicketRow } from '../../../prisma/generated/client/client.ts';
import { visibleTickets } from '../../authorization/visibility.ts';
import { waysToSeeTickets } from '../../authorization/ways.ts';
import { builder } from '../builder.ts';
import { readsRows } from '../compiled/row-fields.ts';
import type { Context } from '../context.ts';
import { listOf, lookUpKey, maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import type { PageArguments } from '../keyset-connection.ts';
import { Ticket, TicketConnection, TicketEdge, TicketStatus } from '../types/ticket.ts';
import { idsField, onSites, periodFields, soughtBy, textField, whereInPeriod } from './conditions.ts';
import { declareInPlaces } from './lists-of-places.ts';
import { ListOrder } from './order.ts';
import { type Place, type Selection, type VisibleList, visibleConnection } from './visible-list.ts';

const TicketFilter = builder.inputType('TicketFilter', {
  description: 'Selects tickets. All the conditions given must hold.',
  fields: (t) => ({
    organizationId: t
      .id({ description: 'Only tickets about the sites of this organization.' })
      .validate(optionalGlobalId('Organization')),
    siteId: t.id({ description: 'Only tickets about this site.' }).validate(optionalGlobalId('Site')),
    siteIds: idsField(t, 'Site', 'Only tickets about one of these sites'),
    productId: t
      .id({ description: 'Only tickets about this product on its site.' })
      .validate(optionalGlobalId('Product')),
    productKeys: t
      .stringList({
        description: `Only tickets about products with one of these keys, for example \`jira\`, on any site, at most ${maxValues}.`,
      })
      .validate(listOf(lookUpKey(64))),
    statuses: t
      .field({
        type: [TicketStatus],
        description: `Only tickets in one of these statuses, at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof TicketStatus.$inferType>()),
    reporterId: t.id({ description: 'Only tickets of this reporter.' }).validate(optionalGlobalId('User')),
    assigneeId: t
      .id({ description: 'Only tickets of this engineer.' })
      .validate(optionalGlobalId('SupportEngineer')),
    assigneeIds: idsField(t, 'SupportEngineer', 'Only tickets of one of these engineers'),
    isAssigned: t.boolean({
      description: 'True: only tickets with an engineer. False: only tickets without one.',
    }),
    text: textField(t, 'Only tickets whose key or summary has this.'),
    ...periodFields(t, 'tickets', 'createdAt'),
  }),
});

const tickets: VisibleList<TicketRow> = {
  table: 'tickets',
  waysOf: waysToSeeTickets,
  visible: visibleTickets,
  read: ({ services }, query, where, page) =>
    services.database.prisma.ticket.findMany({ ...query, where, ...page }),
};

type Arguments = PageArguments & {
  filter?: typeof TicketFilter.$inferInput | null | undefined;
  orderBy?: typeof ListOrder.$inferType | null | undefined;
};

function selectionOf({ filter }: Arguments): Selection {
  const { organizationId, siteId, siteIds, productId, productKeys, statuses } = filter ?? {};
  const { reporterId, assigneeId, assigneeIds, isAssigned, text } = filter ?? {};
  const where: Prisma.TicketWhereInput[] = [
    ...(productId == null ? [] : [{ productId }]),
    ...(statuses == null ? [] : [{ status: { in: statuses } }]),
    ...(reporterId == null ? [] : [{ reporterId }]),
    ...(assigneeId == null ? [] : [{ assigneeId }]),
    ...(assigneeIds == null ? [] : [{ assigneeId: { in: assigneeIds } }]),
    ...(isAssigned == null ? [] : [{ assigneeId: isAssigned ? { not: null } : null }]),
  ];
  return {
    place: {
      ...(organizationId == null ? {} : { organizationIds: [organizationId] }),
      ...onSites(siteId, siteIds),
    },
    ...whereInPeriod('createdAt', filter ?? {}, where),
    ...soughtBy(text, productKeys),
  };
}

/** A page of the tickets that the viewer sees, of the place if one is given. */
async function ticketsPage(
  args: Arguments,
  context: Context,
  info: GraphQLResolveInfo,
  name: string,
  parent?: Place,
) {
  const of = { args, context, info, name, ...(parent === undefined ? {} : { parent }) };
  return await visibleConnection(tickets, selectionOf(args), of);
}

const filterArg = { type: TicketFilter, description: 'Which tickets. Default: all that the viewer may see.' };
const orderArg = { type: ListOrder, description: 'In which order. Default: the newest first.' };

declareInPlaces(
  'tickets',
  { ofAll: 'tickets', ofSite: 'tickets about the site', ofOrganization: 'tickets about its sites' },
  (t, { list, placeOf, options }) =>
    t.connection(
      {
        ...options,
        ...readsRows({ columns: ['id'] }),
        type: Ticket,
        args: { filter: t.arg(filterArg), orderBy: t.arg(orderArg) },
        resolve: (parent, args, context, info) => ticketsPage(args, context, info, list, placeOf(parent)),
      },
      TicketConnection,
      TicketEdge,
    ),
);
