import { JSONObjectResolver, SafeIntResolver } from 'graphql-scalars';
import type { AuditEntry as AuditRow } from '../../../prisma/generated/client/client.ts';
import { detailsWithGlobalIds, isOfProduct } from '../../audit/record.ts';
import { seesClientAddress, seesPosition } from '../../authorization/visibility.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { vendorOrganizationId } from '../../roles/vendor-organization.ts';
import { inclusionProofText } from '../../transparency/inclusion-proof.ts';
import { inclusionRanges } from '../../transparency/merkle-tree.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';
import { totalCount } from '../lists/total-count.ts';
import { nodeOf } from '../visible-node.ts';
import { AuditActionEnum, knownAction } from './audit-action.ts';
import { AuditActor } from './audit-actor.ts';
import { headFor } from './audit-log-head.ts';
import { AuditOutcome } from './audit-outcome.ts';
import { ErrorCode, knownErrorCode } from './error.ts';
import { Grant } from './grant.ts';
import { Organization } from './organization.ts';
import { Site } from './site.ts';
import { Ticket } from './ticket.ts';

builder.addScalarType('JSONObject', JSONObjectResolver);
builder.addScalarType('SafeInt', SafeIntResolver, {
  description: 'A whole number of at most 53 bits, as a number of JSON: more than an `Int` holds.',
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
        'What people call it: the key of a ticket or of a product, the ticket key of a grant or of a support session, the URL of a site, the sentence of a proposed change, the name of a stream of the audit log, the email address of an account or of the holder of a role, the name of an organization, the id of a resource of a product. These do not change, except for the names of organizations and streams, which are the present ones. Null where it does not exist, which is so for what a refused command wanted to create, and for engineers where they may not see it.',
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

/**
 * The name of an account, of a role assignment or of a stream of the audit log from the details of its entry: it is there even if
 * the row was deleted.
 */
function nameIn(type: string, details: unknown): string | null {
  const isPerson = [
    'RoleAssignment',
    'User',
    'SupportEngineer',
    'Operator',
    'ComplianceAnalyst',
    'ServiceAccount',
  ].includes(type);
  if (!isPerson && type !== 'AuditStream') return null;
  const name = (details as Record<string, unknown>)[isPerson ? 'email' : 'name'];
  return typeof name === 'string' ? name : null;
}

export async function nameOf(context: Context, type: string, id: string | null): Promise<string | null> {
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

function optionalIdOf(type: string, id: string | null): string | null {
  return id === null ? null : encodeGlobalId(type, id);
}

export const AuditEntry = builder.prismaNode('AuditEntry', {
  description:
    'One entry of the audit log: an action that succeeded or was refused. Entries are never changed, and removed only once their organization does not keep them any longer.',
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    position: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'Its position in the log of its organization, or in the log of the vendor: 1, 2, 3 … without gaps, in the order of the log. It never changes. Given within a second of the action, as a rule: null until then, and for viewers who see only a part of that log.',
      resolve: (row, _, context) =>
        seesPosition(viewerOf(context), row) ? context.loaders.auditPositions.load(row) : null,
    }),
    inclusionProof: t.string({
      nullable: true,
      description:
        "The proof that its record is in the sealed log, by C2SP tlog-proof: a text with the signed head. For those who see `auditLogHead`, and operators and compliance analysts for the vendor's own log. Null for everybody else, and until it is sealed: within two seconds after it has its position, as a rule.",
      resolve: async (row, _, context) => {
        const log = row.organizationId ?? vendorOrganizationId;
        const head = await headFor(context, log, 'ENTRY');
        const position = head === null ? null : await context.loaders.auditPositions.load(row);
        if (head === null || position === null || position > head.size) return null;
        const leaf = position - 1;
        const path = await context.loaders.auditProofs.load({
          log,
          ranges: inclusionRanges(leaf, head.size),
        });
        return inclusionProofText({ leaf, path, checkpoint: head.note });
      },
    }),
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
    userAgent: t.string({
      nullable: true,
      description:
        "What the program calls itself that sent the actor's request, in visible ASCII, at most 256 characters. Null as `clientAddress` is, and for those who may not see that.",
      resolve: (row, _, context) => (seesClientAddress(viewerOf(context), row) ? row.userAgent : null),
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description:
        "The id of the actor's request: its `X-Request-ID`, or one that the gateway has given it. It is in the gateway's logs as well. What one request caused has the same; over a WebSocket, it is that of the request that opened it. Null where no request of the actor's caused it, and in entries of earlier versions.",
    }),
    traceId: t.exposeString('traceId', {
      nullable: true,
      description:
        "The id of the trace that the actor's request was a part of, in 32 hexadecimal digits: the gateway's, or that of the request's `traceparent`. Null without one.",
    }),
    details: t.field({
      type: 'JSONObject',
      description:
        'What changed, with global ids: `docs/audit.md` has the shape for each action. Empty where there is nothing to add.',
      resolve: ({ details }) => detailsWithGlobalIds(details),
    }),
    organizationId: t.id({
      nullable: true,
      description:
        "The global id of the organization whose log it is in. Null for an entry of the vendor's own log, which operators and compliance analysts read.",
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
    productKey: t.exposeString('productKey', {
      nullable: true,
      description:
        'The key of the product it was about then, for example `jira`: that of its ticket, of the question of a backend, or of a licence. Null where it is about none, and in entries of earlier versions.',
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

export const asOfDescription =
  'Everything that was on the log at this moment was looked at. It may be a few seconds ago where the gateway reads the log from a replica of its database; what the viewer has done by this gateway is included all the same.';

export const AuditEntryConnection = builder.connectionObject(
  {
    name: 'AuditEntryConnection',
    type: AuditEntry,
    description: 'A page of entries of the audit log.',
    fields: (t) => ({
      totalCount: t.field(totalCount),
      asOf: t.field({
        type: 'DateTime',
        viewerIndependent: false,
        description: asOfDescription,
        resolve: (page, _, { services }) =>
          'asOf' in page && page.asOf instanceof Date ? page.asOf : services.clock(),
      }),
    }),
  },
  AuditEntryEdge,
);
