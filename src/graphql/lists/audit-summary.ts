/** Counts of the audit log: how many entries there are by actor, action, outcome, product, site, hour or day. */
import { z } from 'zod';
import {
  type Counts,
  type Group,
  type Grouping,
  mostSummarized,
  mostSummarizedByText,
  type Summary,
  summarizeAuditEntries,
} from '../../audit/summary.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { enumValues } from '../enum-values.ts';
import { badUserInput } from '../errors.ts';
import { recordSearch } from '../record-reading.ts';
import { AuditActionEnum, knownAction } from '../types/audit-action.ts';
import { ActorKind } from '../types/audit-actor.ts';
import { asOfDescription, nameOf } from '../types/audit-entry.ts';
import { AuditOutcome } from '../types/audit-outcome.ts';
import { AuditLogFilter, checkPeriod, searchOf } from './audit-filter.ts';

const mostGroupings = 3;
const mostGroups = 1_000;

const AuditGrouping = builder.enumType('AuditGrouping', {
  description: 'What audit entries are counted by.',
  values: enumValues<Grouping>({
    ACTOR: 'Who acted: `actorKind` and `actorEmail`.',
    ACTION: 'What they did: `action`.',
    OUTCOME: 'How it went: `outcome`.',
    PRODUCT: 'Which product it was about: `productKey`.',
    SITE: 'Which site it belongs to: `siteId`, `siteUrl`.',
    HOUR: 'The hour of `occurredAt`, by the clocks of the time zone: `hour`.',
    DAY: 'The day of `occurredAt`, by the calendars of the time zone: `day`.',
  }),
});

const AuditCounts = builder.objectRef<Counts>('AuditCounts').implement({
  description: 'How many audit entries there are. Where the summary is not exact, at least so many.',
  fields: (t) => ({
    entries: t.exposeInt('entries', { description: 'The number of entries.' }),
    attempts: t.exposeInt('attempts', {
      description:
        'The sum of their `count`: the number of attempts, with the repeated refusals that one entry stands for.',
    }),
  }),
});

const AuditGroup = builder.objectRef<Group>('AuditGroup').implement({
  description:
    'Audit entries that have in common what they are counted by. The fields for what they are not counted by are null.',
  fields: (t) => ({
    actorKind: t.field({
      type: ActorKind,
      nullable: true,
      description: 'The kind of the actor.',
      resolve: ({ by }) => (by.actorKind ?? null) as typeof ActorKind.$inferType | null,
    }),
    actorEmail: t.string({
      nullable: true,
      description: 'The email address of the actor. Null for `SYSTEM`.',
      resolve: ({ by }) => by.actorEmail,
    }),
    action: t.field({
      type: AuditActionEnum,
      nullable: true,
      description: 'The action. Null also where only a newer version of the gateway knows it.',
      resolve: ({ by }) => knownAction(by.action ?? ''),
    }),
    outcome: t.field({
      type: AuditOutcome,
      nullable: true,
      description: 'The outcome.',
      resolve: ({ by }) => (by.outcome ?? null) as typeof AuditOutcome.$inferType | null,
    }),
    productKey: t.string({
      nullable: true,
      description: 'The key of the product that the entries were about then. Null also without one.',
      resolve: ({ by }) => by.product,
    }),
    siteId: t.id({
      nullable: true,
      description: 'The global id of the site. Null also without one.',
      resolve: ({ by }) => (by.siteId == null ? null : encodeGlobalId('Site', by.siteId)),
    }),
    siteUrl: t.string({
      nullable: true,
      description: 'The URL of the site. Null also without one, and for engineers where they may not see it.',
      resolve: ({ by }, _, context) => nameOf(context, 'Site', by.siteId ?? null),
    }),
    hour: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'The moment at which the hour begins. Of an hour that the clocks go through twice, each is one of its own.',
      resolve: ({ by }) => (by.hour == null ? null : new Date(by.hour)),
    }),
    day: t.string({
      nullable: true,
      description: 'The day: `2026-03-29`. It has 23 or 25 hours where the clocks are changed.',
      resolve: ({ by }) => by.day,
    }),
    counts: t.field({
      type: AuditCounts,
      description: 'How many entries are in the group.',
      resolve: (group) => group,
    }),
  }),
});

const AuditSummary = builder.objectRef<Summary & { readonly asOf: Date }>('AuditSummary').implement({
  description: 'Counts of audit entries.',
  fields: (t) => ({
    groups: t.field({
      type: [AuditGroup],
      description: 'The groups with the most entries, the largest first.',
      resolve: ({ groups }) => [...groups],
    }),
    otherGroups: t.exposeInt('otherGroups', { description: 'How many more groups there are.' }),
    others: t.field({
      type: AuditCounts,
      description: 'How many entries are in those.',
      resolve: ({ groups, total }) => restOf(total, groups),
    }),
    total: t.field({
      type: AuditCounts,
      description: 'How many entries there are in all.',
      resolve: ({ total }) => total,
    }),
    asOf: t.expose('asOf', { type: 'DateTime', description: asOfDescription }),
    isExact: t.exposeBoolean('isExact', {
      description: `Whether all were counted. False: the newest ${mostSummarized} entries among which they were looked for, or ${mostSummarizedByText} with \`text\`, were looked at, and there may be more. Choose a shorter period.`,
    }),
  }),
});

function restOf(total: Counts, groups: readonly Counts[]): Counts {
  const sumOf = (name: keyof Counts) => groups.reduce((sum, counts) => sum + counts[name], 0);
  return { entries: total.entries - sumOf('entries'), attempts: total.attempts - sumOf('attempts') };
}

const groupings = z
  .array(z.custom<Grouping>())
  .min(1, 'must name what to count by.')
  .max(mostGroupings, `must have at most ${mostGroupings} values: there would be too many groups.`)
  .transform((list) => [...new Set(list)])
  .refine((list) => !(list.includes('HOUR') && list.includes('DAY')), 'must have HOUR or DAY, not both.');

const numberOfGroups = z
  .int()
  .min(1, 'must be at least 1.')
  .max(mostGroups, `must be at most ${mostGroups}.`)
  .nullish();

const timeZoneName = z
  .string()
  .max(64, 'must have at most 64 characters.')
  .refine(isTimeZone, 'must be the name of a time zone: Europe/Berlin, UTC.')
  .nullish();

/** Names of the IANA database alone: neither offsets nor the rules of POSIX, which PostgreSQL takes for time zones, too. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

builder.queryField('auditSummary', (t) =>
  t.field({
    type: AuditSummary,
    nullable: true,
    description:
      'How many entries of the audit log there are, of those that the viewer may read. Null with an error.',
    authScopes: { operation: 'auditSummary' },
    // It reads so much that it waits for its turn among the large operations, which have more than 1,000 objects.
    extensions: { objects: 1_001 },
    args: {
      filter: t.arg({
        type: AuditLogFilter,
        description: 'Which entries. Default: all that the viewer may read.',
      }),
      groupBy: t.arg({
        type: [AuditGrouping],
        required: true,
        description: `What to count by: 1 to ${mostGroupings} of these. Entries are in one group if they have all of them in common.`,
        validate: groupings,
      }),
      top: t.arg.int({
        description: `How many groups to tell apart, the largest ones: at most ${mostGroups}. Default: 20.`,
        validate: numberOfGroups,
      }),
      timeZone: t.arg.string({
        description: 'The time zone of hours and days, by its name in the IANA database. Default: `UTC`.',
        validate: timeZoneName,
      }),
    },
    resolve: async (_, { filter: asked, groupBy, top, timeZone }, context, info) => {
      checkPeriod(asked ?? {});
      const { places, filter } = await searchOf(context, asked ?? {});
      const how = { by: groupBy, top: top ?? 20, timeZone: timeZone ?? 'UTC' };
      try {
        const { clock, database, laggingReads } = context.services;
        const asOf = clock();
        const { found, behindMs } = await laggingReads.read(database.pool, viewerOf(context).id, (db) =>
          summarizeAuditEntries(db, places, filter, how),
        );
        await recordSearch(context, 'audit_entries.count', info, { places, shown: [] });
        return found && { ...found, asOf: new Date(asOf.getTime() - behindMs) };
      } catch (error) {
        if (isUnknownToPostgres(error))
          throw badUserInput(
            `The database does not know the time zone ${how.timeZone}. Give its other name.`,
          );
        throw error;
      }
    },
  }),
);

/** `invalid_parameter_value`: of these, only the time zone was not checked against what PostgreSQL knows. */
function isUnknownToPostgres(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '22023';
}
