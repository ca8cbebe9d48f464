/**
 * Compiles queries: what consoles and integrators ask again and again is known once its document is. Then the fields of the
 * root are resolved as ever, with what the schema checks of them; their rows are read by one statement, with the columns that
 * the query shows; and the answer is made of them by plain functions. Every other query is left to `execute`.
 */
import {
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  isNonNullType,
  locatedError,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import type { JsonRows } from '../../platform/json-rows.ts';
import { assumeViewer, type Context, settleViewer } from '../context.ts';
import { hasScopes, isPlain, relatedPageOf, relationShownBy, rowsReadBy } from './row-fields.ts';
import { type Given, giveRows, prepareRows, propertyFor } from './selected-rows.ts';
import {
  type CompleteValue,
  type HowToRead,
  NotCompilableError,
  SelectionCompiler,
  type Use,
  type Variables,
} from './selection.ts';

/** What is executed. */
export type Asked = { contextValue?: unknown; variableValues?: unknown };

export type CompiledQuery = {
  /** Resolves to the result; to undefined where `execute` is needed, which reads everything anew. */
  run(asked: Asked): Promise<ExecutionResult | undefined>;
};

/** By document and operation name. The parser's cache keeps one document for each text. */
const queries = new WeakMap<DocumentNode, Map<string, CompiledQuery | null>>();

/** Returns null for an operation that is left to `execute`. */
export function compiledQuery(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | null | undefined,
): CompiledQuery | null {
  const known = queries.get(document) ?? new Map<string, CompiledQuery | null>();
  queries.set(document, known);
  const name = operationName ?? '';
  const query = known.get(name);
  if (query !== undefined) return query;
  const operation = getOperationAST(document, operationName);
  if (operation == null) return null;
  const compiled = compileQuery(schema, document, operation);
  known.set(name, compiled);
  return compiled;
}

function compileQuery(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CompiledQuery | null {
  const type = schema.getQueryType();
  if (operation.operation !== OperationTypeNode.QUERY || type == null) return null;
  try {
    const compiler = new SelectionCompiler(schema, document, operation);
    const fields = [...compiler.collectFields(operation.selectionSet)].map(([key, node]) =>
      compileRoot(compiler, type, key, node),
    );
    return createRunner(schema, operation, fields);
  } catch (error) {
    if (error instanceof NotCompilableError) return null;
    throw error;
  }
}

/** A field of the root. */
type Root = {
  readonly key: string;
  readonly node: FieldNode;
  readonly field: GraphQLField<unknown, unknown>;
  readonly info: GraphQLResolveInfo;
  readonly rowsFor: ((given: Given) => JsonRows) | null;
  readonly complete: CompleteValue;
};

function compileRoot(
  compiler: SelectionCompiler,
  type: GraphQLObjectType,
  key: string,
  node: FieldNode,
): Root {
  const field = type.getFields()[node.name.value];
  if (field?.resolve === undefined) throw new NotCompilableError();
  const info = { ...compiler.infoOf(type, field, node), path: { prev: undefined, key, typename: type.name } };
  const rowsFor = prepareRows(compiler, field, node.selectionSet);
  return {
    ...{ key, node, field, info, rowsFor },
    complete: compiler.compile(field.type, node, howToRead(rowsReadBy(field) !== undefined)),
  };
}

/** @param hasRows whether the objects are rows that were read for this query, with what belongs to them */
const howToRead =
  (hasRows: boolean): HowToRead =>
  (field, node, key) => {
    if (isPlain(field)) return 'BY_ITS_RESOLVER';
    if (!hasRows || hasScopes(field)) return null;
    const property = propertyFor(key);
    if (relationShownBy(field) !== undefined) return (row: Record<string, unknown>) => row[property];
    const page = relatedPageOf(field);
    if (page === undefined) return null;
    return (row: Record<string, unknown>, _: Context, { variables }: Use) =>
      page.pageOf(row[property] as never, getArgumentValues(field, node, { ...variables }));
  };

function createRunner(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  roots: readonly Root[],
): CompiledQuery {
  async function answer(given: Given): Promise<ExecutionResult | undefined> {
    const results = await Promise.all(roots.map((root) => resolveRoot(root, given)));
    return await resultOf(roots, results, given);
  }

  return {
    async run({ contextValue, variableValues }) {
      const context = contextValue as Context;
      const given = variableValues as Variables | null | undefined;
      const { coerced: variables } = getVariableValues(schema, operation.variableDefinitions ?? [], {
        ...given,
      });
      if (variables === undefined) return undefined;
      assumeViewer(context);
      const result = await answer({ context, variables });
      return (await settleViewer(context)) ? result : await answer({ context, variables });
    },
  };
}

/** What a field of the root was resolved to, or its error. */
type Resolved = { value: unknown } | { error: GraphQLError };

async function resolveRoot({ key, node, field, info, rowsFor }: Root, given: Given): Promise<Resolved> {
  try {
    const own = { ...info, variableValues: { ...given.variables } };
    if (rowsFor !== null) giveRows(own, rowsFor(given));
    const args = getArgumentValues(field, node, { ...given.variables });
    return { value: await field.resolve?.(undefined, args, given.context, own) };
  } catch (thrown) {
    return { error: locatedError(thrown, [node], [key]) };
  }
}

/** Undefined: something has to be completed as only `execute` does it, such as an error within. */
async function resultOf(
  roots: readonly Root[],
  results: readonly Resolved[],
  { context, variables }: Given,
): Promise<ExecutionResult | undefined> {
  const use = { variables, pending: [] as Promise<void>[] };
  const data: Record<string, unknown> = {};
  const errors: GraphQLError[] = [];
  let isNull = false;
  try {
    for (const [at, { key, field, complete }] of roots.entries()) {
      const resolved = results[at] ?? { value: undefined };
      if ('error' in resolved) {
        errors.push(resolved.error);
        isNull ||= isNonNullType(field.type);
        data[key] = null;
      } else data[key] = complete(resolved.value, context, use);
    }
  } catch {
    await Promise.allSettled(use.pending);
    return undefined;
  }
  // What is completed later may leave more for later.
  for (let done = 0; done < use.pending.length; ) {
    const settled = await Promise.allSettled(use.pending.slice(done));
    if (settled.some(({ status }) => status === 'rejected')) return undefined;
    done += settled.length;
  }
  return errors.length === 0 ? { data } : { errors, data: isNull ? null : data };
}
