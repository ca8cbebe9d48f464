/** The commands on streams of the audit log: to which endpoints it is sent, from where on, and signed with what. */
import { randomBytes } from 'node:crypto';
import type { AuditAction } from '../audit/actions.ts';
import { problemOf, publicOnly } from '../audit/streams/endpoint.ts';
import type { StreamFilter, StreamFormat } from '../audit/streams/messages.ts';
import {
  type AuditStream,
  addSecret,
  countStreams,
  deleteStream,
  findStream,
  insertStream,
  lockAuditStream,
  lockAuditStreamsOf,
  readLogLength,
  requestTest,
  restartProgress,
  saveStream,
  startGeneration,
} from '../audit/streams/store.ts';
import type { MutationName } from '../authorization/operations.ts';
import {
  relationsToGuardedOrganization,
  seesAuditStream,
  seesOrganization,
} from '../authorization/viewer-relations.ts';
import type { Viewer } from '../identity/viewer.ts';
import { findOrganization, type Organization } from '../organizations/store.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import {
  invalidInput,
  invalidState,
  type Refusal,
  type RefusalCode,
  refusalsOfEveryCommand,
} from './refusal.ts';

/** Endpoints of one organization. */
export const mostStreams = 10;
/** Bytes of a message, unless an endpoint takes more. */
export const defaultBatchBytes = 20_000;
/** Milliseconds for which an earlier secret signs beside the new one. */
const overlap = 24 * 60 * 60 * 1_000;

/** A stream, and the id of its new secret, which is shown to whoever runs the command. */
export type StreamWithSecret = { id: string; stream: AuditStream; secretId: string };

type NewSecret = { secretId: string; secret: string };

function newSecret(now: Date): NewSecret {
  return { secretId: newId(now), secret: `whsec_${randomBytes(32).toString('base64')}` };
}

const withoutGuard = (): Refusal =>
  invalidState(
    'ORGANIZATION_WITHOUT_GUARD',
    'The organization does not have Guard, so its audit log is not streamed.',
  );

export type CreateStreamInput = {
  organizationId: string;
  name: string;
  url: string;
  format: StreamFormat;
  filter: StreamFilter;
  maxBatchBytes: number;
  /** After which position of the log it begins. Null: after the last one. */
  after: number | null;
};

type CreateFacts = NewSecret & { id: string; organization: Organization; count: number; length: number };

/** Begins with what comes, or after a position of the log. */
export const createAuditStream: Command<CreateStreamInput, CreateFacts, StreamWithSecret> = {
  operation: 'createAuditStream',
  action: 'audit_stream.create',
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', 'ORGANIZATION_WITHOUT_GUARD', 'TOO_MANY_AUDIT_STREAMS'],
  resource: 'Organization',
  lock: (tx, { organizationId }) => lockAuditStreamsOf(tx, organizationId),
  load: async (tx, { organizationId }, now) => {
    const organization = await findOrganization(tx, organizationId);
    if (organization === null) return null;
    return {
      ...{ id: newId(now), organization, count: await countStreams(tx, organizationId) },
      ...{ length: await readLogLength(tx, organizationId), ...newSecret(now) },
    };
  },
  relations: (viewer, { organization }) => relationsToGuardedOrganization(viewer, organization.id),
  isVisible: seesOrganization,
  seesAnswer: (viewer, { stream }) => administers(viewer, stream),
  auditContext: ({ organization: { id: organizationId } }) => ({ organizationId }),
  auditResource: ({ organization: { id } }) => ({ type: 'Organization', id }),
  decide: ({ id, organization, count, length, ...secret }, { after, ...input }, { viewer, now, rules }) => {
    if (!organization.hasGuard) return { refused: withoutGuard() };
    const problem = problemOf(input.url, rules.streamNetworks ?? publicOnly);
    if (problem !== null) return { refused: invalidInput('endpointUrl', problem) };
    if (after !== null && after > length) return { refused: beyondTheLog('after', length) };
    if (count >= mostStreams) return { refused: invalidState('TOO_MANY_AUDIT_STREAMS') };
    const stream: AuditStream = {
      ...{ id, ...input, state: 'ACTIVE', disabledReason: null },
      ...{ createdById: viewer.id, createdAt: now, version: 1 },
    };
    const position = after ?? length;
    return {
      answer: { id, stream, secretId: secret.secretId },
      write: (tx) => insertStream(tx, stream, { position, ...secret }),
      entry: {
        auditResource: { type: 'AuditStream', id },
        details: { name: stream.name, to: settingsOf(stream), after: position },
      },
    };
  },
};

type StreamInput = { auditStreamId: string };
/** What commands on a stream are decided on: the stream, whether its organization has Guard, and how long the log is. */
export type StreamFacts = NewSecret & { stream: AuditStream; hasGuard: boolean; length: number };

type StreamSpec<Input, Row extends object> = {
  operation: MutationName;
  action: AuditAction;
  refusals?: readonly RefusalCode[];
  streamOf: (row: Row) => AuditStream;
  decide: (facts: StreamFacts, input: Input, by: DecisionContext) => Outcome<Row>;
};

function streamCommand<Input extends StreamInput, Row extends object>({
  refusals = [],
  streamOf,
  ...spec
}: StreamSpec<Input, Row>): Command<Input, StreamFacts, Row> {
  return {
    ...spec,
    refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', ...refusals],
    resource: 'AuditStream',
    lock: (tx, { auditStreamId }) => lockAuditStream(tx, auditStreamId),
    load: async (tx, { auditStreamId }, now) => {
      const found = await findStream(tx, auditStreamId);
      if (found === null) return null;
      return { ...found, length: await readLogLength(tx, found.stream.organizationId), ...newSecret(now) };
    },
    relations: (viewer, { stream }) => relationsToGuardedOrganization(viewer, stream.organizationId),
    isVisible: seesAuditStream,
    seesAnswer: (viewer, row) => administers(viewer, streamOf(row)),
    auditContext: ({ stream: { organizationId } }) => ({ organizationId }),
    auditResource: ({ stream: { id } }) => ({ type: 'AuditStream', id }),
  };
}

const itself = (stream: AuditStream): AuditStream => stream;

export type UpdateStreamInput = StreamInput & Partial<Omit<CreateStreamInput, 'organizationId' | 'after'>>;

/** What is left out stays, also the filter. */
export const updateAuditStream = streamCommand<UpdateStreamInput, AuditStream>({
  operation: 'updateAuditStream',
  action: 'audit_stream.update',
  streamOf: itself,
  decide: ({ stream }, { auditStreamId: _, ...given }, { now, rules }) => {
    const problem = given.url === undefined ? null : problemOf(given.url, rules.streamNetworks ?? publicOnly);
    if (problem !== null) return { refused: invalidInput('endpointUrl', problem) };
    const next = { ...stream, ...given, version: stream.version + 1 };
    return {
      answer: next,
      write: async (tx) => {
        await saveStream(tx, next);
        // Other messages from here on, so they have other ids. Whatever has failed may be put right by it.
        await startGeneration(tx, stream.id, { dueAt: now });
      },
      entry: { details: { name: next.name, from: settingsOf(stream), to: settingsOf(next) } },
    };
  },
});

/** The secret before signs beside the new one for a day, so that the receiver may change to it meanwhile. */
export const rotateAuditStreamSecret = streamCommand<StreamInput, StreamWithSecret>({
  operation: 'rotateAuditStreamSecret',
  action: 'audit_stream.rotate_secret',
  streamOf: ({ stream }) => stream,
  decide: ({ stream, secretId, secret }, _, { now }) => {
    const othersUntil = new Date(now.getTime() + overlap);
    const next = { ...stream, version: stream.version + 1 };
    return {
      answer: { id: stream.id, stream: next, secretId },
      write: async (tx) => {
        await saveStream(tx, next);
        await addSecret(tx, stream, { secretId, secret, othersUntil });
      },
      entry: { details: { name: stream.name, formerSecretUntil: othersUntil } },
    };
  },
});

export const pauseAuditStream = streamCommand<StreamInput, AuditStream>({
  operation: 'pauseAuditStream',
  action: 'audit_stream.pause',
  refusals: ['AUDIT_STREAM_NOT_ACTIVE'],
  streamOf: itself,
  decide: ({ stream }) =>
    stream.state === 'ACTIVE'
      ? changedTo(stream, { state: 'PAUSED', disabledReason: null })
      : { refused: invalidState('AUDIT_STREAM_NOT_ACTIVE') },
});

/** Goes on where it was, also after it was disabled. The log is what waits: nothing of it is lost meanwhile. */
export const resumeAuditStream = streamCommand<StreamInput, AuditStream>({
  operation: 'resumeAuditStream',
  action: 'audit_stream.resume',
  refusals: ['AUDIT_STREAM_ACTIVE', 'ORGANIZATION_WITHOUT_GUARD'],
  streamOf: itself,
  decide: ({ stream, hasGuard }, _, { now }) => {
    if (!hasGuard) return { refused: withoutGuard() };
    if (stream.state === 'ACTIVE') return { refused: invalidState('AUDIT_STREAM_ACTIVE') };
    return changedTo(stream, { state: 'ACTIVE', disabledReason: null }, (tx) =>
      restartProgress(tx, stream.id, now),
    );
  },
});

/** Sends everything after a position, again or for the first time. */
export const replayAuditStream = streamCommand<StreamInput & { after: number }, AuditStream>({
  operation: 'replayAuditStream',
  action: 'audit_stream.replay',
  streamOf: itself,
  decide: ({ stream, length }, { after }, { now }) => {
    if (after > length) return { refused: beyondTheLog('after', length) };
    const next = { ...stream, version: stream.version + 1 };
    return {
      answer: next,
      write: async (tx) => {
        await saveStream(tx, next);
        await startGeneration(tx, stream.id, { position: after, dueAt: now });
      },
      entry: { details: { name: stream.name, after } },
    };
  },
});

/** What comes of it is in the health of the stream. */
export const testAuditStream = streamCommand<StreamInput, AuditStream>({
  operation: 'testAuditStream',
  action: 'audit_stream.test',
  refusals: ['ORGANIZATION_WITHOUT_GUARD'],
  streamOf: itself,
  decide: ({ stream, hasGuard }, _, { now }) =>
    hasGuard
      ? {
          answer: stream,
          write: (tx) => requestTest(tx, stream.id, now),
          entry: { details: { name: stream.name } },
        }
      : { refused: withoutGuard() },
});

export const deleteAuditStream = streamCommand<StreamInput, AuditStream>({
  operation: 'deleteAuditStream',
  action: 'audit_stream.delete',
  streamOf: itself,
  decide: ({ stream }) => ({
    answer: stream,
    write: (tx) => deleteStream(tx, stream.id),
    entry: { details: { name: stream.name, from: settingsOf(stream) } },
  }),
});

function changedTo(
  stream: AuditStream,
  change: Pick<AuditStream, 'state' | 'disabledReason'>,
  alsoWrite: (tx: Transaction) => Promise<void> = async () => {},
): Outcome<AuditStream> {
  const next = { ...stream, ...change, version: stream.version + 1 };
  return {
    answer: next,
    write: async (tx) => {
      await saveStream(tx, next);
      await alsoWrite(tx);
    },
    entry: { details: { name: stream.name, from: stream.state, to: next.state } },
  };
}

/** What the audit log says of a stream. The URL may be secret in parts, so the log has its origin alone. */
function settingsOf({ name, url, format, filter, maxBatchBytes }: AuditStream) {
  return { name, origin: new URL(url).origin, format, filter, maxBatchBytes };
}

function beyondTheLog(path: string, length: number): Refusal {
  return invalidInput(path, `must be a position of the log, or 0: its last one is ${length}.`);
}

function administers(viewer: Viewer, { organizationId }: AuditStream): boolean {
  const relations = relationsToGuardedOrganization(viewer, organizationId);
  return relations.has('ORGANIZATION_ADMIN') || relations.has('GUARD_ADMIN');
}
