/** The list of the entries of the audit log. */
import { countAuditEntries, hasEverythingBeside, searchAuditEntries } from '../../audit/search.ts';
import { boundedByPosition } from '../audit-order.ts';
import { builder } from '../builder.ts';
import { viewerOf } from '../context.ts';
import { keysetConnection } from '../keyset-connection.ts';
import { recordSearch } from '../record-reading.ts';
import { AuditEntry, AuditEntryConnection, AuditEntryEdge } from '../types/audit-entry.ts';
import { AuditLogFilter, checkPeriod, searchOf } from './audit-filter.ts';
import { mostCounted, totalOf } from './counted.ts';
import { inAskedOrder, ListOrder, nameInCursors } from './order.ts';

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEntry,
      nullable: true,
      description:
        'The audit log of the organizations whose log the viewer may read, newest first unless asked otherwise: every change and every refusal. For engineers, what they did themselves. The oldest first, it has only entries with positions: nothing appears between these any more, so whoever goes on from the last cursor misses nothing and gets nothing twice. Null with an error.',
      authScopes: { operation: 'auditLog' },
      args: {
        filter: t.arg({
          type: AuditLogFilter,
          description: 'Which entries. Default: all that the viewer may read.',
        }),
        orderBy: t.arg({ type: ListOrder, description: 'In which order. Default: the newest first.' }),
      },
      resolve: async (_, args, context, info) => {
        const asked = args.filter ?? {};
        checkPeriod(asked);
        let found: ReturnType<typeof searchOf> | undefined;
        const search = () => {
          found ??= searchOf(context, asked).then(({ places, filter }) => ({
            ...{ places, filter: { ...filter, isPositioned: args.orderBy === 'OLDEST' } },
          }));
          return found;
        };
        const { clock, database, laggingReads } = context.services;
        const { pool } = database;
        const { id: readerId } = viewerOf(context);
        let asOf = clock();
        const byPosition = await boundedByPosition(pool, nameInCursors('auditLog', args), args);
        const page = await keysetConnection(
          args,
          inAskedOrder(byPosition, args),
          async ({ where, orderBy: order, take: limit }) => {
            const { places, filter } = await search();
            const window = { ...where, order, limit };
            const { found, behindMs } = await laggingReads.read(pool, readerId, async (db, isReplica) =>
              isReplica && !(await hasEverythingBeside(db, where))
                ? null
                : await searchAuditEntries(db, places, filter, window),
            );
            asOf = new Date(asOf.getTime() - behindMs);
            return found ?? { rows: [], stoppedAt: null };
          },
        );
        const shown = page.edges.map(({ node }) => node);
        await recordSearch(context, 'audit_entries.search', info, { ...(await search()), shown });
        const count = async () => {
          const { places, filter } = await search();
          const { found } = await laggingReads.read(pool, readerId, (db) =>
            countAuditEntries(db, places, filter, mostCounted + 1),
          );
          return totalOf(found?.fitting ?? 0, found?.isComplete ?? true);
        };
        return { ...page, count, asOf };
      },
    },
    AuditEntryConnection,
    AuditEntryEdge,
  ),
);
