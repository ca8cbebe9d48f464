import { type DocumentNode, type GraphQLSchema, getOperationAST, Kind } from 'graphql';
import { type OperationName, unnamed } from '../running-operation.ts';

/** The root field of an operation, `several`, or `other` if it only spreads fragments. */
export function nameOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
): OperationName {
  const operation = getOperationAST(document, operationName);
  if (operation == null) return unnamed;
  const { operation: type, selectionSet } = operation;
  const fields = schema.getRootType(type)?.getFields() ?? {};
  const names = new Set(
    selectionSet.selections.map((selection) =>
      selection.kind === Kind.FIELD ? selection.name.value : 'other',
    ),
  );
  names.delete('__typename');
  const [field = 'other'] = names;
  if (names.size > 1) return { field: 'several', type };
  return { field: field in fields || field.startsWith('__') ? field : 'other', type };
}
