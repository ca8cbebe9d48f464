import type { Prisma } from '../../../prisma/generated/client/client.ts';
import { visibleGrants } from '../../authorization/visibility.ts';
import { asOf, inStates } from '../../grants/as-of.ts';
import type { GrantRow } from '../../grants/row.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { optionalGlobalId } from '../input.ts';
import { byId, keysetConnection, nodesQuery } from '../keyset-connection.ts';
import { isSnapshot } from '../subscriptions/grant-snapshot.ts';
import { Account, SupportEngineer, User } from './account.ts';
import { GrantPermissions, grantPermissions } from './permissions.ts';

const GrantState = builder.enumType('GrantState', {
  description: 'Where a grant stands. The last five are final.',
  values: {
    PENDING_APPROVAL: { description: 'Asked for; the customer decides.' },
    PENDING_GUARD_APPROVAL: { description: 'Approved by the customer; a Guard admin decides.' },
    ACTIVE: { description: "The ticket's engineer has access." },
    DENIED: { description: 'The customer or a Guard admin said no.' },
    WITHDRAWN: { description: 'The engineer took it back, or what it was about went first.' },
    EXPIRED: { description: 'Nobody decided in time.' },
    REVOKED: { description: 'The customer took it away, or the ticket closed.' },
    ENDED: { description: 'Its time ran out, the engineer released it, or what it was about went.' },
  } as const,
});

const GrantPath = builder.enumType('GrantPath', {
  description: 'Where the customer approved.',
  values: {
    TICKET_CREATION: { description: 'The consent box of the request form.' },
    SUPPORT_PORTAL: { description: "The ticket's sidebar." },
    ADMIN_CONSOLE: { description: "The site's support access settings." },
  } as const,
});

export const GrantScopeKind = builder.enumType('GrantScopeKind', {
  description: 'What a grant opens.',
  values: {
    PRODUCT_DATA: { description: "The data of the ticket's product." },
    ROVO_CONVERSATIONS: { description: 'Exactly the Rovo conversations named; always a grant of its own.' },
  } as const,
});

const GrantEndReason = builder.enumType('GrantEndReason', {
  description: 'Why a grant is over.',
  values: enumValues({
    REVOKED_BY_CUSTOMER: "Somebody on the customer's side revoked it.",
    TICKET_CLOSED: 'The ticket closed.',
    TIME_ELAPSED: 'Its time ran out.',
    RELEASED_BY_ENGINEER: 'The engineer was done.',
    SITE_DEACTIVATED: 'The site was deactivated.',
    PRODUCT_UNLICENSED: 'The product is no longer licensed on the site.',
    DENIED_BY_CUSTOMER: 'The customer said no, or took the approval back before the Guard decided.',
    DENIED_BY_GUARD: 'A Guard admin said no.',
    WITHDRAWN_BY_ENGINEER: 'The engineer took the request back.',
    APPROVAL_TIMED_OUT: 'Nobody decided in time.',
  }),
});

const GrantScope = builder.objectRef<GrantRow>('GrantScope').implement({
  description: 'What the engineer may see.',
  fields: (t) => ({
    kind: t.expose('scopeKind', {
      type: GrantScopeKind,
      viewerIndependent: true,
      description: 'What kind of data.',
    }),
    conversationIds: t.exposeStringList('conversationIds', {
      viewerIndependent: true,
      description: 'The exact Rovo conversations; empty for product data.',
    }),
  }),
});

const ApprovalStage = builder.enumType('ApprovalStage', {
  description: 'In which place a decision is made.',
  values: {
    CUSTOMER: { description: 'In first place.' },
    GUARD: { description: 'In second place.' },
  } as const,
});

const DecisionOutcome = builder.enumType('DecisionOutcome', {
  description: 'What was decided.',
  values: { APPROVED: { description: 'Yes.' }, DENIED: { description: 'No.' } } as const,
});

builder.prismaObject('Decision', {
  description: 'A decision on a grant, by a named person.',
  fields: (t) => ({
    stage: t.expose('stage', {
      type: ApprovalStage,
      viewerIndependent: true,
      description: 'In which place.',
    }),
    outcome: t.expose('outcome', {
      type: DecisionOutcome,
      viewerIndependent: true,
      description: 'What was decided.',
    }),
    reason: t.exposeString('reason', {
      nullable: true,
      viewerIndependent: true,
      description: 'The reason given.',
    }),
    decidedAt: t.expose('decidedAt', { type: 'DateTime', viewerIndependent: true, description: 'When.' }),
    decidedBy: t.relation('decidedBy', { type: User, viewerIndependent: true, description: 'By whom.' }),
  }),
});

function settled(row: GrantRow, { services }: Context): GrantRow {
  return isSnapshot(row) ? row : asOf(row, services.clock());
}

export const Grant = builder.prismaNode('Grant', {
  description: "One permission for a ticket's assigned engineer to see the data in its scope.",
  id: { field: 'id', viewerIndependent: true, description: 'The global id.' },
  fields: (t) => ({
    state: t.field({
      type: GrantState,
      viewerIndependent: true,
      description: 'Where it stands at this moment: time that has run out counts at once.',
      resolve: (row, _, context) => settled(row, context).state,
    }),
    scope: t.field({
      type: GrantScope,
      viewerIndependent: true,
      ofTheEventItself: true,
      description: 'What it opens.',
      resolve: (row) => row,
    }),
    path: t.expose('path', {
      type: GrantPath,
      nullable: true,
      viewerIndependent: true,
      description: 'Where the customer approved, once they have.',
    }),
    justification: t.exposeString('justification', {
      nullable: true,
      viewerIndependent: true,
      description: 'Why it was asked for.',
    }),
    requestedAt: t.expose('requestedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'When it was asked for.',
    }),
    approvalDueAt: t.expose('approvalDueAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'Until when it waits for its decisions.',
    }),
    activatedAt: t.expose('activatedAt', {
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description: 'When the engineer received it, if ever.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description: 'When it ends by itself; null: when the ticket closes.',
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description: 'When it ended, if it has.',
      resolve: (row, _, context) => settled(row, context).endedAt,
    }),
    endReason: t.field({
      type: GrantEndReason,
      nullable: true,
      viewerIndependent: true,
      description: 'Why it ended, if it has.',
      resolve: (row, _, context) => settled(row, context).endReason,
    }),
    version: t.int({
      viewerIndependent: true,
      description: 'Grows by one with every change. Give it as `expectedVersion` to decide on what you saw.',
      resolve: (row, _, context) => settled(row, context).version,
    }),
    ticket: t.relation('ticket', { viewerIndependent: true, description: 'The ticket it hangs on.' }),
    engineer: t.relation('engineer', {
      type: SupportEngineer,
      nullable: true,
      viewerIndependent: true,
      description: "The ticket's engineer while it is open, the last one once it is over.",
    }),
    requestedBy: t.relation('requestedBy', {
      type: Account,
      viewerIndependent: true,
      description: 'Who asked for it.',
    }),
    endedBy: t.relation('endedBy', {
      type: Account,
      nullable: true,
      viewerIndependent: true,
      description: 'Who ended it, where a person did.',
    }),
    viewerMay: t.field({
      type: GrantPermissions,
      viewerIndependent: false,
      description:
        'What the viewer may do with the grant at this moment: also in an event, which shows the grant as it was.',
      resolve: (row, _, context) => grantPermissions(row, context),
    }),
    decisions: t.relation('decisions', {
      viewerIndependent: true,
      description: 'The decisions made on it, in order: at most one in each place.',
      query: { orderBy: { id: 'asc' } },
    }),
  }),
});

export const GrantEdge = builder.edgeObject({
  name: 'GrantEdge',
  type: Grant,
  description: 'A grant in a list.',
});

export const GrantConnection = builder.connectionObject(
  { name: 'GrantConnection', type: Grant, description: 'A page of grants.' },
  GrantEdge,
);

const GrantFilter = builder.inputType('GrantFilter', {
  description: 'Which grants; everything given must hold.',
  fields: (t) => ({
    states: t.field({
      type: [GrantState],
      description: 'In one of these states now. Outstanding requests are `[PENDING_APPROVAL]`.',
    }),
    siteId: t.id({ description: 'On this site.' }).validate(optionalGlobalId('Site')),
    productId: t.id({ description: 'For this product on its site.' }).validate(optionalGlobalId('Product')),
    ticketId: t.id({ description: 'On this ticket.' }).validate(optionalGlobalId('Ticket')),
    engineerId: t.id({ description: 'Held by this engineer.' }).validate(optionalGlobalId('SupportEngineer')),
    scope: t.field({ type: GrantScopeKind, description: 'Of this kind.' }),
  }),
});

builder.queryField('grants', (t) =>
  t.connection(
    {
      type: Grant,
      nullable: true,
      description: 'The grants the viewer may see, newest first.',
      authScopes: { operation: 'grants' },
      args: { filter: t.arg({ type: GrantFilter, description: 'Which of them.' }) },
      resolve: (_, args, context, info) =>
        keysetConnection(args, byId('grants'), ({ where, ...window }) => {
          const { states, siteId, productId, ticketId, engineerId, scope } = args.filter ?? {};
          const filter: Prisma.GrantWhereInput = {
            ...(siteId == null ? {} : { siteId }),
            ...(productId == null ? {} : { ticket: { productId } }),
            ...(ticketId == null ? {} : { ticketId }),
            ...(engineerId == null ? {} : { engineerId }),
            ...(scope == null ? {} : { scopeKind: scope }),
            ...(states == null ? {} : inStates(states, context.services.clock())),
          };
          return context.services.database.prisma.grant.findMany({
            ...nodesQuery(context, info),
            where: { AND: [visibleGrants(viewerOf(context)), filter, where] },
            ...window,
          });
        }),
    },
    GrantConnection,
    GrantEdge,
  ),
);
