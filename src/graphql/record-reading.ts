/** Puts on record that the viewer has read the audit log: src/audit/readings.ts. */
import { type GraphQLResolveInfo, getArgumentValues } from 'graphql';
import type { AuditPlace } from '../audit/filter.ts';
import type { ReadingAction } from '../audit/readings.ts';
import { logsRead, type ShownEntry, showsAsked } from '../authorization/logs-read.ts';
import { type Context, viewerOf } from './context.ts';

/** What a field was asked for, as its client wrote it, with global ids. */
type Asked = {
  readonly filter?: Readonly<Record<string, unknown>> | null;
  readonly groupBy?: readonly string[];
};

/** A longer filter is on record by the names of its conditions alone. In characters. */
const longestFilter = 2_000;

/**
 * Resolves once a search or a count is on record.
 *
 * @param places where it has looked
 * @param shown the entries that it shows
 */
export async function recordSearch(
  context: Context,
  action: ReadingAction,
  info: GraphQLResolveInfo,
  { places, shown }: { readonly places: readonly AuditPlace[]; readonly shown: readonly ShownEntry[] },
): Promise<void> {
  const viewer = viewerOf(context);
  const logs = logsRead(viewer, places, shown);
  const { filter, groupBy } = askedIn(info);
  const given = Object.entries(filter ?? {}).filter(([, value]) => value != null);
  const counted = groupBy === undefined ? {} : { groupBy };
  const conditions = given.length === 0 ? {} : { conditions: given.map(([name]) => name) };
  const isShort = JSON.stringify(given).length <= longestFilter;
  const whole = {
    ...conditions,
    ...(given.length > 0 && isShort ? { filter: Object.fromEntries(given) } : {}),
  };
  await context.services.readings.record(
    logs.map((logId) => ({
      ...{ action, reader: viewer, source: context.operation.source, logId },
      details: { ...counted, ...(showsAsked(viewer, logId, logs) ? whole : conditions) },
    })),
  );
}

/** Resolves once it is on record that entries were read by their ids: where those are is where was looked. */
export async function recordLookUp(context: Context, shown: readonly ShownEntry[]): Promise<void> {
  if (shown.length === 0) return;
  const viewer = viewerOf(context);
  const places = shown.map(({ organizationId }) => (organizationId === null ? {} : { organizationId }));
  await context.services.readings.record(
    logsRead(viewer, places, shown).map((logId) => ({
      ...{ action: 'audit_entries.search', reader: viewer, source: context.operation.source, logId },
      details: { conditions: ['id'] },
    })),
  );
}

/** Resolves once it is on record that a head or proofs of a log were read. */
export async function recordProof(
  context: Context,
  logId: string,
  of: 'HEAD' | 'ENTRY' | 'GRANT' | 'CONSISTENCY',
): Promise<void> {
  const reader = viewerOf(context);
  await context.services.readings.record([
    { action: 'audit_entries.prove', reader, source: context.operation.source, logId, details: { of } },
  ]);
}

function askedIn({ parentType, fieldName, fieldNodes, variableValues }: GraphQLResolveInfo): Asked {
  const field = parentType.getFields()[fieldName];
  const [node] = fieldNodes;
  return field === undefined || node === undefined ? {} : getArgumentValues(field, node, variableValues);
}
