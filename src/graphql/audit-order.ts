/** The order of lists of audit entries. */
import type pg from 'pg';
import type { AuditEntry as AuditRow, Prisma } from '../../prisma/generated/client/client.ts';
import { type AuditPosition, type AuditWindow, positionsOfEntries } from '../audit/search.ts';
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
export async function byPosition(pool: pg.Pool, list: string, args: PageArguments): Promise<EntryOrdering> {
  const positions = await readPositions(pool, list, args);
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

type PositionOrdering = Ordering<AuditRow, Pick<AuditWindow, 'below' | 'above'>, AuditWindow['order']>;

/** As `byPosition`, for a search that reads the entries between two positions. */
export async function boundedByPosition(
  pool: pg.Pool,
  list: string,
  args: PageArguments,
): Promise<PositionOrdering> {
  const positions = await readPositions(pool, list, args);
  const positionOf = (id: string | null) => (id === null ? null : (positions.get(id) ?? null));
  return {
    list,
    keyOf: ({ id }) => id,
    isKey: (text) => positions.has(text),
    where: (below, above) => ({ below: positionOf(below), above: positionOf(above) }),
    orderBy: (direction) => direction,
  };
}

/** The positions of the entries in the cursors of a request, by their ids. */
async function readPositions(
  pool: pg.Pool,
  list: string,
  args: PageArguments,
): Promise<ReadonlyMap<string, AuditPosition>> {
  const ids = cursorKeys(args, list).filter(isId);
  return ids.length === 0 ? new Map() : await positionsOfEntries(pool, ids);
}

function isBeyond({ txid, seq }: AuditPosition, side: 'lt' | 'gt'): Prisma.AuditEntryWhereInput {
  const inclusive = side === 'lt' ? { lte: txid } : { gte: txid };
  return { txid: inclusive, OR: [{ txid: { [side]: txid } }, { txid, seq: { [side]: seq } }] };
}
