import type { Delivery } from '../../events/subscriber.ts';
import { builder } from '../builder.ts';
import { enumValues } from '../enum-values.ts';
import { AuditLogFilter } from '../lists/audit-filter.ts';
import { type AuditEvent, streamAuditEvents } from '../subscriptions/audit-events.ts';
import { AuditEntry } from './audit-entry.ts';
import { ResumableEvent, resolveDelivery } from './resumable-event.ts';

const AuditEventType = builder.enumType('AuditEventType', {
  description: 'The type of an event of the audit log.',
  values: enumValues<AuditEvent['type']>({
    STARTED:
      'No entry: the subscription has started. Always delivered first, whatever `filter` says. Its `entry` is null.',
    ENTRY: 'An entry of the audit log.',
  }),
});

const AuditEventRef = builder.objectRef<Delivery<AuditEvent>>('AuditEvent').implement({
  description:
    'An event of the audit log. Entries are delivered in the order of the log, each once, as soon as they have their positions.',
  interfaces: [ResumableEvent],
  fields: (t) => ({
    type: t.field({
      type: AuditEventType,
      viewerIndependent: true,
      description: 'What it is: an entry, or the beginning of the subscription.',
      resolve: ({ event }) => event.type,
    }),
    entry: t.field({
      type: AuditEntry,
      nullable: true,
      description: 'The entry; null for `STARTED`.',
      resolve: ({ event: { entry, position } }, _, { loaders }) => {
        if (entry === undefined) return null;
        loaders.auditPositions.prime(entry, position ?? null);
        return entry;
      },
    }),
  }),
});

builder.subscriptionField('auditEvents', (t) =>
  t.field({
    type: AuditEventRef,
    description:
      'The entries of the audit log as they are written: those that `auditLog` with the same filter shows the viewer, in its order `OLDEST`, each once. The first event is always `STARTED`. A viewer who loses the right to a log receives no more of it. `docs/events.md` is the contract.',
    authScopes: { operation: 'auditEvents' },
    args: {
      filter: t.arg({
        type: AuditLogFilter,
        description: 'Which entries. Default: all that the viewer may read.',
      }),
      after: t.arg.string({
        description:
          'The `cursor` of the last event received: the subscription continues with the entry after it. Default: it starts now.',
      }),
    },
    subscribe: (_, { filter, after }, context, info) =>
      streamAuditEvents(context, filter ?? {}, after ?? null, info),
    resolve: resolveDelivery,
  }),
);
