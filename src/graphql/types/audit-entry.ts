import { JSONObjectResolver } from 'graphql-scalars';
import type { AuditEntry as AuditRow } from '../../../prisma/generated/client/client.ts';
import {
  type AuditPlace,
  countAuditEntries,
  type FilteredColumn,
  searchAuditEntries,
} from '../../audit/search.ts';
import { placesOfAuditEntries, seesClientAddress } from '../../authorization/visibility.ts';
import { asciiLowerCase } from '../../platform/ascii.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { boundedByPosition } from '../audit-order.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { badUserInput } from '../errors.ts';
import { listOf, lookUpKey, maxValues, optionalGlobalId, optionalValues } from '../input.ts';
import { keysetConnection } from '../keyset-connection.ts';
import { idsField, periodFields } from '../lists/conditions.ts';
import { mostCounted, totalOf } from '../lists/counted.ts';
import { inAskedOrder, ListOrder, nameInCursors } from '../lists/order.ts';
import { totalCount } from '../lists/total-count.ts';
import { nodeOf } from '../visible-node.ts';
import { AuditActionEnum, knownAction } from './audit-action.ts';
import { ActorKind, AuditActor } from './audit-actor.ts';
import { ErrorCode, knownErrorCode } from './error.ts';
import { Grant } from './grant.ts';
import { Organization } from './organization.ts';
import { Site } from './site.ts';
import { Ticket } from './ticket.ts';

builder.addScalarType('JSONObject', JSONObjectResolver);

const AuditOutcome = builder.enumType('AuditOutcome', {
  description: 'The outcome of an action.',
  values: {
    SUCCEEDED: { description: 'The action succeeded.' },
    REFUSED: { description: 'The action was refused. Nothing changed.' },
  } as const,
});

const AuditResource = builder.objectRef<AuditRow>('AuditResource').implement({
  description: 'What an action was about.',
  fields: (t) => ({
    type: t.exposeString('resourceType', {
      description:
        "The name of its type in this schema, for example `Grant`: the node's `__typename`. In small letters for a resource of a product, as its backend calls it: `work_item`.",
    }),
    name: t.string({
      nullable: true,
      description:
        'What people call it: the key of a ticket or of a product, the ticket key of a grant or of a support session, the URL of a site, the sentence of a proposed change, the email address of an account or of the holder of a role, the name of an organization, the id of a resource of a product. These do not change, except for the name of an organization, which is the present one. Null where it does not exist, which is so for what a refused command wanted to create, and for engineers where they may not see it.',
      resolve: async ({ resourceType: type, resourceId: id, details }, _, context) => {
        if (isOfProduct(type)) return id;
        if (!(await mayName(context, type, id))) return null;
        return (await context.loaders.resourceNames.load({ type, id })) ?? nameIn(type, details);
      },
    }),
    node: t.field({
      type: builder.nodeInterfaceRef(),
      nullable: true,
      description:
        'The resource as it is now. Null where it does not exist any more, or the viewer may not see it.',
      resolve: async ({ resourceType: type, resourceId: id }, _, { loaders }) =>
        (await loaders.visibleNodes.load({ type, id })) as never,
    }),
  }),
});

/** Whether a resource is one of a product's, which its backend asked about. Types of this schema have capital letters. */
function isOfProduct(type: string): boolean {
  return /^[a-z]/.test(type);
}

/**
 * The name of an account or of a role assignment from the details of its entry: it is there even if the row was
 * deleted.
 */
function nameIn(type: string, details: unknown): string | null {
  const isPerson = ['RoleAssignment', 'User', 'SupportEngineer', 'Operator', 'ServiceAccount'].includes(type);
  const email = isPerson ? (details as Record<string, unknown>)['email'] : undefined;
  return typeof email === 'string' ? email : null;
}

async function nameOf(context: Context, type: string, id: string | null): Promise<string | null> {
  if (id === null || !(await mayName(context, type, id))) return null;
  return await context.loaders.resourceNames.load({ type, id });
}

/**
 * Whoever reads a log may know what everything on it is called. Engineers read only what they did, so they are told the
 * names of what they may see.
 */
async function mayName(context: Context, type: string, id: string): Promise<boolean> {
  return viewerOf(context).kind !== 'SUPPORT_ENGINEER' || (await nodeOf(context, type, id)) !== null;
}

/** The types of the ids in `details`, by key. */
const typesOfIds: Readonly<Record<string, string>> = {
  approverId: 'User',
  askedById: 'ServiceAccount',
  changeRequestId: 'ChangeRequest',
  engineerId: 'SupportEngineer',
  formerEngineerId: 'SupportEngineer',
  onBehalfOfId: 'User',
  organizationId: 'Organization',
  productId: 'Product',
  recipientId: 'User',
  relayedById: 'ServiceAccount',
  reporterId: 'User',
  siteId: 'Site',
  userId: 'User',
};

function withGlobalIds(details: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(details).map(([name, value]) => {
    const type = typesOfIds[name];
    return [name, type === undefined || typeof value !== 'string' ? value : encodeGlobalId(type, value)];
  });
  return Object.fromEntries(entries);
}

function optionalIdOf(type: string, id: string | null): string | null {
  return id === null ? null : encodeGlobalId(type, id);
}

export const AuditEntry = builder.prismaNode('AuditEntry', {
  description:
    'One entry of the audit log: an action that succeeded or was refused. Entries are never changed and never removed.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    occurredAt: t.expose('occurredAt', {
      type: 'DateTime',
      description: 'The time of the action, by the clock of the database.',
    }),
    actor: t.field({
      type: AuditActor,
      description: 'Who acted.',
      resolve: (row) => row,
    }),
    action: t.field({
      type: AuditActionEnum,
      nullable: true,
      description:
        'The action. Null only where a newer version of the gateway has recorded an action that this version does not know.',
      resolve: ({ action }) => knownAction(action),
    }),
    resource: t.field({
      type: AuditResource,
      description: 'What the action was about.',
      resolve: (row) => row,
    }),
    outcome: t.expose('outcome', { type: AuditOutcome, description: 'Whether it succeeded or was refused.' }),
    refusalCode: t.field({
      type: ErrorCode,
      nullable: true,
      description:
        "Why it was refused. Null where it succeeded, and for a question of a product's backend: the `reason` of that is in its `details`.",
      resolve: ({ refusalCode }) => knownErrorCode(refusalCode),
    }),
    count: t.exposeInt('count', {
      description:
        'How many attempts it stands for: 1, unless somebody repeated what was refused. The first refusal has an entry of its own. Those like it within the same minute have one entry together, with the times `since` and `until` in its `details`; it comes when the minute is over.',
    }),
    clientAddress: t.string({
      nullable: true,
      description:
        "From which address the actor's request came: IPv4, or IPv6 by RFC 5952. Null where no request of the actor's caused it, such as a time limit, a question of a product's backend or an event of a ticketing system; where it is not known; and where the viewer may not see it: a customer sees the addresses of users, the vendor those of its own people and programs, and everybody their own.",
      resolve: (row, _, context) => (seesClientAddress(viewerOf(context), row) ? row.clientAddress : null),
    }),
    details: t.field({
      type: 'JSONObject',
      description:
        'What changed, with global ids: `docs/audit.md` has the shape for each action. Empty where there is nothing to add.',
      resolve: ({ details }) => withGlobalIds(details as Record<string, unknown>),
    }),
    organizationId: t.id({
      nullable: true,
      description:
        "The global id of the organization whose log it is in. Null for an entry of the vendor's own log, which operators read.",
      resolve: ({ organizationId }) => optionalIdOf('Organization', organizationId),
    }),
    organization: t.field({
      type: Organization,
      nullable: true,
      description:
        'The organization whose log it is in. Null without one, or where the viewer may not see it.',
      resolve: ({ organizationId }, _, context) => nodeOf(context, 'Organization', organizationId),
    }),
    organizationName: t.string({
      nullable: true,
      description:
        'The present display name of the organization. Null without one, and for engineers where they may not see it.',
      resolve: ({ organizationId }, _, context) => nameOf(context, 'Organization', organizationId),
    }),
    siteId: t.id({
      nullable: true,
      description: 'The global id of the site it belongs to. Null for an action that is not about one site.',
      resolve: ({ siteId }) => optionalIdOf('Site', siteId),
    }),
    site: t.field({
      type: Site,
      nullable: true,
      description: 'The site it belongs to. Null without one, or where the viewer may not see it.',
      resolve: ({ siteId }, _, context) => nodeOf(context, 'Site', siteId),
    }),
    siteUrl: t.string({
      nullable: true,
      description:
        'The URL of the site, which never changes. Null without one, and for engineers where they may not see it.',
      resolve: ({ siteId }, _, context) => nameOf(context, 'Site', siteId),
    }),
    ticketId: t.id({
      nullable: true,
      description:
        'The global id of the ticket it belongs to. Null for an action that is not about one ticket.',
      resolve: ({ ticketId }) => optionalIdOf('Ticket', ticketId),
    }),
    ticket: t.field({
      type: Ticket,
      nullable: true,
      description: 'The ticket it belongs to. Null without one, or where the viewer may not see it.',
      resolve: ({ ticketId }, _, context) => nodeOf(context, 'Ticket', ticketId),
    }),
    ticketKey: t.string({
      nullable: true,
      description:
        'The key of the ticket, for example `SUP-1042`, which never changes. Null without one, and for engineers where they may not see it.',
      resolve: ({ ticketId }, _, context) => nameOf(context, 'Ticket', ticketId),
    }),
    grantId: t.id({
      nullable: true,
      description:
        'The global id of the grant it belongs to. Null for an action that is not about one grant.',
      resolve: ({ grantId }) => optionalIdOf('Grant', grantId),
    }),
    grant: t.field({
      type: Grant,
      nullable: true,
      description:
        'The grant it belongs to, as it is now. Null without one, or where the viewer may not see it.',
      resolve: ({ grantId }, _, context) => nodeOf(context, 'Grant', grantId),
    }),
    supportSessionId: t.id({
      nullable: true,
      description:
        'The global id of the support session in which it happened, or which it is about. Null without one.',
      resolve: ({ sessionId }) => optionalIdOf('SupportSession', sessionId),
    }),
  }),
});

export const AuditEntryEdge = builder.edgeObject({
  name: 'AuditEntryEdge',
  type: AuditEntry,
  description: 'An entry in a list.',
});

export const AuditEntryConnection = builder.connectionObject(
  {
    name: 'AuditEntryConnection',
    type: AuditEntry,
    description: 'A page of entries of the audit log.',
    fields: (t) => ({ totalCount: t.field(totalCount) }),
  },
  AuditEntryEdge,
);

const AuditLogFilter = builder.inputType('AuditLogFilter', {
  description: 'Selects audit entries. All the conditions given must hold.',
  fields: (t) => ({
    organizationId: t
      .id({ description: "Only entries in this organization's log." })
      .validate(optionalGlobalId('Organization')),
    actorEmail: t
      .string({ description: 'Only entries of the actor with exactly this email address, in any case.' })
      .validate(lookUpKey(254).nullish()),
    actorEmails: t
      .stringList({
        description: `Only entries of the actors with these email addresses, in any case, at most ${maxValues}.`,
      })
      .validate(listOf(lookUpKey(254).transform(asciiLowerCase))),
    actorKind: t.field({ type: ActorKind, description: 'Only entries of actors of this kind.' }),
    action: t.field({ type: AuditActionEnum, description: 'Only entries of this action.' }),
    actions: t
      .field({
        type: [AuditActionEnum],
        description: `Only entries of one of these actions, at most ${maxValues}.`,
      })
      .validate(optionalValues<typeof AuditActionEnum.$inferType>()),
    outcome: t.field({ type: AuditOutcome, description: 'Only entries with this outcome.' }),
    siteId: t
      .id({ description: 'Only entries that belong to this site.' })
      .validate(optionalGlobalId('Site')),
    siteIds: idsField(t, 'Site', 'Only entries that belong to one of these sites'),
    ticketId: t
      .id({ description: 'Only entries that belong to this ticket.' })
      .validate(optionalGlobalId('Ticket')),
    grantId: t
      .id({ description: 'Only entries that belong to this grant.' })
      .validate(optionalGlobalId('Grant')),
    supportSessionId: t
      .id({ description: 'Only entries that belong to this support session.' })
      .validate(optionalGlobalId('SupportSession')),
    ...periodFields(t, 'entries', 'occurredAt'),
  }),
});

type Filter = typeof AuditLogFilter.$inferInput;

/** The values that entries have to have, by column. Of two conditions on one column, both hold. */
function valuesOf(filter: Filter) {
  const { supportSessionId, grantId, ticketId, actorEmail, actorEmails } = filter;
  const { action, actions, actorKind, outcome } = filter;
  const email = actorEmail == null ? null : asciiLowerCase(actorEmail);
  return {
    ...(supportSessionId == null ? {} : { session_id: [supportSessionId] }),
    ...(grantId == null ? {} : { grant_id: [grantId] }),
    ...(ticketId == null ? {} : { ticket_id: [ticketId] }),
    ...given('actor_email', email, actorEmails),
    ...given('action', action, actions),
    ...(actorKind == null ? {} : { actor_kind: [actorKind] }),
    ...(outcome == null ? {} : { outcome: [outcome] }),
  };
}

function given<Column extends FilteredColumn>(
  column: Column,
  one: string | null | undefined,
  several: readonly string[] | null | undefined,
): { [Name in Column]?: readonly string[] } {
  const both = (several ?? [one ?? '']).filter((value) => one == null || value === one);
  return one == null && several == null ? {} : ({ [column]: both } as { [Name in Column]: string[] });
}

/** What of the places is in this organization, on this site and on one of these sites, as far as they are given. */
function within(places: readonly AuditPlace[], { organizationId, siteId, siteIds }: Filter): AuditPlace[] {
  const sites = siteId == null ? siteIds : [siteId].filter((id) => siteIds?.includes(id) ?? true);
  const isElsewhere = (here: string | undefined, other: string | null | undefined) =>
    here !== undefined && other != null && here !== other;
  return places
    .filter((place) => !isElsewhere(place.organizationId, organizationId))
    .map((place) => ({ ...place, ...(organizationId == null ? {} : { organizationId }) }))
    .flatMap((place) => {
      if (sites == null) return place;
      // No index has the entries of an actor on a site.
      if (place.actor !== undefined) return { ...place, onSites: sites };
      return sites.filter((id) => !isElsewhere(place.siteId, id)).map((id) => ({ ...place, siteId: id }));
    });
}

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntry,
      nullable: true,
      description:
        'The audit log of the organizations whose log the viewer may read, newest first unless asked otherwise: every change and every refusal. For engineers, what they did themselves. Null with an error.',
      authScopes: { operation: 'auditLog' },
      args: {
        filter: t.arg({
          type: AuditLogFilter,
          description: 'Which entries. Default: all that the viewer may read.',
        }),
        orderBy: t.arg({ type: ListOrder, description: 'In which order. Default: the newest first.' }),
      },
      resolve: async (_, args, context) => {
        const asks = args.filter ?? {};
        const { from, until } = asks;
        if (from != null && until != null && from >= until)
          throw badUserInput('filter.from must be before filter.until.');
        const places = within(placesOfAuditEntries(viewerOf(context)), asks);
        const filter = { values: valuesOf(asks), from: from ?? null, until: until ?? null };
        const { prisma, pool } = context.services.database;
        const byPosition = await boundedByPosition(prisma, nameInCursors('auditLog', args), args);
        const page = await keysetConnection(
          args,
          inAskedOrder(byPosition, args),
          ({ where, orderBy: order, take: limit }) =>
            searchAuditEntries(pool, places, filter, { ...where, order, limit }),
        );
        const count = async () => {
          const { fitting, isComplete } = await countAuditEntries(pool, places, filter, mostCounted + 1);
          return totalOf(fitting, isComplete);
        };
        return { ...page, count };
      },
    },
    AuditEntryConnection,
    AuditEntryEdge,
  ),
);
