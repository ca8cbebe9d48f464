/** Lists of grants: of everything that the viewer sees, of a site, of an organization. */
import type { GraphQLResolveInfo } from 'graphql';
import type { Prisma } from '../../../prisma/generated/client/client.ts';
import { visibleGrants } from '../../authorization/visibility.ts';
import { dueKey, readDueKey } from '../../authorization/visible-pages.ts';
import { decidableGrants, waysToDecide, waysToSeeGrants } from '../../authorization/ways.ts';
import { decisionDueAt, inStates } from '../../grants/as-of.ts';
import type { GrantState as State } from '../../grants/grant.ts';
import type { GrantRow } from '../../grants/row.ts';
import { isId } from '../../platform/ids.ts';
import { builder } from '../builder.ts';
import { readsRows } from '../compiled/row-fields.ts';
import { type Context, viewerOf } from '../context.ts';
import { listOf, lookUpKey, maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { boundedById, type PageArguments } from '../keyset-connection.ts';
import { Grant, GrantConnection, GrantEdge, GrantScopeKind, GrantState } from '../types/grant.ts';
import { idsField, onSites, periodFields, soughtBy, textField, whereInPeriod } from './conditions.ts';
import { declareInPlaces } from './lists-of-places.ts';
import { GrantOrder } from './order.ts';
import { type Place, type Selection, type VisibleList, visibleConnection } from './visible-list.ts';

const GrantFilter = builder.inputType('GrantFilter', {
  description: 'Selects grants. All the conditions given must hold.',
  fields: (t) => ({
    states: t
      .field({
        type: [GrantState],
        description: `Only grants in one of these states now, at most ${maxValues}. \`[PENDING_APPROVAL]\` are the outstanding requests.`,
      })
      .validate(optionalValues<typeof GrantState.$inferType>()),
    mayDecide: t.boolean({
      description:
        'True: only requests that the viewer may approve or deny now, for the customer or as a Guard admin. False: only the other grants.',
    }),
    organizationId: t
      .id({ description: 'Only grants on the sites of this organization.' })
      .validate(optionalGlobalId('Organization')),
    siteId: t.id({ description: 'Only grants on this site.' }).validate(optionalGlobalId('Site')),
    siteIds: idsField(t, 'Site', 'Only grants on one of these sites'),
    productId: t
      .id({ description: 'Only grants for this product on its site.' })
      .validate(optionalGlobalId('Product')),
    productKeys: t
      .stringList({
        description: `Only grants for products with one of these keys, for example \`jira\`, on any site, at most ${maxValues}.`,
      })
      .validate(listOf(lookUpKey(64))),
    ticketId: t.id({ description: 'Only grants of this ticket.' }).validate(optionalGlobalId('Ticket')),
    engineerId: t
      .id({ description: 'Only grants of this engineer.' })
      .validate(optionalGlobalId('SupportEngineer')),
    engineerIds: idsField(t, 'SupportEngineer', 'Only grants of one of these engineers'),
    scope: t.field({ type: GrantScopeKind, description: 'Only grants of this kind of data.' }),
    text: textField(t, 'Only grants on tickets whose key or summary has this.'),
    ...periodFields(t, 'grants', 'requestedAt'),
  }),
});

const grants: VisibleList<GrantRow> = {
  table: 'grants',
  waysOf: waysToSeeGrants,
  visible: visibleGrants,
  read: ({ services }, query, where, page) =>
    services.database.prisma.grant.findMany({ ...query, where, ...page }),
};

/** The requests that wait for a decision, the one that waits longest first in its order. */
const byDue = (list: string) => ({
  ...boundedById(list),
  keyOf: (row: GrantRow) => dueKey(row.id, decisionDueAt(row)),
  isKey: (text: string) => isId(readDueKey(text).id) && /^[^:]*:\d{1,15}$/.test(text),
});

const pending = ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'] as const satisfies State[];

type Arguments = PageArguments & {
  filter?: typeof GrantFilter.$inferInput | null | undefined;
  orderBy?: typeof GrantOrder.$inferType | null | undefined;
};

function selectionOf({ filter, orderBy }: Arguments, context: Context): Selection {
  const { states, mayDecide, organizationId, siteId, siteIds, ticketId } = filter ?? {};
  const { productId, productKeys, engineerId, engineerIds, scope, text } = filter ?? {};
  const { clock, unsettledSites } = context.services;
  const inState = (some: readonly State[]) => inStates(some, clock(), unsettledSites.list());
  const viewer = viewerOf(context);
  const decided = mayDecide === false ? decidableGrants(viewer) : null;
  const isDue = orderBy === 'DUE_SOONEST';
  const where: Prisma.GrantWhereInput[] = [
    ...(states == null ? [] : [inState(states)]),
    ...(mayDecide === true || isDue ? [inState(pending)] : []),
    ...(decided === null ? [] : [{ NOT: { AND: [inState(pending), decided] } }]),
    ...(productId == null ? [] : [{ ticket: { productId } }]),
    ...(ticketId == null ? [] : [{ ticketId }]),
    ...(engineerId == null ? [] : [{ engineerId }]),
    ...(engineerIds == null ? [] : [{ engineerId: { in: engineerIds } }]),
    ...(scope == null ? [] : [{ scopeKind: scope }]),
  ];
  return {
    place: {
      ...(organizationId == null ? {} : { organizationIds: [organizationId] }),
      ...onSites(siteId, siteIds),
    },
    ...whereInPeriod('requestedAt', filter ?? {}, where),
    ...soughtBy(text, productKeys),
    ...(mayDecide === true ? { ways: waysToDecide(viewer) } : {}),
    by: isDue ? 'due' : 'id',
  };
}

/** A page of the grants that the viewer sees, of the place if one is given. */
async function grantsPage(
  args: Arguments,
  context: Context,
  info: GraphQLResolveInfo,
  name: string,
  parent?: Place,
) {
  const selection = selectionOf(args, context);
  const of = { args, context, info, name, ...(parent === undefined ? {} : { parent }) };
  return await visibleConnection(grants, selection, of, selection.by === 'due' ? byDue : boundedById);
}

const filterArg = { type: GrantFilter, description: 'Which grants. Default: all that the viewer may see.' };
const orderArg = { type: GrantOrder, description: 'In which order. Default: the newest first.' };

declareInPlaces(
  'grants',
  { ofAll: 'grants', ofSite: 'grants on the site', ofOrganization: 'grants on its sites' },
  (t, { list, placeOf, options }) =>
    t.connection(
      {
        ...options,
        ...readsRows({ columns: ['id', 'approvalDueAt', 'activatedAt', 'expiresAt'] }),
        type: Grant,
        args: { filter: t.arg(filterArg), orderBy: t.arg(orderArg) },
        resolve: (parent, args, context, info) => grantsPage(args, context, info, list, placeOf(parent)),
      },
      GrantConnection,
      GrantEdge,
    ),
);
