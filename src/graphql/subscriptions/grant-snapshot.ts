/** A grant as it was at a moment of the past, with the people and decisions of that moment around it. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import {
  type FieldNode,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { Account, Decision } from '../../../prisma/generated/client/client.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Context } from '../context.ts';
import { isOfTheEventItself } from './viewer-independent-fields.ts';

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
export function grantSnapshot(
  row: GrantRow,
  moment: Date,
  context: Context,
  info: GraphQLResolveInfo,
): GrantRow | Promise<GrantRow> {
  const past = { ...row, [asItWas]: true };
  return selectsSurroundings(info) ? withSurroundings(past, moment, context, info) : past;
}

async function withSurroundings(
  past: GrantRow,
  moment: Date,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<GrantRow> {
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return past;
  const { account, grant } = context.services.database.prisma;
  const now: (GrantRow & Around) | null = await grant.findUnique({ ...query, where: { id: past.id } });
  if (now === null) return past;

  const { engineer, endedBy, decisions } = now;
  const { engineerId: id } = past;
  const around: Around = {
    ...(engineer === undefined || now.engineerId === id
      ? {}
      : { engineer: id === null ? null : await account.findUnique({ where: { id } }) }),
    ...(endedBy === undefined || past.endedById !== null ? {} : { endedBy: null }),
    ...(decisions === undefined ? {} : { decisions: decisions.filter(isKnownAt(past, moment)) }),
  };
  return { ...now, ...past, ...around };
}

/** The clock of the gateway that wrote the event may be behind that of the one which wrote what came before. */
function isKnownAt({ customerApprovedAt, activatedAt, endedAt }: GrantRow, moment: Date) {
  const facts = [moment, customerApprovedAt, activatedAt, endedAt].filter((at) => at !== null);
  const latest = Math.max(...facts.map((at) => at.getTime()));
  return ({ decidedAt }: Decision) => decidedAt.getTime() <= latest;
}

/** By field of a document: what it selects does not change. */
const selecting = new WeakMap<FieldNode, boolean>();

/** Whether anything is selected that has to be read from the database. */
function selectsSurroundings({ fieldNodes, fragments, returnType }: GraphQLResolveInfo): boolean {
  const type = getNamedType(returnType);
  const fields = isObjectType(type) ? type.getFields() : {};
  const doesSelect = ({ selectionSet }: { selectionSet?: SelectionSetNode | undefined }): boolean =>
    selectionSet?.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) {
        const field = fields[selection.name.value];
        return selection.selectionSet !== undefined && (field === undefined || !isOfTheEventItself(field));
      }
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
      return fragment !== undefined && doesSelect(fragment);
    }) ?? false;
  return fieldNodes.some((field) => {
    const known = selecting.get(field) ?? doesSelect(field);
    selecting.set(field, known);
    return known;
  });
}
