import {
  type DocumentNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  getOperationAST,
  getVariableValues,
  isCompositeType,
  isListType,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { type ComplexityEstimator, getComplexity } from 'graphql-query-complexity';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { findExcessIntrospection } from './introspection.ts';
import { countBulkItems, findTooManyMutations, mutationsOf } from './mutation-limits.ts';

/** The estimated length of a list without pages. */
const assumedListSize = 10;
/** The length of a page for which the client gives no size. */
const defaultPageSize = 20;
/** Of a list of introspection: all types of the schema, and anything else, such as the fields of a type. */
const assumedTypes = 100;
const assumedMembers = 4;
/** How many wrong variables are named. */
const maxVariableErrors = 20;

type Operation = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variableValues?: Readonly<Record<string, unknown>> | null | undefined;
};

/** How many objects an operation may return, with the items of its bulk; or the errors for which it is not executed. */
export type Size = { objects: number } | { errors: readonly GraphQLError[] };

/**
 * The size of an operation. It has errors if the operation has more mutations, may return more objects or asks for the
 * schema more often than allowed, or if its variables are wrong. What cannot be counted counts as too much.
 */
export function measureOperation(args: Operation, limits: Limits): Size {
  const { schema, document, variableValues } = args;
  const operation = getOperationAST(document, args.operationName);
  if (operation == null) {
    const error = requestError(400, 'OPERATION_RESOLUTION_FAILURE', 'The document has no such operation.');
    return { errors: [error] };
  }
  try {
    const mutations = mutationsOf(schema, document, operation);
    const early = findTooManyMutations(mutations, limits) ?? findExcessIntrospection(document, operation);
    if (early !== null) return { errors: [early] };
    const { errors, coerced } = getVariableValues(
      schema,
      operation.variableDefinitions ?? [],
      { ...variableValues },
      { maxErrors: maxVariableErrors, hideSuggestions: true },
    );
    if (errors !== undefined) return { errors: errors.map(wrongVariable) };
    const items = countBulkItems(mutations, coerced);
    const objects = knownCount(operation, sizesIn(coerced, items), () =>
      countObjects(operation, args, items, limits),
    );
    return objects <= limits.operationObjects ? { objects } : { errors: [tooManyObjects(objects, limits)] };
  } catch (error) {
    return { errors: [uncountable(error)] };
  }
}

function wrongVariable({ message, nodes }: GraphQLError): GraphQLError {
  // `spec`: with application/json, the response to a well-formed request has status 200.
  const extensions = { code: 'BAD_USER_INPUT', http: { status: 400, spec: true } };
  return new GraphQLError(message, { nodes: nodes ?? null, extensions });
}

function uncountable(error: unknown): GraphQLError {
  // An argument that is wrong only with these variables. Other errors tell nothing to a client.
  const reason = error instanceof GraphQLError ? ` ${error.message}` : '';
  return requestError(
    400,
    'OPERATION_LIMIT_EXCEEDED',
    `The gateway cannot count what the operation may return, so nothing was run.${reason}`,
  );
}

function tooManyObjects(objects: number, limits: Limits): GraphQLError {
  return requestError(
    400,
    'OPERATION_LIMIT_EXCEEDED',
    `The operation may return up to ${objects} objects; the limit is ${limits.operationObjects}. Ask for smaller pages.`,
  );
}

/** By operation: a count visits the whole document, which clients send again and again with other variables. */
const counts = new WeakMap<OperationDefinitionNode, Map<string, number>>();
/** Counts that are kept of an operation. */
const mostCounts = 100;

/** The count for these sizes, from earlier if it is known. What is thrown is not kept. */
function knownCount(operation: OperationDefinitionNode, sizes: string, count: () => number): number {
  const kept = counts.get(operation);
  const known = kept !== undefined && kept.size < mostCounts ? kept : new Map<string, number>();
  counts.set(operation, known);
  const objects = known.get(sizes) ?? count();
  known.set(sizes, objects);
  return objects;
}

/**
 * What of its variables a count depends on: numbers may be the size of a page, lists have a length, and conditions leave
 * fields out. What else they contain has no effect, and is right already.
 */
function sizesIn(variables: Readonly<Record<string, unknown>>, bulkItems: number): string {
  const sizes = Object.entries(variables).map(([name, value]) => {
    if (Array.isArray(value)) return `${name}[${value.length}]`;
    return typeof value === 'number' || typeof value === 'boolean' || value === null
      ? `${name}=${value}`
      : name;
  });
  return [bulkItems, ...sizes].join();
}

/** @throws GraphQLError where an argument or a variable is wrong */
function countObjects(
  operation: OperationDefinitionNode,
  { schema, document, variableValues }: Operation,
  items: number,
  limits: Limits,
): number {
  const definitions = document.definitions.filter(
    (definition) => definition === operation || definition.kind !== Kind.OPERATION_DEFINITION,
  );
  const objects = getComplexity({
    schema,
    query: { ...document, definitions },
    variables: { ...variableValues },
    estimators: [objectsOf(items)],
    maxQueryNodes: limits.documentSelections + 1,
  });
  return objects + items;
}

/**
 * Counts one for each object, multiplied by the sizes of the pages and lists it is in: the results of a bulk mutation are
 * as many as its items. Pages themselves are free.
 */
const objectsOf =
  (bulkItems: number): ComplexityEstimator =>
  ({ field, args, type, childComplexity }) => {
    if (field.name === '__typename') return 0;
    if (isIntrospection(field, type)) return introspected(field, childComplexity);
    if (!isCompositeType(getNamedType(field.type))) return 0;
    // What it says of itself, for what it reads to count.
    const { objects } = field.extensions;
    if (typeof objects === 'number') return objects + childComplexity;
    if (isConnection(field.type)) return pageSize(field, args) * childComplexity;
    const isInPage = type.name.endsWith('Connection');
    if (isInPage) return field.name === 'edges' ? childComplexity : 1 + childComplexity;
    const times = isListType(getNullableType(field.type)) ? listSize(args, type, bulkItems) : 1;
    return times * (1 + childComplexity);
  };

function isIntrospection(field: GraphQLField<unknown, unknown>, on: GraphQLNamedType): boolean {
  return field.name.startsWith('__') || on.name.startsWith('__');
}

/** Introspection is counted by its lists, which multiply where they are in each other. */
function introspected(field: GraphQLField<unknown, unknown>, childComplexity: number): number {
  if (!isListType(getNullableType(field.type))) return childComplexity;
  return (field.name === 'types' ? assumedTypes : assumedMembers) * (1 + childComplexity);
}

function isConnection(type: GraphQLOutputType): boolean {
  return getNamedType(type).name.endsWith('Connection');
}

function pageSize(field: GraphQLField<unknown, unknown>, args: Record<string, unknown>): number {
  const requested = [args['first'], args['last']].filter((size) => typeof size === 'number');
  if (requested.length > 0) return Math.max(0, ...requested);
  return field.args.some(({ name }) => name === 'first' || name === 'last') ? defaultPageSize : 1;
}

function listSize(args: Record<string, unknown>, type: GraphQLNamedType, bulkItems: number): number {
  if (type.name === 'BulkPayload') return bulkItems;
  return Array.isArray(args['ids']) ? args['ids'].length : assumedListSize;
}
