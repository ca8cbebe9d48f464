import { JSONObjectResolver } from 'graphql-scalars';
import { z } from 'zod';
import type { AuditEntry as AuditRow, Prisma } from '../../../prisma/generated/client/client.ts';
import { auditActions } from '../../audit/actions.ts';
import { visibleAuditEntries } from '../../authorization/visibility.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { badUserInput } from '../errors.ts';
import { encodeGlobalId } from '../global-id.ts';
import { optionalDate, optionalGlobalId, optionalLine } from '../input.ts';
import { keysetConnection, type Ordering } from '../keyset-connection.ts';

builder.addScalarType('JSONObject', JSONObjectResolver);

const ActorKind = builder.enumType('ActorKind', {
  description: 'Who acted.',
  values: {
    USER: { description: "A customer's user." },
    SUPPORT_ENGINEER: { description: 'A support engineer.' },
    OPERATOR: { description: "The vendor's operator." },
    SERVICE_ACCOUNT: { description: 'A program.' },
    SYSTEM: { description: 'Latchkey itself: a time limit.' },
  } as const,
});

const AuditOutcome = builder.enumType('AuditOutcome', {
  description: 'How it went.',
  values: {
    SUCCEEDED: { description: 'It was done.' },
    REFUSED: { description: 'It was refused; nothing changed.' },
  } as const,
});

const AuditActor = builder.objectRef<AuditRow>('AuditActor').implement({
  description: 'Who acted, as they were then.',
  fields: (t) => ({
    kind: t.field({
      type: ActorKind,
      description: 'What they are.',
      resolve: ({ actorKind }) => actorKind as typeof ActorKind.$inferType,
    }),
    email: t.exposeString('actorEmail', {
      nullable: true,
      description: 'Their email address; null for Latchkey itself.',
    }),
    name: t.exposeString('actorName', { description: 'Their name.' }),
  }),
});

const AuditResource = builder.objectRef<AuditRow>('AuditResource').implement({
  description: 'What was acted on.',
  fields: (t) => ({
    type: t.exposeString('resourceType', { description: 'The name of its type: `Grant`.' }),
    id: t.string({
      description: 'Its global id.',
      resolve: ({ resourceType, resourceId }) => encodeGlobalId(resourceType, resourceId),
    }),
  }),
});

/** Of what type the things are that details name by their ids. */
const typesOfIds: Readonly<Record<string, string>> = {
  engineerId: 'SupportEngineer',
  formerEngineerId: 'SupportEngineer',
  organizationId: 'Organization',
  productId: 'Product',
  recipientId: 'User',
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

const AuditEntry = builder.prismaNode('AuditEntry', {
  description: 'One line of the record. It never changes and never goes.',
  id: { field: 'id', viewerIndependent: true, description: 'The global id.' },
  fields: (t) => ({
    occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When.' }),
    actor: t.field({ type: AuditActor, description: 'Who.', resolve: (row) => row }),
    action: t.exposeString('action', { description: 'What, as `resource.verb`: `grant.approve`.' }),
    resource: t.field({ type: AuditResource, description: 'To what.', resolve: (row) => row }),
    outcome: t.expose('outcome', { type: AuditOutcome, description: 'How it went.' }),
    refusalCode: t.exposeString('refusalCode', {
      nullable: true,
      description: 'Why it was refused, if it was.',
    }),
    details: t.field({
      type: 'JSONObject',
      description: 'What changed: docs/audit.md has the shape for each action.',
      resolve: ({ details }) => withGlobalIds(details as Record<string, unknown>),
    }),
    organizationId: t.id({
      nullable: true,
      description: "The global id of the organization whose record it is in; null: the vendor's alone.",
      resolve: ({ organizationId }) => optionalIdOf('Organization', organizationId),
    }),
    siteId: t.id({
      nullable: true,
      description: 'The global id of the site it belongs to, if it belongs to one.',
      resolve: ({ siteId }) => optionalIdOf('Site', siteId),
    }),
    ticketId: t.id({
      nullable: true,
      description: 'The global id of the ticket it belongs to, if it belongs to one.',
      resolve: ({ ticketId }) => optionalIdOf('Ticket', ticketId),
    }),
    grantId: t.id({
      nullable: true,
      description: 'The global id of the grant it belongs to, if it belongs to one.',
      resolve: ({ grantId }) => optionalIdOf('Grant', grantId),
    }),
  }),
});

const AuditEntryEdge = builder.edgeObject({
  name: 'AuditEntryEdge',
  type: AuditEntry,
  description: 'An entry in a list.',
});

const AuditEntryConnection = builder.connectionObject(
  { name: 'AuditEntryConnection', type: AuditEntry, description: 'A page of entries of the audit log.' },
  AuditEntryEdge,
);

const knownAction = z.enum(auditActions, { error: 'must be an action that docs/audit.md lists.' }).nullish();

const AuditLogFilter = builder.inputType('AuditLogFilter', {
  description: 'Which entries; everything given must hold.',
  fields: (t) => ({
    organizationId: t.id({ description: 'Of this organization.' }).validate(optionalGlobalId('Organization')),
    actorEmail: t
      .string({ description: 'By the actor with exactly this email address.' })
      .validate(optionalLine(254)),
    actorKind: t.field({ type: ActorKind, description: 'By an actor of this kind.' }),
    action: t.string({ description: 'Of exactly this action.' }).validate(knownAction),
    outcome: t.field({ type: AuditOutcome, description: 'With this outcome.' }),
    siteId: t.id({ description: 'On this site.' }).validate(optionalGlobalId('Site')),
    ticketId: t.id({ description: 'On this ticket.' }).validate(optionalGlobalId('Ticket')),
    grantId: t.id({ description: 'On this grant.' }).validate(optionalGlobalId('Grant')),
    from: t.field({ type: 'DateTime', description: 'At this moment or later.' }).validate(optionalDate),
    until: t.field({ type: 'DateTime', description: 'Before this moment.' }).validate(optionalDate),
  }),
});

/** By the place where entries became visible: transaction, then number. */
const byPosition: Ordering<
  AuditRow,
  Prisma.AuditEntryWhereInput,
  Prisma.AuditEntryOrderByWithRelationInput[]
> = {
  list: 'auditLog',
  keyOf: ({ txid, seq }) => `${txid}.${seq}`,
  isKey: (text) => /^\d{1,18}\.\d{1,18}$/.test(text),
  where: (below, above) => ({
    AND: [...(below === null ? [] : [beyond(below, 'lt')]), ...(above === null ? [] : [beyond(above, 'gt')])],
  }),
  orderBy: (direction) => [{ txid: direction }, { seq: direction }],
};

function beyond(key: string, side: 'lt' | 'gt'): Prisma.AuditEntryWhereInput {
  const [txid = 0n, seq = 0n] = key.split('.').map(BigInt);
  const inclusive = side === 'lt' ? { lte: txid } : { gte: txid };
  return { txid: inclusive, OR: [{ txid: { [side]: txid } }, { txid, seq: { [side]: seq } }] };
}

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntry,
      description:
        "The record of the viewer's organizations, newest first: every decision and every refusal.",
      authScopes: { operation: 'auditLog' },
      args: { filter: t.arg({ type: AuditLogFilter, description: 'Which entries.' }) },
      resolve: (_, args, context) => {
        const {
          organizationId,
          actorEmail,
          actorKind,
          action,
          outcome,
          siteId,
          ticketId,
          grantId,
          from,
          until,
        } = args.filter ?? {};
        if (from != null && until != null && from >= until)
          throw badUserInput('filter.from must be before filter.until.');
        const filter: Prisma.AuditEntryWhereInput = {
          ...(organizationId == null ? {} : { organizationId }),
          ...(actorEmail == null ? {} : { actorEmail: actorEmail.toLowerCase() }),
          ...(actorKind == null ? {} : { actorKind }),
          ...(action == null ? {} : { action }),
          ...(outcome == null ? {} : { outcome }),
          ...(siteId == null ? {} : { siteId }),
          ...(ticketId == null ? {} : { ticketId }),
          ...(grantId == null ? {} : { grantId }),
          ...(from == null && until == null
            ? {}
            : {
                occurredAt: {
                  ...(from == null ? {} : { gte: from }),
                  ...(until == null ? {} : { lt: until }),
                },
              }),
        };
        return keysetConnection(args, byPosition, ({ where, ...window }) =>
          context.services.database.prisma.auditEntry.findMany({
            where: { AND: [visibleAuditEntries(viewerOf(context)), filter, where] },
            ...window,
          }),
        );
      },
    },
    AuditEntryConnection,
    AuditEntryEdge,
  ),
);
