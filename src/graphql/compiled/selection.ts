/**
 * Compiles a selection of plain fields into a function: no promises, no error paths. For such a selection it returns what
 * `execute` of graphql returns, at a fraction of the cost. This matters where a thousand events a second go to a thousand
 * different subscribers, and for lists that consoles read. Every other selection is left to `execute`.
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

/** Returns undefined where `execute` is needed: for a promise, an error, or a null in a non-null field. */
export type CompiledSelection = (source: unknown, context: unknown) => Record<string, unknown> | undefined;

export type Variables = Readonly<Record<string, unknown>>;

/** One use of a compiled selection. */
export type Use = {
  /** As they were coerced. */
  readonly variables: Variables;
  /** Takes what is completed later, once the promise of a resolver has settled. Undefined: nothing may be. */
  readonly pending?: Promise<void>[];
};

/** Reads a field from the object that has it. */
export type ReadField = (source: never, context: never, use: Use) => unknown;

/** Completes what a field was resolved to. */
export type CompleteValue = (value: unknown, context: unknown, use: Use) => unknown;

type AnyField = GraphQLField<unknown, unknown>;

/** How a field that is selected as `key` is read: by its resolver, which takes no arguments, or otherwise; null: it is not plain. */
export type HowToRead = (
  field: AnyField,
  node: FieldNode,
  key: string,
) => 'BY_ITS_RESOLVER' | ReadField | null;

/** A selection cannot be compiled, or has met what only `execute` completes. */
export class NotCompilableError extends Error {}

/** Returns null unless the operation has exactly one field, and selects only plain fields of it. */
export function compileSelection(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  /** Whether an object field counts as plain: nothing is read from the database for it. */
  isPlainObject: (field: AnyField) => boolean,
): CompiledSelection | null {
  const rootType = schema.getRootType(operation.operation);
  const [root, ...others] = operation.selectionSet.selections;
  if (rootType == null || root?.kind !== Kind.FIELD || others.length > 0) return null;
  const field = rootType.getFields()[root.name.value];
  if (field === undefined || root.directives?.length !== 0) return null;
  const key = root.alias?.value ?? root.name.value;
  try {
    const { compile } = new SelectionCompiler(schema, document, operation);
    const complete = compile(field.type, root, (one, { selectionSet }) =>
      one.args.length === 0 && (selectionSet === undefined || isPlainObject(one)) ? 'BY_ITS_RESOLVER' : null,
    );
    return (source, context) => {
      try {
        return { [key]: complete(source, context, { variables: {} }) };
      } catch {
        return undefined;
      }
    };
  } catch (error) {
    if (error instanceof NotCompilableError) return null;
    throw error;
  }
}

/** Compiles the selections of one operation. */
export class SelectionCompiler {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: Record<string, FragmentDefinitionNode> = {};

  constructor(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) {
    this.schema = schema;
    this.operation = operation;
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.fragments[definition.name.value] = definition;
    }
  }

  /** @throws NotCompilableError */
  readonly compile = (type: GraphQLOutputType, node: FieldNode, howToRead: HowToRead): CompleteValue => {
    const complete = this.#compileNonNull(getNullableType(type), node, howToRead);
    const mayBeNull = !isNonNullType(type);
    return (value, context, use) => {
      if (value instanceof Promise) throw new NotCompilableError();
      if (value != null) return complete(value, context, use);
      if (mayBeNull) return null;
      throw new NotCompilableError();
    };
  };

  /**
   * The fields of a selection, by response key. A key selected twice would have to be merged, and a directive evaluated: both
   * are left to `execute`.
   *
   * @throws NotCompilableError
   */
  collectFields(
    selected: SelectionSetNode,
    found = new Map<string, FieldNode>(),
  ): ReadonlyMap<string, FieldNode> {
    for (const selection of selected.selections) {
      if (selection.directives?.length !== 0) throw new NotCompilableError();
      if (selection.kind !== Kind.FIELD) {
        const fragment =
          selection.kind === Kind.INLINE_FRAGMENT ? selection : this.fragments[selection.name.value];
        if (fragment?.directives?.length !== 0) throw new NotCompilableError();
        this.collectFields(fragment.selectionSet, found);
        continue;
      }
      const key = selection.alias?.value ?? selection.name.value;
      if (found.has(key)) throw new NotCompilableError();
      found.set(key, selection);
    }
    return found;
  }

  /** What resolvers are told of a field. */
  infoOf(parentType: GraphQLObjectType, field: AnyField, node: FieldNode): GraphQLResolveInfo {
    const { name: fieldName, type: returnType } = field;
    const path = { prev: undefined, key: fieldName, typename: parentType.name };
    return {
      ...{ fieldName, fieldNodes: [node], returnType, parentType, path },
      ...{ schema: this.schema, fragments: this.fragments, operation: this.operation },
      ...{ rootValue: undefined, variableValues: {} },
    };
  }

  #compileNonNull(type: GraphQLOutputType, node: FieldNode, howToRead: HowToRead): CompleteValue {
    if (isLeafType(type)) return (value) => type.serialize(value);
    if (isObjectType(type) && node.selectionSet !== undefined)
      return this.#compileObject(type, node.selectionSet, howToRead);
    if (!isListType(type)) throw new NotCompilableError();
    const completeItem = this.compile(type.ofType, node, howToRead);
    return (value, context, use) => {
      if (!Array.isArray(value)) throw new NotCompilableError();
      return value.map((item) => completeItem(item, context, use));
    };
  }

  #compileObject(type: GraphQLObjectType, selected: SelectionSetNode, howToRead: HowToRead): CompleteValue {
    const fields = [...this.collectFields(selected)].map(([key, node]) => {
      if (node.name.value === '__typename') return { key, read: () => type.name, complete: asItIs };
      const field = type.getFields()[node.name.value];
      if (field === undefined) throw new NotCompilableError();
      const read = howToRead(field, node, key);
      if (read === null) throw new NotCompilableError();
      return {
        ...{ key, read: this.#readerOf(type, field, node, read) },
        complete: this.compile(field.type, node, howToRead),
      };
    });
    return (source, context, use) => {
      const data: Record<string, unknown> = {};
      for (const { key, read, complete } of fields) {
        const value = read(source as never, context as never, use);
        if (value instanceof Promise && use.pending !== undefined) {
          // The keys keep their order.
          data[key] = undefined;
          const later = value.then((settled) => {
            data[key] = complete(settled, context, use);
          });
          // Whoever awaits it gets its error. It must not be unhandled until then.
          later.catch(() => undefined);
          use.pending.push(later);
        } else data[key] = complete(value, context, use);
      }
      return data;
    };
  }

  #readerOf(
    type: GraphQLObjectType,
    field: AnyField,
    node: FieldNode,
    read: 'BY_ITS_RESOLVER' | ReadField,
  ): ReadField {
    if (read !== 'BY_ITS_RESOLVER') return read;
    const { resolve = defaultFieldResolver } = field;
    const info = this.infoOf(type, field, node);
    return (source, context) => resolve(source, {}, context, info);
  }
}

const asItIs: CompleteValue = (value) => value;
