/** The order of lists of audit entries. */
import type { AuditEntry as AuditRow, Prisma, PrismaClient } from '../../prisma/generated/client/client.ts';
import { isId } from '../platform/ids.ts';
import { cursorKeys, type Ordering, type PageArguments } from './keyset-connection.ts';

type EntryOrdering = Ordering<
  AuditRow,
  Prisma.AuditEntryWhereInput,
  Prisma.AuditEntryOrderByWithRelationInput[]
>;

/**
 * The order in which entries became visible: transaction, then number. A cursor holds the entry's id, and its position
 * is read, because the numbers count what everybody writes.
 */
export async function byPosition(
  prisma: PrismaClient,
  list: string,
  args: PageArguments,
): Promise<EntryOrdering> {
  const ids = cursorKeys(args, list).filter(isId);
  const rows =
    ids.length === 0
      ? []
      : await prisma.auditEntry.findMany({
          where: { id: { in: ids } },
          select: { id: true, txid: true, seq: true },
        });
  const positions = new Map(rows.map((row) => [row.id, row]));
  const beyond = (id: string | null, side: 'lt' | 'gt') => {
    const position = id === null ? undefined : positions.get(id);
    return position === undefined ? [] : [isBeyond(position, side)];
  };
  return {
    list,
    keyOf: ({ id }) => id,
    isKey: (text) => positions.has(text),
    where: (below, above) => ({ AND: [...beyond(below, 'lt'), ...beyond(above, 'gt')] }),
    orderBy: (direction) => [{ txid: direction }, { seq: direction }],
  };
}

function isBeyond(
  { txid, seq }: Pick<AuditRow, 'txid' | 'seq'>,
  side: 'lt' | 'gt',
): Prisma.AuditEntryWhereInput {
  const inclusive = side === 'lt' ? { lte: txid } : { gte: txid };
  return { txid: inclusive, OR: [{ txid: { [side]: txid } }, { txid, seq: { [side]: seq } }] };
}
