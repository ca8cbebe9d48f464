import {
  type DocumentNode,
  type FieldNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getArgumentValues,
  type OperationDefinitionNode,
} from 'graphql';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { rootFieldsOf } from './root-fields.ts';

type Mutation = { field: GraphQLField<unknown, unknown>; node: FieldNode };

/** The mutations that an operation runs. */
export function mutationsOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Mutation[] {
  if (operation.operation !== 'mutation') return [];
  const fields = schema.getMutationType()?.getFields() ?? {};
  return rootFieldsOf(document, operation).flatMap((node) => {
    const field = fields[node.name.value];
    return field === undefined ? [] : { field, node };
  });
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
 * @param variables as they were coerced
 * @throws GraphQLError where an argument is wrong
 */
export function countBulkItems(
  mutations: readonly Mutation[],
  variables: Readonly<Record<string, unknown>>,
): number {
  const [bulk] = mutations.filter(isBulk);
  if (bulk === undefined) return 0;
  const { input } = getArgumentValues(bulk.field, bulk.node, { ...variables }) as {
    input?: Record<string, unknown>;
  };
  return [input?.['grantIds'], input?.['items']].reduce<number>(
    (count, named) => count + (Array.isArray(named) ? named.length : 0),
    0,
  );
}

function isBulk({ field }: Mutation): boolean {
  return field.extensions['inBulk'] === true;
}
