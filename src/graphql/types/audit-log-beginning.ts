import type { LogBeginning } from '../../audit/removals.ts';
import { may } from '../../authorization/operations.ts';
import { relationsToLog } from '../../authorization/viewer-relations.ts';
import { builder } from '../builder.ts';
import { type Context, viewerOf } from '../context.ts';

/** Where a log begins, for a viewer who may have its records; null for everybody else, and where nothing was removed. */
export async function beginningFor(context: Context, log: string): Promise<LogBeginning | null> {
  if (!may('proveAuditLog', relationsToLog(viewerOf(context), log))) return null;
  return await context.loaders.auditLogBeginnings.load(log);
}

export const AuditLogBeginning = builder.objectRef<LogBeginning>('AuditLogBeginning').implement({
  description:
    'Where an audit log begins, of which the oldest entries were removed because their organization does not keep them any longer. What proves them stays: positions, hashes and heads.',
  fields: (t) => ({
    position: t.field({
      type: 'SafeInt',
      viewerIndependent: true,
      description: 'The position of the first entry that is kept. Those before it are removed.',
      resolve: ({ removedThrough }) => removedThrough + 1,
    }),
    removedUntil: t.expose('removedUntil', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'When the newest entry happened that is removed.',
    }),
    removedAt: t.expose('removedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'When entries were removed last.',
    }),
  }),
});
