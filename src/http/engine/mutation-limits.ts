import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getArgumentValues,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';

type Mutation = { field: GraphQLField<unknown, unknown>; node: FieldNode };

/** The mutations that an operation runs: one for each name in its result, wherever fragments select it. */
export function mutationsOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Mutation[] {
  if (operation.operation !== 'mutation') return [];
  const fields = schema.getMutationType()?.getFields() ?? {};
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const found = new Map<string, Mutation>();

  function collect({ selections }: SelectionSetNode): void {
    for (const node of selections) {
      if (node.kind === Kind.FIELD) {
        const field = fields[node.name.value];
        if (field !== undefined) found.set(node.alias?.value ?? node.name.value, { field, node });
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        collect(node.selectionSet);
      } else {
        const fragment = fragments.get(node.name.value);
        // Once is enough: what it selects has the same names wherever it is spread.
        fragments.delete(node.name.value);
        if (fragment !== undefined) collect(fragment.selectionSet);
      }
    }
  }

  collect(operation.selectionSet);
  return [...found.values()];
}

/** Returns the error for an operation with more mutations, or more bulk mutations, than allowed; otherwise null. */
export function findTooManyMutations(mutations: readonly Mutation[], limits: Limits): GraphQLError | null {
  const bulks = mutations.filter(isBulk).length;
  if (bulks > limits.bulkMutations)
    return requestError(
      400,
      'OPERATION_LIMIT_EXCEEDED',
      `The operation has ${bulks} bulk mutations; the limit is ${limits.bulkMutations}. Nothing was run: send one operation for each.`,
    );
  if (mutations.length > limits.mutations)
    return requestError(
      400,
      'OPERATION_LIMIT_EXCEEDED',
      `The operation has ${mutations.length} mutations; the limit is ${limits.mutations}. Nothing was run: send several operations, or decide in bulk.`,
    );
  return null;
}

/**
 * How many items the bulk mutation of the operation has.
 *
 * @throws GraphQLError where an argument is wrong
 */
export function countBulkItems(
  mutations: readonly Mutation[],
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): number {
  const [bulk] = mutations.filter(isBulk);
  const { coerced } = getVariableValues(schema, variableDefinitions, { ...variables });
  if (bulk === undefined || coerced === undefined) return 0;
  const { input } = getArgumentValues(bulk.field, bulk.node, coerced) as { input?: Record<string, unknown> };
  return [input?.['grantIds'], input?.['items']].reduce<number>(
    (count, named) => count + (Array.isArray(named) ? named.length : 0),
    0,
  );
}

function isBulk({ field }: Mutation): boolean {
  return field.extensions['inBulk'] === true;
}
