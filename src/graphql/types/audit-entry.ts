import { JSONObjectResolver } from 'graphql-scalars';
import type { AuditEntry as AuditRow } from '../../../prisma/generated/client/client.ts';
import { type AuditPlace, searchAuditEntries } from '../../audit/search.ts';
import { placesOfAuditEntries } from '../../authorization/visibility.ts';
import { asciiLowerCase } from '../../platform/ascii.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { boundedByPosition } from '../audit-order.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { badUserInput } from '../errors.ts';
import { lookUpKey, optionalDate, optionalGlobalId } from '../input.ts';
import { keysetConnection } from '../keyset-connection.ts';
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
        'What people call it: the key of a ticket or of a product, the ticket key of a grant or of a support session, the URL of a site, the sentence of a proposed change, the email address of an account or of the holder of a role, the name of an organization, the id of a resource of a product. These do not change, except for the name of an organization, which is the present one. Null where it does not exist, which is so for what a refused command wanted to create.',
      resolve: async ({ resourceType: type, resourceId: id, details }, _, { loaders }) =>
        isOfProduct(type) ? id : ((await loaders.resourceNames.load({ type, id })) ?? nameIn(type, details)),
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

async function nameOf({ loaders }: Context, type: string, id: string | null): Promise<string | null> {
  return id === null ? null : await loaders.resourceNames.load({ type, id });
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
      description: 'The present display name of the organization. Null without one.',
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
      description: 'The URL of the site, which never changes. Null without one.',
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
      description: 'The key of the ticket, for example `SUP-1042`, which never changes. Null without one.',
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
  { name: 'AuditEntryConnection', type: AuditEntry, description: 'A page of entries of the audit log.' },
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
    actorKind: t.field({ type: ActorKind, description: 'Only entries of actors of this kind.' }),
    action: t.field({ type: AuditActionEnum, description: 'Only entries of this action.' }),
    outcome: t.field({ type: AuditOutcome, description: 'Only entries with this outcome.' }),
    siteId: t
      .id({ description: 'Only entries that belong to this site.' })
      .validate(optionalGlobalId('Site')),
    ticketId: t
      .id({ description: 'Only entries that belong to this ticket.' })
      .validate(optionalGlobalId('Ticket')),
    grantId: t
      .id({ description: 'Only entries that belong to this grant.' })
      .validate(optionalGlobalId('Grant')),
    supportSessionId: t
      .id({ description: 'Only entries that belong to this support session.' })
      .validate(optionalGlobalId('SupportSession')),
    from: t
      .field({ type: 'DateTime', description: 'Only entries with `occurredAt` at this time or later.' })
      .validate(optionalDate),
    until: t
      .field({ type: 'DateTime', description: 'Only entries with `occurredAt` before this time.' })
      .validate(optionalDate),
  }),
});

/** What of the places is in this organization and on this site, as far as either is given. */
function within(
  places: readonly AuditPlace[],
  organizationId: string | null | undefined,
  siteId: string | null | undefined,
): AuditPlace[] {
  const isElsewhere = (here: string | undefined, given: string | null | undefined) =>
    here !== undefined && given != null && here !== given;
  return places
    .filter(
      (place) => !isElsewhere(place.organizationId, organizationId) && !isElsewhere(place.siteId, siteId),
    )
    .map((place) => ({
      ...place,
      ...(organizationId == null ? {} : { organizationId }),
      ...(siteId == null ? {} : { siteId }),
    }));
}

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntry,
      nullable: true,
      description:
        'The audit log of the organizations whose log the viewer may read, newest first: every change and every refusal. Null with an error.',
      authScopes: { operation: 'auditLog' },
      args: {
        filter: t.arg({
          type: AuditLogFilter,
          description: 'Which entries. Default: all that the viewer may read.',
        }),
      },
      resolve: async (_, args, context) => {
        const {
          organizationId,
          actorEmail,
          actorKind,
          action,
          outcome,
          siteId,
          ticketId,
          grantId,
          supportSessionId,
          from,
          until,
        } = args.filter ?? {};
        if (from != null && until != null && from >= until)
          throw badUserInput('filter.from must be before filter.until.');
        const values = {
          ...(supportSessionId == null ? {} : { session_id: [supportSessionId] }),
          ...(grantId == null ? {} : { grant_id: [grantId] }),
          ...(ticketId == null ? {} : { ticket_id: [ticketId] }),
          ...(actorEmail == null ? {} : { actor_email: [asciiLowerCase(actorEmail)] }),
          ...(action == null ? {} : { action: [action] }),
          ...(actorKind == null ? {} : { actor_kind: [actorKind] }),
          ...(outcome == null ? {} : { outcome: [outcome] }),
        };
        const places = within(placesOfAuditEntries(viewerOf(context)), organizationId, siteId);
        const filter = { values, from: from ?? null, until: until ?? null };
        const { prisma, pool } = context.services.database;
        return await keysetConnection(
          args,
          await boundedByPosition(prisma, 'auditLog', args),
          ({ where, orderBy: order, take: limit }) =>
            searchAuditEntries(pool, places, filter, { ...where, order, limit }),
        );
      },
    },
    AuditEntryConnection,
    AuditEntryEdge,
  ),
);
