/**
 * Which entries are sent in one message, and as what: the next entries of the log that the stream wants, in order, as many as fit.
 * Pure: the same entries and ends make the same messages, so a message that is sent again has the same id and content.
 */
import { canonicalJson } from '../../platform/canonical-json.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { ocsfEventOf } from '../ocsf/event.ts';
import type { AuditRecord } from '../record.ts';
import type { LogBeginning } from '../removals.ts';
import type { Head } from '../sealed-log.ts';

/** Which entries a stream wants: those that meet every condition that is there. */
export type StreamFilter = {
  actions?: string[];
  actorKinds?: string[];
  outcome?: 'SUCCEEDED' | 'REFUSED';
  /** Global ids, as in records. */
  siteIds?: string[];
};

/** What an entry is sent as. */
export type StreamFormat = 'RECORD' | 'OCSF';

export type Message = {
  readonly id: string;
  /** The position of its last entry. */
  readonly end: number;
  readonly entries: number;
  readonly body: string;
};

export type StreamOf = {
  readonly streamId: string;
  readonly organizationId: string;
  readonly generation: number;
  readonly format: StreamFormat;
  readonly filter: StreamFilter;
  readonly maxBatchBytes: number;
};

function isWanted(filter: StreamFilter, record: AuditRecord): boolean {
  const meets = (among: readonly string[] | undefined, value: string | undefined) =>
    among === undefined || (value !== undefined && among.includes(value));
  return (
    meets(filter.actions, record.action) &&
    meets(filter.actorKinds, record.actor.kind) &&
    (filter.outcome === undefined || filter.outcome === record.outcome) &&
    meets(filter.siteIds, record.siteId)
  );
}

/** How each format writes an entry. */
const writers: Readonly<Record<StreamFormat, (record: AuditRecord) => string>> = {
  RECORD: canonicalJson,
  OCSF: (record) => JSON.stringify(ocsfEventOf(record)),
};

/**
 * The messages for these records of the log, in order. Those that may have been sent already end where they did; the others are
 * as long as fits. An entry that alone is too long for a message has one of its own.
 */
export function messagesOf(
  stream: StreamOf,
  records: readonly AuditRecord[],
  knownEnds: readonly number[] = [],
): Message[] {
  const write = writers[stream.format];
  const messages: Message[] = [];
  const ends = [...knownEnds];
  let texts: string[] = [];
  let first: AuditRecord | undefined;
  let last: AuditRecord | undefined;
  let bytes = 0;

  function close(): void {
    if (first !== undefined && last !== undefined) messages.push(messageOf(stream, first, last, texts));
    [texts, first, last, bytes] = [[], undefined, undefined, 0];
  }

  for (const record of records) {
    while (ends[0] !== undefined && record.position > ends[0]) {
      close();
      ends.shift();
    }
    if (!isWanted(stream.filter, record)) continue;
    const text = write(record);
    const size = Buffer.byteLength(text) + 1;
    if (ends.length === 0 && texts.length > 0 && bytes + size > stream.maxBatchBytes - sizeOfEnvelope)
      close();
    texts.push(text);
    first ??= record;
    last = record;
    bytes += size;
  }
  close();
  return messages;
}

/** More than the bytes of a message around its entries. */
const sizeOfEnvelope = 200;

function messageOf(
  { streamId, organizationId, generation }: StreamOf,
  first: AuditRecord,
  last: AuditRecord,
  texts: readonly string[],
): Message {
  return {
    id: `${streamId.replaceAll('-', '')}_${generation}_${first.position}-${last.position}`,
    end: last.position,
    entries: texts.length,
    body: `{"type":"audit.entries","timestamp":"${last.occurredAt}","data":{"organizationId":"${globalIdOf(organizationId)}","entries":[${texts.join(',')}]}}`,
  };
}

/**
 * The message with a signed head of the log, in every format: what has been sent up to there cannot be changed any more, unseen by
 * whoever keeps it. Without entries.
 */
export function headMessage(
  { streamId, organizationId, generation }: StreamOf,
  { size, note, signedAt }: Pick<Head, 'size' | 'note' | 'signedAt'>,
): Message {
  return {
    id: `${streamId.replaceAll('-', '')}_${generation}_head_${size}`,
    ...{ end: 0, entries: 0 },
    body: JSON.stringify({
      ...{ type: 'audit.head', timestamp: signedAt.toISOString() },
      data: { organizationId: globalIdOf(organizationId), entries: [], head: { size, checkpoint: note } },
    }),
  };
}

/**
 * The message, in every format, that says that the entries up to this position were removed before they were sent: the organization
 * does not keep them any longer. Without entries.
 */
export function removedMessage(
  { streamId, organizationId, generation }: StreamOf,
  { removedThrough, removedAt }: LogBeginning,
): Message {
  return {
    id: `${streamId.replaceAll('-', '')}_${generation}_removed_${removedThrough}`,
    ...{ end: removedThrough, entries: 0 },
    body: JSON.stringify({
      ...{ type: 'audit.removed', timestamp: removedAt.toISOString() },
      data: {
        ...{ organizationId: globalIdOf(organizationId), entries: [] },
        removed: { through: removedThrough },
      },
    }),
  };
}

/** The message by which somebody sees that an endpoint is reached. */
export function testMessage({ streamId, organizationId }: StreamOf, requestedAt: Date): Message {
  return {
    id: `${streamId.replaceAll('-', '')}_test_${requestedAt.getTime()}`,
    end: 0,
    entries: 0,
    body: JSON.stringify({
      type: 'audit.test',
      timestamp: requestedAt.toISOString(),
      data: { organizationId: globalIdOf(organizationId), entries: [] },
    }),
  };
}

function globalIdOf(organizationId: string): string {
  return encodeGlobalId('Organization', organizationId);
}
