import type { AuditAction } from '../../audit/actions.ts';
import { statusOf } from '../../audit/streams/health.ts';
import type { StreamFilter, StreamFormat } from '../../audit/streams/messages.ts';
import type { StreamHealth } from '../../audit/streams/store.ts';
import { findSecret } from '../../audit/streams/store.ts';
import type { StreamWithSecret } from '../../commands/audit-streams.ts';
import { builder } from '../builder.ts';
import { Account } from './account.ts';
import { AuditActionEnum, knownAction } from './audit-action.ts';
import { ActorKind } from './audit-actor.ts';
import { AuditOutcome } from './audit-outcome.ts';
import { AuditStreamPermissions, streamPermissions } from './permissions.ts';

const AuditStreamState = builder.enumType('AuditStreamState', {
  description: 'Whether the audit log is sent to an endpoint.',
  values: {
    ACTIVE: { description: 'It is sent.' },
    PAUSED: { description: 'Somebody has paused it.' },
    DISABLED: {
      description: 'Latchkey has disabled it: the endpoint answered 410, or has failed for days.',
    },
  } as const,
});

export const AuditStreamFormat = builder.enumType('AuditStreamFormat', {
  description: 'As what entries are sent.',
  values: {
    RECORD: { description: 'As in the log: `docs/audit-streams.md`.' },
    OCSF: { description: 'As events of OCSF 1.8.0.' },
  } satisfies Record<StreamFormat, object>,
});

const AuditStreamStatus = builder.enumType('AuditStreamStatus', {
  description: 'How a stream of the audit log is.',
  values: {
    HEALTHY: { description: 'Everything was delivered, or is about to be.' },
    FAILING: { description: 'The last attempt failed. Others follow.' },
    SILENT: { description: 'Entries have waited for five minutes without an attempt to send them.' },
    PAUSED: { description: 'It is paused.' },
    DISABLED: { description: 'It is disabled.' },
  } as const,
});

const AuditStreamSelection = builder.objectRef<StreamFilter>('AuditStreamSelection').implement({
  description: 'Which entries of the audit log are sent: those that meet every condition that is not null.',
  fields: (t) => ({
    actions: t.field({
      type: [AuditActionEnum],
      nullable: true,
      description: 'Only entries of these actions.',
      resolve: ({ actions }) =>
        actions?.map(knownAction).filter((action): action is AuditAction => action !== null) ?? null,
    }),
    actorKinds: t.field({
      type: [ActorKind],
      nullable: true,
      description: 'Only entries of actors of these kinds.',
      resolve: ({ actorKinds }) => (actorKinds as (typeof ActorKind.$inferType)[] | undefined) ?? null,
    }),
    outcome: t.field({
      type: AuditOutcome,
      nullable: true,
      description: 'Only entries with this outcome.',
      resolve: ({ outcome }) => outcome ?? null,
    }),
    siteIds: t.idList({
      nullable: true,
      description: 'Only entries that belong to these sites, by global id.',
      resolve: ({ siteIds }) => (siteIds === undefined ? null : [...siteIds]),
    }),
  }),
});

const AuditStreamTest = builder.objectRef<StreamHealth>('AuditStreamTest').implement({
  description: 'The last test message of a stream.',
  fields: (t) => ({
    isWaiting: t.boolean({
      description: 'Whether one waits to be sent.',
      resolve: ({ testRequestedAt }) => testRequestedAt !== null,
    }),
    sentAt: t.expose('testedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The time when the last one was sent. Null: none was.',
    }),
    error: t.exposeString('testError', {
      nullable: true,
      description: 'Why it was not accepted. Null: it was, or none was sent.',
    }),
  }),
});

const AuditStreamHealth = builder
  .objectRef<StreamHealth & { state: typeof AuditStreamState.$inferType }>('AuditStreamHealth')
  .implement({
    description: 'How far a stream is, and how it is.',
    fields: (t) => ({
      status: t.field({
        type: AuditStreamStatus,
        description: 'How it is.',
        resolve: (health, _, { services }) => statusOf(health.state, health, services.clock()),
      }),
      position: t.field({
        type: 'SafeInt',
        description: 'The position in the log up to which everything was delivered, or is not wanted.',
        resolve: ({ position }) => position,
      }),
      waitingEntries: t.field({
        type: 'SafeInt',
        description: 'How many entries of the log come after it, wanted or not.',
        resolve: ({ waitingEntries }) => waitingEntries,
      }),
      lagSeconds: t.int({
        description: 'For how many seconds the first of them has waited. 0: none waits.',
        resolve: ({ waitingSince }, _, { services }) =>
          waitingSince === null
            ? 0
            : Math.min(
                2 ** 31 - 1,
                Math.max(0, Math.round((services.clock().getTime() - waitingSince.getTime()) / 1_000)),
              ),
      }),
      failedAttempts: t.exposeInt('attempts', {
        description: 'How many attempts have failed in a row, of ten.',
      }),
      nextAttemptAt: t.field({
        type: 'DateTime',
        nullable: true,
        description:
          'The time of the next attempt. Null: the last one did not fail, or there is no next one.',
        resolve: ({ attempts, dueAt, state }) => (attempts > 0 && state === 'ACTIVE' ? dueAt : null),
      }),
      lastAttemptAt: t.expose('lastAttemptAt', {
        type: 'DateTime',
        nullable: true,
        description: 'The time of the last attempt. Null: there was none.',
      }),
      lastSuccessAt: t.expose('lastSuccessAt', {
        type: 'DateTime',
        nullable: true,
        description: 'The time when the endpoint last accepted entries. Null: it never has.',
      }),
      lastError: t.exposeString('lastError', {
        nullable: true,
        description: 'Why the last attempt failed, in plain words. Null: it did not.',
      }),
      test: t.field({
        type: AuditStreamTest,
        description: 'The last test message.',
        resolve: (health) => health,
      }),
    }),
  });

export const AuditStream = builder.prismaNode('AuditStream', {
  description:
    'An endpoint to which the audit log of an organization with Guard is sent, signed by Standard Webhooks: a SIEM.',
  id: { field: 'id', description: 'The global id: opaque, and unique in the whole schema.' },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What its organization calls it.' }),
    endpointUrl: t.exposeString('url', { description: 'The URL to which it is sent.' }),
    format: t.field({
      type: AuditStreamFormat,
      description: 'As what entries are sent.',
      resolve: ({ format }) => format as StreamFormat,
    }),
    filter: t.field({
      type: AuditStreamSelection,
      description: 'Which entries are sent.',
      resolve: ({ filter }) => filter as StreamFilter,
    }),
    maxBatchBytes: t.exposeInt('maxBatchBytes', {
      description: 'How many bytes a message has at most, unless a single entry has more.',
    }),
    state: t.expose('state', { type: AuditStreamState, description: 'Whether it is sent.' }),
    // `resolve` is for a stream that was just deleted: its row is gone, but the account is not.
    createdBy: t.relation('createdBy', {
      type: Account,
      description: 'The account that created it.',
      resolve: (query, { createdById: id }, _, { services }) =>
        services.database.prisma.account.findUniqueOrThrow({ ...query, where: { id } }),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'The time when it was created.' }),
    health: t.field({
      type: AuditStreamHealth,
      nullable: true,
      description: 'How far it is, and how it is. Null: it was deleted.',
      resolve: async ({ id, state }, _, { loaders }) => {
        const health = await loaders.auditStreamHealth.load(id);
        return health && { ...health, state };
      },
    }),
    viewerMay: t.field({
      type: AuditStreamPermissions,
      nullable: true,
      description: 'What the viewer may do with the stream at this moment. Null: it was deleted.',
      resolve: ({ id }, _, context) => streamPermissions(id, context),
    }),
    version: t.exposeInt('version', { description: 'Starts at 1, and grows by one with every change.' }),
  }),
});

export const AuditStreamWithSecret = builder.objectRef<StreamWithSecret>('AuditStreamWithSecret').implement({
  description: 'A stream of the audit log, with its new secret, which is shown only here.',
  fields: (t) => ({
    auditStream: t.field({
      type: AuditStream,
      description: 'The stream.',
      resolve: ({ stream }) => stream,
    }),
    secret: t.string({
      nullable: true,
      description:
        'What its messages are signed with, `whsec_…`: keep it. Null in a repeated answer, if it is no longer in use.',
      resolve: ({ secretId }, _, { services }) => findSecret(services.database.prisma, secretId),
    }),
  }),
});

export const AuditStreamEdge = builder.edgeObject({
  name: 'AuditStreamEdge',
  type: AuditStream,
  description: 'A stream of the audit log in a list.',
});

export const AuditStreamConnection = builder.connectionObject(
  { name: 'AuditStreamConnection', type: AuditStream, description: 'A page of streams of the audit log.' },
  AuditStreamEdge,
);
