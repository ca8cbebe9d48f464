import { queryFromInfo } from '@pothos/plugin-prisma';
import type { Prisma, Ticket as TicketRow } from '../../../prisma/generated/client/client.ts';
import { visibleChangeRequests, visibleGrants, visibleTickets } from '../../authorization/visibility.ts';
import { findVisible } from '../../authorization/visible-pages.ts';
import { asciiLowerCase } from '../../platform/ascii.ts';
import { eligibility } from '../../roles/eligibility.ts';
import { builder } from '../builder.ts';
import { readsRows, relatedPage } from '../compiled/row-fields.ts';
import { selectedRows } from '../compiled/selected-rows.ts';
import { viewerOf } from '../context.ts';
import { badUserInput } from '../errors.ts';
import { externalId, lookUpKey, ticketKey } from '../input.ts';
import { byId, nodesPath, pageOf, relatedRows, relatedWindow } from '../keyset-connection.ts';
import { totalCount } from '../lists/total-count.ts';
import { AccessEligibility, accessEligibilityOf } from './access-eligibility.ts';
import { SupportEngineer, User } from './account.ts';
import { ChangeRequest, ChangeRequestConnection, ChangeRequestEdge } from './change-request.ts';
import { Grant, GrantConnection, GrantEdge } from './grant.ts';
import { TicketPermissions, ticketPermissions } from './permissions.ts';
import { RelayedConsent } from './relayed-consent.ts';
import { TimelineConnection, TimelineEdge, TimelineItem, timelineOf } from './timeline.ts';

export const TicketStatus = builder.enumType('TicketStatus', {
  description: 'The status of a ticket.',
  values: {
    OPEN: { description: 'The engineer works on it.' },
    WAITING_FOR_CUSTOMER: { description: 'The engineer waits for the customer.' },
    RESOLVED: { description: 'The ticket is solved. Its grants last until it is closed.' },
    CLOSED: { description: 'The ticket is closed, and its grants ended when it was.' },
  } as const,
});

const itsGrants = byId('Ticket.grants');
const itsChangeRequests = byId('Ticket.changeRequests');

export const Ticket = builder.prismaNode('Ticket', {
  description: 'A support ticket about one product on one site.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    key: t.exposeString('key', {
      viewerIndependent: true,
      description: 'The key that people call it by, for example `SUP-1042`. Unique, and never changed.',
    }),
    externalId: t.exposeString('externalId', {
      nullable: true,
      viewerIndependent: true,
      description:
        'The id that it has in the ticketing system that sent it as an event. Unique there. Null for a ticket that was filed here.',
    }),
    summary: t.exposeString('summary', {
      viewerIndependent: true,
      description: 'What the ticket is about, in one line.',
    }),
    status: t.expose('status', {
      type: TicketStatus,
      viewerIndependent: true,
      description: 'The present status.',
    }),
    version: t.exposeInt('version', {
      viewerIndependent: true,
      description: 'Starts at 1 and grows by one with every change.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time when it was filed.',
    }),
    closedAt: t.expose('closedAt', {
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description:
        'The time when it was closed. Null as long as it is not closed, and after it was reopened.',
    }),
    site: t.relation('site', { viewerIndependent: true, description: 'The site it is about.' }),
    product: t.relation('product', { viewerIndependent: true, description: 'The product it is about.' }),
    reporter: t.relation('reporter', {
      type: User,
      viewerIndependent: true,
      description: 'The user who filed it, or for whom it was filed.',
    }),
    assignee: t.relation('assignee', {
      type: SupportEngineer,
      nullable: true,
      viewerIndependent: true,
      description: 'The engineer who works on it and who has its grants. Null where nobody is assigned.',
    }),
    relayedConsent: t.variant(RelayedConsent, {
      viewerIndependent: true,
      description:
        'What came of the consent that a ticketing system relayed. Null where the reporter filed the ticket in person, or the consent box was not ticked.',
      isNull: ({ relayedConsent }) => relayedConsent === null,
    }),
    grants: t.connection(
      {
        ...relatedPage({
          relation: 'grants',
          window: (args, context) =>
            relatedWindow(args, itsGrants, 'grants', visibleGrants(viewerOf(context))),
          pageOf: (rows, args) => pageOf(args, itsGrants, rows),
        }),
        type: Grant,
        viewerIndependent: false,
        description: 'Its grants in every state, newest first.',
        select: (args, context, nested) => ({
          grants: nested(relatedRows(args, itsGrants, visibleGrants(viewerOf(context))), nodesPath),
        }),
        resolve: ({ grants }, args) => pageOf(args, itsGrants, grants),
      },
      GrantConnection,
      GrantEdge,
    ),
    timeline: t.connection(
      {
        type: TimelineItem,
        nullable: true,
        viewerIndependent: false,
        description:
          'What has happened on it, newest first: requests, decisions, ends of access, support sessions, change requests, assignments, status. Null where the viewer does not see its grants.',
        resolve: ({ id }, args, context) => timelineOf(id, args, context),
      },
      TimelineConnection,
      TimelineEdge,
    ),
    changeRequests: t.connection(
      {
        ...relatedPage({
          relation: 'changeRequests',
          window: (args, context) =>
            relatedWindow(
              args,
              itsChangeRequests,
              'change_requests',
              visibleChangeRequests(viewerOf(context)),
            ),
          pageOf: (rows, args) => pageOf(args, itsChangeRequests, rows),
        }),
        type: ChangeRequest,
        viewerIndependent: false,
        description: 'The changes that its engineers asked for, in every state, newest first.',
        select: (args, context, nested) => ({
          changeRequests: nested(
            relatedRows(args, itsChangeRequests, visibleChangeRequests(viewerOf(context))),
            nodesPath,
          ),
        }),
        resolve: ({ changeRequests }, args) => pageOf(args, itsChangeRequests, changeRequests),
      },
      ChangeRequestConnection,
      ChangeRequestEdge,
    ),
    viewerMay: t.field({
      type: TicketPermissions,
      viewerIndependent: false,
      description: 'What the viewer may do with the ticket at this moment.',
      resolve: ({ id }, _, context) => ticketPermissions(id, context),
    }),
    accessEligibility: t.field({
      type: AccessEligibility,
      select: { site: true, product: true },
      viewerIndependent: false,
      description:
        'Whether the viewer may grant access to the data of its product, and if not, why, and who may.',
      resolve: (ticket, _, context) => {
        const { site, product } = ticket;
        const viewer = viewerOf(context);
        const person =
          viewer.kind === 'USER'
            ? {
                isMember: viewer.organizationIds.includes(site.organizationId),
                assignments: viewer.assignments,
              }
            : { isMember: false, assignments: [] };
        const verdict = eligibility(person, { site, product });
        return accessEligibilityOf(ticket, verdict.allowed ? [] : verdict.obstacles);
      },
    }),
  }),
});

export const TicketEdge = builder.edgeObject({
  name: 'TicketEdge',
  type: Ticket,
  description: 'A ticket in a list.',
});

export const TicketConnection = builder.connectionObject(
  {
    name: 'TicketConnection',
    type: Ticket,
    description: 'A page of tickets.',
    fields: (t) => ({ totalCount: t.field(totalCount) }),
  },
  TicketEdge,
);

builder.queryField('ticket', (t) =>
  t.field({
    ...readsRows({ columns: ['id'] }),
    type: Ticket,
    nullable: true,
    description:
      'The ticket with this key, or with this id in its ticketing system. Null where it does not exist or the viewer may not see it.',
    authScopes: { operation: 'ticket' },
    args: {
      key: t.arg.string({
        description: 'The key, in any case, for example `SUP-1042`. Exactly one of `key` and `externalId`.',
        validate: ticketKey.nullish(),
      }),
      externalId: t.arg.string({
        description: 'The id that the ticket has in the ticketing system that sent it as an event.',
        validate: externalId.nullish(),
      }),
      integration: t.arg.string({
        description:
          "The email address of the ticketing system's service account, in any case. Only with `externalId`. Default: the viewer's.",
        validate: lookUpKey(254).nullish(),
      }),
    },
    resolve: async (_, named, context, info) => {
      const { prisma, pool } = context.services.database;
      const where = { AND: [visibleTickets(viewerOf(context)), ticketNamed(named, viewerOf(context))] };
      const selected = selectedRows(info);
      if (selected !== undefined) return await findVisible<TicketRow>(pool, 'tickets', where, selected);
      return await prisma.ticket.findFirst({ ...queryFromInfo({ context, info, include: {} }), where });
    },
  }),
);

type NamedTicket = {
  [Name in 'key' | 'externalId' | 'integration']?: string | null | undefined;
};

function ticketNamed(
  { key, externalId: id, integration }: NamedTicket,
  viewer: { email: string },
): Prisma.TicketWhereInput {
  if ((key == null) === (id == null) || (key != null && integration != null))
    throw badUserInput(
      'ticket takes exactly one of key and externalId, and integration only with externalId.',
    );
  if (key != null) return { key };
  return { externalId: id ?? null, integration: { email: asciiLowerCase(integration ?? viewer.email) } };
}
