/** A grant as it was at a moment of the past, with the people and decisions of that moment around it. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Account, Decision } from '../../prisma/generated/client/client.ts';
import type { GrantRow } from '../grants/row.ts';
import type { Context } from './context.ts';

/** Marks a row that tells of the past: it is shown as it was, whatever was done to it since. */
const asItWas: unique symbol = Symbol('as it was');

export function isPast(row: GrantRow): boolean {
  return asItWas in row;
}

type Around = { engineer?: Account | null; endedBy?: Account | null; decisions?: Decision[] };

/**
 * The row with the relations that the operation selects of it. They are read as they are now, so what has
 * come since is left out: whoever hears of an event late may have lost the right to know of it.
 */
export async function grantAsItWas(
  row: GrantRow,
  moment: Date,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<GrantRow> {
  const past: GrantRow & Around = Object.assign({ ...row }, { [asItWas]: true });
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return past;
  const { account, grant } = context.services.database.prisma;
  const now: (GrantRow & Around) | null = await grant.findUnique({ ...query, where: { id: row.id } });
  if (now === null) return past;

  const { engineer, endedBy, decisions } = now;
  const { engineerId: id } = row;
  const around: Around = {
    ...(engineer === undefined || now.engineerId === id
      ? {}
      : { engineer: id === null ? null : await account.findUnique({ where: { id } }) }),
    ...(endedBy === undefined || row.endedById !== null ? {} : { endedBy: null }),
    ...(decisions === undefined ? {} : { decisions: decisions.filter(isKnownAt(row, moment)) }),
  };
  return { ...now, ...past, ...around };
}

/** The clock of the gateway that wrote the event may be behind that of the one which wrote what came before. */
function isKnownAt({ customerApprovedAt, activatedAt, endedAt }: GrantRow, moment: Date) {
  const facts = [moment, customerApprovedAt, activatedAt, endedAt].filter((at) => at !== null);
  const latest = Math.max(...facts.map((at) => at.getTime()));
  return ({ decidedAt }: Decision) => decidedAt.getTime() <= latest;
}
