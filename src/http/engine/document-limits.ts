import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
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

/** The estimated length of a list without pages. */
const assumedListSize = 10;
/** The length of a page for which the client gives no size. */
const defaultPageSize = 20;

/** Limits the length, depth and aliases of a document before anything is executed, on all transports. */
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
        setParseFn((source: string | Source, options?: ParseOptions) =>
          parse(source, { ...options, maxTokens: limits.documentTokens }),
        );
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

function report(message: string) {
  return (context: ValidationContext | null): void => {
    context?.reportError(
      new GraphQLError(`${message} Ask in several steps.`, {
        extensions: { code: 'DOCUMENT_LIMIT_EXCEEDED' },
      }),
    );
  };
}

/**
 * Returns the error for an operation that may return more objects than allowed. Returns null when it is within the
 * limit, or when its variables are wrong: execution reports those better.
 */
export function findExcess(
  operation: {
    schema: GraphQLSchema;
    document: DocumentNode;
    operationName?: string | null | undefined;
    variableValues?: Readonly<Record<string, unknown>> | null | undefined;
  },
  limits: Limits,
): GraphQLError | null {
  const objects = countObjects(operation);
  if (objects === null || objects <= limits.operationObjects) return null;
  return requestError(
    400,
    'OPERATION_LIMIT_EXCEEDED',
    `The operation may return up to ${objects} objects; the limit is ${limits.operationObjects}. Ask for smaller pages.`,
  );
}

function countObjects({
  schema,
  document,
  operationName,
  variableValues,
}: Parameters<typeof findExcess>[0]): number | null {
  const operation = operationOf(document, operationName);
  if (operation === null) return null;
  try {
    return getComplexity({
      schema,
      query: {
        ...document,
        definitions: document.definitions.filter(
          (definition) => definition === operation || definition.kind !== Kind.OPERATION_DEFINITION,
        ),
      },
      variables: { ...variableValues },
      estimators: [objectsOf],
    });
  } catch (error) {
    if (error instanceof GraphQLError) return null;
    throw error;
  }
}

function operationOf(
  document: DocumentNode,
  name: string | null | undefined,
): OperationDefinitionNode | null {
  const operations = document.definitions.filter(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION,
  );
  if (name == null) return operations.length === 1 ? (operations[0] ?? null) : null;
  return operations.find((operation) => operation.name?.value === name) ?? null;
}

/** Counts one for each object, multiplied by the sizes of the pages and lists it is in. Pages themselves are free. */
const objectsOf: ComplexityEstimator = ({ field, args, type, childComplexity }) => {
  if (field.name.startsWith('__') || !isCompositeType(getNamedType(field.type))) return 0;
  if (isConnection(field.type)) return pageSize(field, args) * childComplexity;
  const isInPage = type.name.endsWith('Connection');
  if (isInPage) return field.name === 'edges' ? childComplexity : 1 + childComplexity;
  const times = isListType(getNullableType(field.type)) ? listSize(args) : 1;
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

function listSize(args: Record<string, unknown>): number {
  return Array.isArray(args['ids']) ? args['ids'].length : assumedListSize;
}
