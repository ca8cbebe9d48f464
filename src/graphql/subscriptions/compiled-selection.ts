/**
 * Carries out a selection of plain fields in a straight line: no promises, no arguments, no paths. It answers
 * what `execute` of graphql answers for such a selection, at a fraction of its cost, which counts where an
 * event a thousand times a second goes to somebody else each time. All that is not plain is for `execute`.
 */
import {
  type DocumentNode,
  defaultFieldResolver,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNullableType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';

/** Answers undefined where it takes `execute`: for a promise, an error, or a null that may not be. */
export type CompiledSelection = (source: unknown, context: unknown) => Record<string, unknown> | undefined;

/** Null where more is selected of the operation's only field than plain fields. */
export function straightLineOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  /** Whether a field is plain although it has fields of its own: nothing is read for it. */
  isPlainObject: (field: GraphQLField<unknown, unknown>) => boolean,
): CompiledSelection | null {
  const rootType = schema.getRootType(operation.operation);
  const [root, ...others] = operation.selectionSet.selections;
  if (rootType == null || root?.kind !== Kind.FIELD || others.length > 0) return null;
  const field = rootType.getFields()[root.name.value];
  if (field === undefined || root.directives?.length !== 0) return null;
  const fragments: Record<string, FragmentDefinitionNode> = {};
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  }
  try {
    const complete = completionOf(field.type, root);
    const key = root.alias?.value ?? root.name.value;
    return (source, context) => {
      try {
        return { [key]: complete(source, context) };
      } catch {
        return undefined;
      }
    };
  } catch (error) {
    if (error instanceof NotPlainError) return null;
    throw error;
  }

  type Completion = (value: unknown, context: unknown) => unknown;

  function completionOf(type: GraphQLOutputType, node: FieldNode): Completion {
    const nullable = getNullableType(type);
    const complete = completionOfPresent(nullable, node);
    const mayBeNull = !isNonNullType(type);
    return (value, context) => {
      if (value instanceof Promise) throw new NotPlainError();
      if (value != null) return complete(value, context);
      if (mayBeNull) return null;
      throw new NotPlainError();
    };
  }

  function completionOfPresent(type: GraphQLOutputType, node: FieldNode): Completion {
    if (isLeafType(type)) return (value) => type.serialize(value);
    if (isObjectType(type) && node.selectionSet !== undefined) return objectOf(type, node.selectionSet);
    if (!isListType(type)) throw new NotPlainError();
    const ofItem = completionOf(type.ofType, node);
    return (value, context) => {
      if (!Array.isArray(value)) throw new NotPlainError();
      return value.map((item) => ofItem(item, context));
    };
  }

  function objectOf(type: GraphQLObjectType, selected: SelectionSetNode): Completion {
    const steps = [...fieldsOf(selected)].map(([key, node]): { key: string; step: Completion } => {
      if (node.name.value === '__typename') return { key, step: () => type.name };
      const field = type.getFields()[node.name.value];
      if (field === undefined || field.args.length > 0) throw new NotPlainError();
      if (node.selectionSet !== undefined && !isPlainObject(field)) throw new NotPlainError();
      return { key, step: stepOf(type, field, node) };
    });
    return (source, context) => {
      const data: Record<string, unknown> = {};
      for (const { key, step } of steps) data[key] = step(source, context);
      return data;
    };
  }

  function stepOf(
    parentType: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
  ): Completion {
    const { resolve = defaultFieldResolver, type: returnType, name: fieldName } = field;
    const complete = completionOf(returnType, node);
    const path = { prev: undefined, key: fieldName, typename: parentType.name };
    const facts = { fieldName, fieldNodes: [node], returnType, parentType, path };
    const info: GraphQLResolveInfo = {
      ...{ ...facts, schema, fragments, operation, rootValue: undefined, variableValues: {} },
    };
    return (source, context) => complete(resolve(source, {}, context, info), context);
  }

  /** By response key. What is selected twice would have to be merged, what has a directive to be asked. */
  function fieldsOf(
    selected: SelectionSetNode,
    found = new Map<string, FieldNode>(),
  ): Map<string, FieldNode> {
    for (const selection of selected.selections) {
      if (selection.directives?.length !== 0) throw new NotPlainError();
      if (selection.kind !== Kind.FIELD) {
        const fragment =
          selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments[selection.name.value];
        if (fragment?.directives?.length !== 0) throw new NotPlainError();
        fieldsOf(fragment.selectionSet, found);
        continue;
      }
      const key = selection.alias?.value ?? selection.name.value;
      if (found.has(key)) throw new NotPlainError();
      found.set(key, selection);
    }
    return found;
  }
}

class NotPlainError extends Error {}
