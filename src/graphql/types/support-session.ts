import type { Prisma, SupportSession as SessionRow } from '../../../prisma/generated/client/client.ts';
import { actionsOfSession, visibleSupportSessions } from '../../authorization/visibility.ts';
import { listVisibleIds } from '../../authorization/visible-pages.ts';
import { waysToSeeSessions } from '../../authorization/ways.ts';
import { asOf, endWithPlace, isElapsed } from '../../sessions/session.ts';
import { byPosition } from '../audit-order.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { withEndOfPlace } from '../end-of-place.ts';
import { enumValues } from '../enum-values.ts';
import { SupportSessionOpenError } from '../errors.ts';
import { optionalGlobalId } from '../input.ts';
import {
  betweenIds,
  boundedById,
  byId,
  keysetConnection,
  nodesPath,
  nodesQuery,
  pageOf,
  relatedRows,
} from '../keyset-connection.ts';
import { isSnapshot } from '../subscriptions/snapshot.ts';
import { nodeOf } from '../visible-node.ts';
import { Account, SupportEngineer } from './account.ts';
import { AuditEntry, AuditEntryConnection, AuditEntryEdge } from './audit-entry.ts';
import { ErrorInterface } from './error.ts';
import { Grant } from './grant.ts';
import { Ticket } from './ticket.ts';
import { TimelineItem } from './timeline.ts';

export const SupportSessionReason = builder.enumType('SupportSessionReason', {
  description: 'Why an engineer starts a support session.',
  values: {
    INVESTIGATE_PROBLEM: { description: 'To find out what causes the problem.' },
    REPRODUCE_PROBLEM: { description: 'To see the problem happen.' },
    GATHER_LOGS: { description: 'To read logs.' },
    CHECK_CONFIGURATION: { description: 'To read settings and permissions.' },
    APPLY_CHANGE: { description: 'To make a change that the customer has consented to.' },
    VERIFY_SOLUTION: { description: 'To see whether the problem is solved.' },
  } as const,
});

const SupportSessionState = builder.enumType('SupportSessionState', {
  description: 'Whether a support session is open.',
  values: {
    OPEN: { description: 'The engineer uses the grant.' },
    ENDED: {
      description: 'It is over, and that is final. The engineer may start another one under an active grant.',
    },
  } as const,
});

const SupportSessionEndReason = builder.enumType('SupportSessionEndReason', {
  description: 'Why a support session is over.',
  values: enumValues({
    ENDED_BY_ENGINEER: 'Its engineer ended it.',
    IDLE_LIMIT: 'It was not used for as long as the site allows.',
    TIME_LIMIT: 'It had lasted as long as the site allows.',
    GRANT_REVOKED: 'A person of the customer revoked its grant.',
    GRANT_EXPIRED: 'The time of its grant ran out.',
    GRANT_RELEASED: 'The engineer released its grant.',
    TICKET_CLOSED: 'Its ticket was closed.',
    TICKET_REASSIGNED: 'Its ticket passed to another engineer, or to nobody.',
    ENGINEER_DEACTIVATED: "The engineer's account was deactivated.",
    SITE_DEACTIVATED: 'Its site was deactivated.',
    PRODUCT_UNLICENSED: 'Its product is no longer licensed on the site.',
    PRODUCT_CHANGED: 'Its ticket is about another product now.',
  }),
});

/** The row as it is now, if its time has run out, or its site or licence has ended. A snapshot stays as it was. */
async function settled(row: SessionRow, context: Context): Promise<SessionRow> {
  if (isSnapshot(row)) return row;
  const ended = await withEndOfPlace(row, context, (end) => (end === null ? row : endWithPlace(row, end)));
  const now = context.services.clock();
  if (!isElapsed(ended, now)) return ended;
  const grant = await context.loaders.grants.load(row.grantId);
  return asOf(row, grant?.expiresAt ?? null, now);
}

const [everySession, ofGrant, ofTicket] = [
  boundedById('supportSessions'),
  byId('Grant.sessions'),
  byId('Ticket.supportSessions'),
];

export const SupportSession = builder.prismaNode('SupportSession', {
  description: "A support session: an engineer's use of one active grant, from its start until its end.",
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    grant: t.relation('grant', { viewerIndependent: true, description: 'The grant that is used.' }),
    ticket: t.relation('ticket', { viewerIndependent: true, description: 'The ticket of the grant.' }),
    site: t.relation('site', { viewerIndependent: true, description: 'The site whose data it opens.' }),
    engineer: t.relation('engineer', {
      type: SupportEngineer,
      viewerIndependent: true,
      description: 'The engineer whose session it is.',
    }),
    reason: t.expose('reason', {
      type: SupportSessionReason,
      viewerIndependent: true,
      description: 'Why the engineer started it.',
    }),
    note: t.exposeString('note', {
      viewerIndependent: true,
      description: 'What the engineer wrote about the reason.',
    }),
    country: t.exposeString('country', {
      viewerIndependent: true,
      description: 'Where the engineer is, as they say: an ISO 3166-1 alpha-2 code.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time of its start.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description:
        'The time of the last action in it, or of its start. It may lag behind by a tenth of the idle limit.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description:
        "The time at which it ends however much it is used: at the limit of the site's policy at its start, or with its grant.",
    }),
    dueAt: t.expose('dueAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time at which it ends by itself unless it is used before; at the latest `expiresAt`.',
    }),
    state: t.field({
      type: SupportSessionState,
      viewerIndependent: true,
      description:
        'Whether it is open at this moment. A time limit counts from the moment it is reached, and the end of its site or licence from that moment, even before they are recorded.',
      resolve: async (row, _, context) => ((await settled(row, context)).endedAt === null ? 'OPEN' : 'ENDED'),
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description: 'The time at which it ended. Null as long as it is open.',
      resolve: async (row, _, context) => (await settled(row, context)).endedAt,
    }),
    endReason: t.field({
      type: SupportSessionEndReason,
      nullable: true,
      viewerIndependent: true,
      description: 'Why it is over. Null as long as it is open.',
      resolve: async (row, _, context) => (await settled(row, context)).endReason,
    }),
    endedBy: t.relation('endedBy', {
      type: Account,
      nullable: true,
      viewerIndependent: true,
      description:
        'The account that ended it: its engineer, or whoever ended the use of its grant. Null as long as it is open, where a time limit ended it, and where its site or licence has ended until that is recorded.',
    }),
    actions: t.connection(
      {
        type: AuditEntry,
        viewerIndependent: false,
        description:
          'What happened in it, newest first: its start, every action of the engineer that was asked for, allowed or refused, and its end. For whoever sees the session, also without the right to read the audit log.',
        resolve: async ({ id }, args, { services, loaders }) => {
          const { prisma, pool } = services.database;
          const ordering = await byPosition(pool, 'SupportSession.actions', args);
          return await keysetConnection(args, ordering, ({ where, orderBy, take }) =>
            args.after == null && args.before == null
              ? loaders.sessionActions.load({
                  sessionId: id,
                  order: args.last == null ? 'desc' : 'asc',
                  limit: take,
                })
              : prisma.auditEntry.findMany({
                  where: { AND: [actionsOfSession({ id }), where] },
                  orderBy,
                  take,
                }),
          );
        },
      },
      AuditEntryConnection,
      AuditEntryEdge,
    ),
  }),
});

const SupportSessionEdge = builder.edgeObject({
  name: 'SupportSessionEdge',
  type: SupportSession,
  description: 'A support session in a list.',
});

const SupportSessionConnection = builder.connectionObject(
  { name: 'SupportSessionConnection', type: SupportSession, description: 'A page of support sessions.' },
  SupportSessionEdge,
);

builder.prismaObjectField(Grant, 'sessions', (t) =>
  t.connection(
    {
      type: SupportSession,
      viewerIndependent: false,
      description:
        'The support sessions under it that the viewer may see, newest first. An engineer sees their own.',
      select: (args, context, nested) => ({
        sessions: nested(relatedRows(args, ofGrant, visibleSupportSessions(viewerOf(context))), nodesPath),
      }),
      resolve: ({ sessions }, args) => pageOf(args, ofGrant, sessions),
    },
    SupportSessionConnection,
    SupportSessionEdge,
  ),
);

builder.prismaObjectField(Ticket, 'supportSessions', (t) =>
  t.connection(
    {
      type: SupportSession,
      viewerIndependent: false,
      description:
        'The support sessions under its grants that the viewer may see, newest first. An engineer sees their own.',
      select: (args, context, nested) => ({
        supportSessions: nested(
          relatedRows(args, ofTicket, visibleSupportSessions(viewerOf(context))),
          nodesPath,
        ),
      }),
      resolve: ({ supportSessions }, args) => pageOf(args, ofTicket, supportSessions),
    },
    SupportSessionConnection,
    SupportSessionEdge,
  ),
);

builder.objectField(AuditEntry, 'supportSession', (t) =>
  t.field({
    type: SupportSession,
    nullable: true,
    description:
      'The support session in which it happened, or which it is about, as it is now. Null without one, or where the viewer may not see it.',
    resolve: ({ sessionId }, _, context) => nodeOf<SessionRow>(context, 'SupportSession', sessionId),
  }),
);

builder.objectField(TimelineItem, 'supportSession', (t) =>
  t.field({
    type: SupportSession,
    nullable: true,
    description:
      'The support session that it is about, as it is now. Null where it is about none, or the viewer may not see it.',
    resolve: ({ sessionId }, _, context) => nodeOf<SessionRow>(context, 'SupportSession', sessionId),
  }),
);

builder.objectType(SupportSessionOpenError, {
  name: 'SupportSessionOpenError',
  description: 'The viewer has an open support session under the grant: it can be used, or ended first.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    supportSession: t.field({
      type: SupportSession,
      nullable: true,
      description: 'The open session, as it is now. Null where the viewer may not see it any more.',
      resolve: ({ sessionId }, _, context) => nodeOf<SessionRow>(context, 'SupportSession', sessionId),
    }),
  }),
});

const SupportSessionFilter = builder.inputType('SupportSessionFilter', {
  description: 'Selects support sessions. All the conditions given must hold.',
  fields: (t) => ({
    open: t.boolean({
      description: 'True: only sessions that are open now. False: only those that are over.',
    }),
    siteId: t.id({ description: 'Only sessions on this site.' }).validate(optionalGlobalId('Site')),
    ticketId: t.id({ description: 'Only sessions on this ticket.' }).validate(optionalGlobalId('Ticket')),
    engineerId: t
      .id({ description: 'Only sessions of this engineer.' })
      .validate(optionalGlobalId('SupportEngineer')),
  }),
});

builder.queryField('supportSessions', (t) =>
  t.connection(
    {
      type: SupportSession,
      nullable: true,
      description:
        'The support sessions that the viewer may see, newest first. An engineer sees their own. Null with an error.',
      authScopes: { operation: 'supportSessions' },
      args: {
        filter: t.arg({
          type: SupportSessionFilter,
          description: 'Which sessions. Default: all that the viewer may see.',
        }),
      },
      resolve: (_, args, context, info) =>
        keysetConnection(args, everySession, async ({ where: bounds, orderBy: order, take }) => {
          const { open, siteId, ticketId, engineerId } = args.filter ?? {};
          const filter: Prisma.SupportSessionWhereInput = {
            ...(siteId == null ? {} : { siteId }),
            ...(ticketId == null ? {} : { ticketId }),
            ...(engineerId == null ? {} : { engineerId }),
            ...(open == null ? {} : isOpenInSql(open, context.services.clock())),
          };
          const viewer = viewerOf(context);
          const { prisma, pool } = context.services.database;
          const ways = waysToSeeSessions(viewer);
          const window = { ...bounds, order, limit: take };
          return await prisma.supportSession.findMany({
            ...nodesQuery(context, info),
            where:
              ways === null
                ? { AND: [visibleSupportSessions(viewer), filter, betweenIds(bounds)] }
                : { id: { in: await listVisibleIds(pool, 'support_sessions', ways, filter, window) } },
            ...{ orderBy: { id: order }, take },
          });
        }),
    },
    SupportSessionConnection,
    SupportSessionEdge,
  ),
);

/** The condition for sessions that are open at `now`, or for those that are over. */
function isOpenInSql(open: boolean, now: Date): Prisma.SupportSessionWhereInput {
  return open
    ? { endedAt: null, dueAt: { gt: now } }
    : { OR: [{ endedAt: { not: null } }, { dueAt: { lte: now } }] };
}
