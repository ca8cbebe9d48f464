import type { Prisma } from '../../../prisma/generated/client/client.ts';
import { ownConsents, visibleChangeRequests } from '../../authorization/visibility.ts';
import { listVisibleIds } from '../../authorization/visible-pages.ts';
import { waysToSeeGrants } from '../../authorization/ways.ts';
import { asOf, inStates } from '../../changes/as-of.ts';
import type { ChangeRequestRow } from '../../changes/row.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { withEndOfPlace } from '../end-of-place.ts';
import { enumValues } from '../enum-values.ts';
import { maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { betweenIds, boundedById, keysetConnection, nodesQuery } from '../keyset-connection.ts';
import { isSnapshot } from '../subscriptions/snapshot.ts';
import { Account, SupportEngineer, User } from './account.ts';
import { ChangeRequestPermissions, changeRequestPermissions } from './permissions.ts';

export const ChangeKind = builder.enumType('ChangeKind', {
  description: 'What a change request changes on the site.',
  values: enumValues({
    PERMISSIONS:
      'Permissions, including the changes to permissions that are required to gain access to specific projects.',
    USERS_AND_GROUPS: 'Users and groups.',
    SETTINGS: 'Settings of the product or the site.',
    CONTENT: 'Content of the product, such as work items and pages.',
  }),
});

const ChangeRequestState = builder.enumType('ChangeRequestState', {
  description: 'The state of a change request. REFUSED, WITHDRAWN, EXPIRED and COMPLETED are final.',
  values: enumValues({
    PENDING_CONSENT: 'The engineer asks for the change. The customer decides next.',
    CONSENTED: 'The customer consented. The change may be made, once, until `validUntil`.',
    IN_PROGRESS:
      "The product's backend was allowed to make the change. Nobody takes that back; the engineer records what came of it.",
    COMPLETED: 'The engineer has recorded what came of the change.',
    REFUSED: 'The customer refused the change, or took the consent back before the change was begun.',
    WITHDRAWN:
      'The engineer took it back, or its ticket was closed or got another engineer, its site was deactivated or its product unlicensed, before the change was begun.',
    EXPIRED: 'It was not decided, or the change was not begun, before `validUntil`.',
  }),
});

export const ChangeResult = builder.enumType('ChangeResult', {
  description: 'What came of a change that was begun.',
  values: enumValues({
    APPLIED: 'The change was made.',
    FAILED: 'The change was tried, and failed.',
    NOT_APPLIED: 'The change was not made after all.',
  }),
});

const ChangeRequestEndReason = builder.enumType('ChangeRequestEndReason', {
  description: 'Why a change request is over without a change.',
  values: enumValues({
    REFUSED_BY_CUSTOMER: 'The customer refused the change.',
    CONSENT_REVOKED: 'A person of the customer took the consent back.',
    WITHDRAWN_BY_ENGINEER: 'The engineer took it back.',
    TICKET_CLOSED: 'Its ticket was closed.',
    TICKET_REASSIGNED: 'Its ticket was assigned to another engineer, or to nobody.',
    SITE_DEACTIVATED: 'Its site was deactivated.',
    PRODUCT_UNLICENSED: 'Its product is no longer licensed on the site.',
    PRODUCT_CHANGED: 'Its ticket is about another product now.',
    TIME_ELAPSED: '`validUntil` was reached.',
  }),
});

/** Reads of the row as it is now, if its time has run out, or its site or licence has ended. A snapshot stays as it was. */
function settled<Value>(row: ChangeRequestRow, context: Context, read: (settled: ChangeRequestRow) => Value) {
  if (isSnapshot(row)) return read(row);
  const now = context.services.clock();
  return withEndOfPlace(row, context, (end) => read(asOf(row, now, end)));
}

export const ChangeRequest = builder.prismaNode('ChangeRequest', {
  description:
    "A change to the customer's site that the ticket's engineer asks for. It is made only with the customer's consent, once, and only what it describes.",
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    state: t.field({
      viewerIndependent: true,
      type: ChangeRequestState,
      description:
        'The state at this moment. The time limit counts from the moment it is reached, and the end of its site or licence from that moment, even before they are recorded.',
      resolve: (row, _, context) => settled(row, context, ({ state }) => state),
    }),
    kind: t.expose('kind', { viewerIndependent: true, type: ChangeKind, description: 'What it changes.' }),
    resourceType: t.exposeString('resourceType', {
      viewerIndependent: true,
      description: "The type of what it changes, as the product's backend calls it.",
    }),
    resourceId: t.exposeString('resourceId', {
      viewerIndependent: true,
      description:
        "The id of what it changes, as the product's backend calls it. Nothing else may be changed by it.",
    }),
    description: t.exposeString('description', {
      viewerIndependent: true,
      description: 'What the engineer is going to change.',
    }),
    justification: t.exposeString('justification', {
      viewerIndependent: true,
      description: 'Why the change is needed.',
    }),
    requestedBy: t.relation('requestedBy', {
      viewerIndependent: true,
      type: SupportEngineer,
      description: 'The engineer who asked for it.',
    }),
    requestedAt: t.expose('requestedAt', {
      viewerIndependent: true,
      type: 'DateTime',
      description: 'The time of the request.',
    }),
    validUntil: t.expose('validUntil', {
      viewerIndependent: true,
      type: 'DateTime',
      description: 'The time until which it may be consented to, and the change begun.',
    }),
    decidedBy: t.relation('decidedBy', {
      viewerIndependent: true,
      type: User,
      nullable: true,
      description: 'The person who consented or refused. Null where nobody has.',
    }),
    decidedAt: t.expose('decidedAt', {
      viewerIndependent: true,
      type: 'DateTime',
      nullable: true,
      description: 'The time of the consent or the refusal. Null where nobody has decided.',
    }),
    decisionReason: t.exposeString('decisionReason', {
      viewerIndependent: true,
      nullable: true,
      description:
        'The reason that the person gave. Null where none was given, and where nobody has decided.',
    }),
    allowedAt: t.expose('allowedAt', {
      viewerIndependent: true,
      type: 'DateTime',
      nullable: true,
      description:
        "The time when the product's backend was allowed to make the change. Null where that has not happened.",
    }),
    result: t.expose('result', {
      viewerIndependent: true,
      type: ChangeResult,
      nullable: true,
      description: 'What came of the change. Null as long as that is not recorded.',
    }),
    resultNote: t.exposeString('resultNote', {
      viewerIndependent: true,
      nullable: true,
      description: 'What the engineer wrote about the result. Null where nothing was written.',
    }),
    endedAt: t.field({
      viewerIndependent: true,
      type: 'DateTime',
      nullable: true,
      description: 'The time at which it reached its final state. Null as long as it is open.',
      resolve: (row, _, context) => settled(row, context, ({ endedAt }) => endedAt),
    }),
    endReason: t.field({
      viewerIndependent: true,
      type: ChangeRequestEndReason,
      nullable: true,
      description: 'Why it is over without a change. Null as long as it is open, and where it is COMPLETED.',
      resolve: (row, _, context) => settled(row, context, ({ endReason }) => endReason),
    }),
    endedBy: t.relation('endedBy', {
      viewerIndependent: true,
      type: Account,
      nullable: true,
      description: 'The account that ended it. Null as long as it is open, and where time ended it.',
    }),
    version: t.int({
      viewerIndependent: true,
      description:
        'Starts at 1 and grows by one with every change. A mutation with it as `expectedVersion` is refused if the change request has changed since.',
      resolve: (row, _, context) => settled(row, context, ({ version }) => version),
    }),
    ticket: t.relation('ticket', { viewerIndependent: true, description: 'The ticket it belongs to.' }),
    viewerMay: t.field({
      type: ChangeRequestPermissions,
      viewerIndependent: false,
      description:
        'What the viewer may do with it at this moment: also in an event, which shows it as it was.',
      resolve: (row, _, context) => changeRequestPermissions(row, context),
    }),
  }),
});

export const ChangeRequestEdge = builder.edgeObject({
  name: 'ChangeRequestEdge',
  type: ChangeRequest,
  description: 'A change request in a list.',
});

export const ChangeRequestConnection = builder.connectionObject(
  { name: 'ChangeRequestConnection', type: ChangeRequest, description: 'A page of change requests.' },
  ChangeRequestEdge,
);

const everyRequest = boundedById('changeRequests');

const ChangeRequestFilter = builder.inputType('ChangeRequestFilter', {
  description: 'Selects change requests. All the conditions given must hold.',
  fields: (t) => ({
    states: t
      .field({
        type: [ChangeRequestState],
        description: `Only change requests in one of these states now, at most ${maxValues}. \`[PENDING_CONSENT]\` are those that await a decision.`,
      })
      .validate(optionalValues<typeof ChangeRequestState.$inferType>()),
    siteId: t.id({ description: 'Only change requests on this site.' }).validate(optionalGlobalId('Site')),
    ticketId: t
      .id({ description: 'Only change requests of this ticket.' })
      .validate(optionalGlobalId('Ticket')),
  }),
});

builder.queryField('changeRequests', (t) =>
  t.connection(
    {
      type: ChangeRequest,
      nullable: true,
      description: 'The change requests that the viewer may see, newest first. Null with an error.',
      authScopes: { operation: 'changeRequests' },
      args: {
        filter: t.arg({
          type: ChangeRequestFilter,
          description: 'Which change requests. Default: all that the viewer may see.',
        }),
      },
      resolve: (_, args, context, info) =>
        keysetConnection(args, everyRequest, async ({ where: bounds, orderBy: order, take }) => {
          const { states, siteId, ticketId } = args.filter ?? {};
          const filter: Prisma.ChangeRequestWhereInput = {
            ...(siteId == null ? {} : { siteId }),
            ...(ticketId == null ? {} : { ticketId }),
            ...(states == null
              ? {}
              : inStates(states, context.services.clock(), context.services.unsettledSites.list())),
          };
          const viewer = viewerOf(context);
          const { prisma, pool } = context.services.database;
          const ways = waysToSeeGrants(viewer);
          const window = { ...bounds, order, limit: take };
          const own = ownConsents(viewer);
          return await prisma.changeRequest.findMany({
            ...nodesQuery(context, info),
            where:
              ways === null
                ? { AND: [visibleChangeRequests(viewer), filter, betweenIds(bounds)] }
                : { id: { in: await listVisibleIds(pool, 'change_requests', ways, filter, window, own) } },
            ...{ orderBy: { id: order }, take },
          });
        }),
    },
    ChangeRequestConnection,
    ChangeRequestEdge,
  ),
);
