/** Mutations on streams of the audit log. */
import { z } from 'zod';
import type { AuditAction } from '../../audit/actions.ts';
import { longestUrl, readEndpoint } from '../../audit/streams/endpoint.ts';
import type { StreamFilter } from '../../audit/streams/messages.ts';
import {
  createAuditStream,
  defaultBatchBytes,
  deleteAuditStream,
  mostStreams,
  pauseAuditStream,
  replayAuditStream,
  resumeAuditStream,
  rotateAuditStreamSecret,
  testAuditStream,
  updateAuditStream,
} from '../../commands/audit-streams.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { builder } from '../builder.ts';
import { globalId, line, maxValues, optionalGlobalIds, optionalValues } from '../input.ts';
import { addCommand, type InputFields } from '../mutation.ts';
import { AuditActionEnum } from '../types/audit-action.ts';
import { ActorKind } from '../types/audit-actor.ts';
import { AuditOutcome } from '../types/audit-outcome.ts';
import { AuditStream, AuditStreamFormat, AuditStreamWithSecret } from '../types/audit-stream.ts';

const validEndpoint = z.string().transform((text, context) => {
  const read = readEndpoint(text);
  if ('url' in read) return read.url;
  context.addIssue({ code: 'custom', message: read.problem });
  return z.NEVER;
});

const batchBytes = z
  .int('must be a whole number of bytes.')
  .min(1_000, 'must be at least 1000.')
  .max(1_000_000, 'must be at most 1000000.')
  .nullish();

const position = z
  .int('must be a whole number.')
  .min(0, 'must not be negative.')
  .max(Number.MAX_SAFE_INTEGER, 'must be a position of the log.');

const AuditStreamFilter = builder.inputType('AuditStreamFilter', {
  description: 'Which entries of the audit log are sent: those that meet every condition that is given.',
  fields: (t) => ({
    actions: t
      .field({ type: [AuditActionEnum], description: `Only entries of these actions, at most ${maxValues}.` })
      .validate(optionalValues<AuditAction>()),
    actorKinds: t
      .field({
        type: [ActorKind],
        description: `Only entries of actors of these kinds, at most ${maxValues}: \`[SUPPORT_ENGINEER]\` is what support did.`,
      })
      .validate(optionalValues<typeof ActorKind.$inferType>()),
    outcome: t.field({ type: AuditOutcome, description: 'Only entries with this outcome.' }),
    siteIds: t
      .idList({ description: `Only entries that belong to these sites, at most ${maxValues}.` })
      .validate(optionalGlobalIds('Site')),
  }),
});

type GivenFilter = {
  actions?: string[] | null | undefined;
  actorKinds?: string[] | null | undefined;
  outcome?: 'SUCCEEDED' | 'REFUSED' | null | undefined;
  siteIds?: string[] | null | undefined;
};

function filterOf({ actions, actorKinds, outcome, siteIds }: GivenFilter): StreamFilter {
  return {
    ...(actions == null ? {} : { actions }),
    ...(actorKinds == null ? {} : { actorKinds }),
    ...(outcome == null ? {} : { outcome }),
    ...(siteIds == null ? {} : { siteIds: siteIds.map((id) => encodeGlobalId('Site', id)) }),
  };
}

const named = (t: InputFields) => ({
  auditStreamId: t.id({ required: true, description: 'The stream.' }).validate(globalId('AuditStream')),
});

const settings = (t: InputFields) => ({
  format: t.field({ type: AuditStreamFormat, description: 'As what entries are sent. Default: `RECORD`.' }),
  filter: t.field({ type: AuditStreamFilter, description: 'Which entries are sent. Default: all.' }),
  maxBatchBytes: t
    .int({
      description: `How many bytes a message has at most, from 1,000 to 1,000,000, unless a single entry has more. Default: ${defaultBatchBytes}.`,
    })
    .validate(batchBytes),
});

addCommand(createAuditStream, {
  type: AuditStreamWithSecret,
  description: `Streams the audit log of an organization with Guard to an endpoint, as an organization admin or a Guard admin of the organization: at most ${mostStreams}. The answer has the secret, which is not shown again.`,
  input: {
    description: 'The endpoint.',
    fields: (t) => ({
      organizationId: t
        .id({ required: true, description: 'The organization.' })
        .validate(globalId('Organization')),
      name: t
        .string({ required: true, description: 'What to call it: one line of at most 100 characters.' })
        .validate(line(100)),
      endpointUrl: t
        .string({
          required: true,
          description: `The URL to which it is sent: \`https://\`, of at most ${longestUrl} characters.`,
        })
        .validate(validEndpoint),
      ...settings(t),
      after: t
        .field({
          type: 'SafeInt',
          description:
            'The position of the log after which it begins; 0: at the beginning. Default: the last one, so only with what comes.',
        })
        .validate(position.nullish()),
    }),
  },
  toInput: ({ endpointUrl: url, format, filter, maxBatchBytes, after, ...input }) => ({
    ...input,
    url,
    format: format ?? 'RECORD',
    filter: filterOf(filter ?? {}),
    maxBatchBytes: maxBatchBytes ?? defaultBatchBytes,
    after: after ?? null,
  }),
});

addCommand(updateAuditStream, {
  type: AuditStream,
  description:
    'Changes a stream, as an organization admin or a Guard admin of the organization. What is left out stays, also the filter. What was not delivered yet is sent as it is then.',
  input: {
    description: 'What to change.',
    fields: (t) => ({
      ...named(t),
      name: t.string({ description: 'What to call it. Default: as before.' }).validate(line(100).nullish()),
      endpointUrl: t
        .string({ description: 'The URL to which it is sent. Default: as before.' })
        .validate(validEndpoint.nullish()),
      format: t.field({ type: AuditStreamFormat, description: 'Default: as before.' }),
      filter: t.field({
        type: AuditStreamFilter,
        description: 'Replaces the whole filter; `{}`: all entries. Default: as before.',
      }),
      maxBatchBytes: t.int({ description: 'Default: as before.' }).validate(batchBytes),
    }),
  },
  toInput: ({ auditStreamId, name, endpointUrl: url, format, filter, maxBatchBytes }) => ({
    auditStreamId,
    ...(name == null ? {} : { name }),
    ...(url == null ? {} : { url }),
    ...(format == null ? {} : { format }),
    ...(filter == null ? {} : { filter: filterOf(filter) }),
    ...(maxBatchBytes == null ? {} : { maxBatchBytes }),
  }),
});

addCommand(rotateAuditStreamSecret, {
  type: AuditStreamWithSecret,
  description:
    'Gives a stream a new secret. The one before signs beside it for 24 hours. The answer has the new one, which is not shown again.',
  input: { description: 'The stream.', fields: named },
  toInput: (input) => input,
});

addCommand(pauseAuditStream, {
  type: AuditStream,
  description:
    'Pauses a stream. What is being sent may still arrive within a few seconds. The log keeps what comes meanwhile.',
  input: { description: 'The stream.', fields: named },
  toInput: (input) => input,
});

addCommand(resumeAuditStream, {
  type: AuditStream,
  description: 'Resumes a stream that was paused or disabled, where it has stopped.',
  input: { description: 'The stream.', fields: named },
  toInput: (input) => input,
});

addCommand(replayAuditStream, {
  type: AuditStream,
  description: 'Sends everything after a position of the log, again or for the first time.',
  input: {
    description: 'The stream and the position.',
    fields: (t) => ({
      ...named(t),
      after: t
        .field({ type: 'SafeInt', required: true, description: 'The position; 0: the whole log.' })
        .validate(position),
    }),
  },
  toInput: (input) => input,
});

addCommand(testAuditStream, {
  type: AuditStream,
  description:
    'Sends a test message to the endpoint, also while the stream is paused or disabled. What comes of it is in `health.test` within seconds. Asked for again before that, it is the same message.',
  input: { description: 'The stream.', fields: named },
  toInput: (input) => input,
});

addCommand(deleteAuditStream, {
  type: AuditStream,
  description: 'Deletes a stream and its secrets. Returns it as it was. The audit log stays as it is.',
  input: { description: 'The stream.', fields: named },
  toInput: (input) => input,
});
