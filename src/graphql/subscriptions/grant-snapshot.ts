/** A grant as it was at a past moment, with its people and decisions of that moment. */
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

/** Marks a row as a snapshot: it is shown as it was, whatever has changed since. */
const snapshotMark: unique symbol = Symbol('snapshot');

export function isSnapshot(row: GrantRow): boolean {
  return snapshotMark in row;
}

type Relations = { engineer?: Account | null; endedBy?: Account | null; decisions?: Decision[] };

/**
 * Returns the row with the relations that the operation selects of it. They are read in their present state, and what
 * was added since the event is left out: a viewer who receives an event late may have lost the right to know it.
 */
export function grantSnapshot(
  row: GrantRow,
  moment: Date,
  context: Context,
  info: GraphQLResolveInfo,
): GrantRow | Promise<GrantRow> {
  const snapshot = { ...row, [snapshotMark]: true };
  return selectsRelations(info) ? withRelations(snapshot, moment, context, info) : snapshot;
}

async function withRelations(
  snapshot: GrantRow,
  moment: Date,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<GrantRow> {
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return snapshot;
  const { account, grant } = context.services.database.prisma;
  const now: (GrantRow & Relations) | null = await grant.findUnique({ ...query, where: { id: snapshot.id } });
  if (now === null) return snapshot;

  const { engineer, endedBy, decisions } = now;
  const { engineerId: id } = snapshot;
  const relations: Relations = {
    ...(engineer === undefined || now.engineerId === id
      ? {}
      : { engineer: id === null ? null : await account.findUnique({ where: { id } }) }),
    ...(endedBy === undefined || snapshot.endedById !== null ? {} : { endedBy: null }),
    ...(decisions === undefined ? {} : { decisions: decisions.filter(isKnownAt(snapshot, moment)) }),
  };
  return { ...now, ...snapshot, ...relations };
}

/** Decisions made up to the event. Another gateway, whose clock is ahead, may have written the grant's earlier changes. */
function isKnownAt({ customerApprovedAt, activatedAt, endedAt }: GrantRow, moment: Date) {
  const facts = [moment, customerApprovedAt, activatedAt, endedAt].filter((at) => at !== null);
  const latest = Math.max(...facts.map((at) => at.getTime()));
  return ({ decidedAt }: Decision) => decidedAt.getTime() <= latest;
}

/** By field node: a parsed document does not change. */
const selectsRelationsByField = new WeakMap<FieldNode, boolean>();

/** Whether the selection contains anything that has to be read from the database. */
function selectsRelations({ fieldNodes, fragments, returnType }: GraphQLResolveInfo): boolean {
  const type = getNamedType(returnType);
  const fields = isObjectType(type) ? type.getFields() : {};
  const visited = new Set<string>();
  const doesSelect = ({ selectionSet }: { selectionSet?: SelectionSetNode | undefined }): boolean =>
    selectionSet?.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) {
        const field = fields[selection.name.value];
        return selection.selectionSet !== undefined && (field === undefined || !isOfTheEventItself(field));
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) return doesSelect(selection);
      const fragment = fragments[selection.name.value];
      if (fragment === undefined || visited.has(selection.name.value)) return false;
      visited.add(selection.name.value);
      return doesSelect(fragment);
    }) ?? false;
  return fieldNodes.some((field) => {
    const known = selectsRelationsByField.get(field) ?? doesSelect(field);
    selectsRelationsByField.set(field, known);
    return known;
  });
}
