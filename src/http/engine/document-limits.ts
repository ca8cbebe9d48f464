import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
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
  type ParseOptions,
  parse,
  type Source,
  type ValidationContext,
} from 'graphql';
import { type ComplexityEstimator, getComplexity } from 'graphql-query-complexity';
import type { Plugin } from 'graphql-yoga';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { countExpandedSelections } from './expanded-document.ts';
import { countBulkItems, findTooManyMutations, mutationsOf } from './mutation-limits.ts';

/** The estimated length of a list without pages. */
const assumedListSize = 10;
/** The length of a page for which the client gives no size. */
const defaultPageSize = 20;
/** The number of objects that introspection counts as, whatever it selects: of the order of what a schema has. */
const introspectionObjects: Readonly<Record<string, number>> = { __schema: 2_000, __type: 200 };

/** Limits the length, selections, depth and aliases of a document before anything is executed, on all transports. */
export function limitDocuments(limits: Limits): Plugin[] {
  return [
    {
      onParse({ params, setParseFn }) {
        const text = typeof params.source === 'string' ? params.source : params.source.body;
        if (text.length > limits.documentCharacters) {
          throw requestError(
            400,
            'DOCUMENT_LIMIT_EXCEEDED',
            `The document has ${text.length} characters; the limit is ${limits.documentCharacters}. Pass values as variables.`,
          );
        }
        setParseFn((source: string | Source, options?: ParseOptions) => {
          const document = parse(source, { ...options, maxTokens: limits.documentTokens });
          refuseTooManySelections(document, limits);
          return document;
        });
        return ({ result }) => {
          if (result instanceof GraphQLError) result.extensions['code'] ??= 'GRAPHQL_PARSE_FAILED';
        };
      },
    },
    maxDepthPlugin({
      n: limits.documentDepth,
      flattenFragments: true,
      propagateOnRejection: false,
      onReject: [report(`The document goes deeper than ${limits.documentDepth} levels of fields.`)],
    }),
    maxAliasesPlugin({
      n: limits.documentAliases,
      propagateOnRejection: false,
      onReject: [report(`The document has more than ${limits.documentAliases} aliases.`)],
    }),
  ];
}

/** What walks over a document, in validation and execution, may visit each of these selections. */
function refuseTooManySelections(document: DocumentNode, limits: Limits): void {
  if (countExpandedSelections(document) <= limits.documentSelections) return;
  throw requestError(
    400,
    'DOCUMENT_LIMIT_EXCEEDED',
    `The document selects more than ${limits.documentSelections} fields and fragments, counted wherever a fragment is spread. Ask in several steps.`,
  );
}

function report(message: string) {
  return (context: ValidationContext | null): void => {
    context?.reportError(
      new GraphQLError(`${message} Ask in several steps.`, {
        extensions: { code: 'DOCUMENT_LIMIT_EXCEEDED' },
      }),
    );
  };
}

type Operation = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variableValues?: Readonly<Record<string, unknown>> | null | undefined;
};

/**
 * Returns the error for an operation that has more mutations or may return more objects than allowed, or whose objects
 * cannot be counted.
 * Returns null when it is within the limit, or when its variables are wrong: then execution refuses it, and says why.
 */
export function findExcess(args: Operation, limits: Limits): GraphQLError | null {
  const operation = getOperationAST(args.document, args.operationName);
  if (operation == null) {
    return requestError(400, 'OPERATION_RESOLUTION_FAILURE', 'The document has no such operation.');
  }
  const mutations = mutationsOf(args.schema, args.document, operation);
  const tooMany = findTooManyMutations(mutations, limits);
  if (tooMany !== null) return tooMany;
  try {
    const items = countBulkItems(mutations, args.schema, operation, args.variableValues ?? {});
    const objects = countObjects(operation, args, items, limits);
    return objects <= limits.operationObjects ? null : tooManyObjects(objects, limits);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return hasWrongVariables(operation, args) ? null : requestError(400, 'BAD_USER_INPUT', error.message);
  }
}

function tooManyObjects(objects: number, limits: Limits): GraphQLError {
  return requestError(
    400,
    'OPERATION_LIMIT_EXCEEDED',
    `The operation may return up to ${objects} objects; the limit is ${limits.operationObjects}. Ask for smaller pages.`,
  );
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

function hasWrongVariables(
  { variableDefinitions = [] }: OperationDefinitionNode,
  { schema, variableValues }: Operation,
): boolean {
  return getVariableValues(schema, variableDefinitions, { ...variableValues }).errors !== undefined;
}

/**
 * Counts one for each object, multiplied by the sizes of the pages and lists it is in: the results of a bulk mutation are
 * as many as its items. Pages themselves are free.
 */
const objectsOf =
  (bulkItems: number): ComplexityEstimator =>
  ({ field, args, type, childComplexity }) => {
    if (field.name.startsWith('__')) return introspectionObjects[field.name] ?? 0;
    if (!isCompositeType(getNamedType(field.type))) return 0;
    if (isConnection(field.type)) return pageSize(field, args) * childComplexity;
    const isInPage = type.name.endsWith('Connection');
    if (isInPage) return field.name === 'edges' ? childComplexity : 1 + childComplexity;
    const times = isListType(getNullableType(field.type)) ? listSize(args, type, bulkItems) : 1;
    return times * (1 + childComplexity);
  };

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
