/** Rows that are shown as they were at a past moment, whatever has changed since. */
import {
  type FieldNode,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { isOfTheEventItself } from './viewer-independent-fields.ts';

const mark: unique symbol = Symbol('snapshot');

export function asSnapshot<Row extends object>(row: Row): Row {
  return { ...row, [mark]: true };
}

export function isSnapshot(row: object): boolean {
  return mark in row;
}

/** By field node: a parsed document does not change. */
const selectsRelationsByField = new WeakMap<FieldNode, boolean>();

/** Whether the selection contains anything that has to be read from the database. */
export function selectsRelations({ fieldNodes, fragments, returnType }: GraphQLResolveInfo): boolean {
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
