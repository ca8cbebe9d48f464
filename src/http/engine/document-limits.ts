import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import {
  type DocumentNode,
  GraphQLError,
  type ParseOptions,
  parse,
  type Source,
  type ValidationContext,
  validate,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { countComparedFields, countExpandedSelections } from './expanded-document.ts';

/** How many errors of a document are named. They are kept with the document. */
const maxValidationErrors = 10;

/**
 * Limits the length, selections, depth and aliases of a document before anything is executed, on all transports.
 * Everything that visits a document more than once comes after its selections were counted, which visits each once.
 */
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
          refuseTooManyComparisons(document, limits);
          return document;
        });
        return ({ result }) => {
          if (result instanceof GraphQLError) result.extensions['code'] ??= 'GRAPHQL_PARSE_FAILED';
        };
      },
    },
    {
      onValidate({ setValidationFn }) {
        // A suggestion tells of fields to whoever guesses at their names.
        setValidationFn((schema, document, rules) =>
          validate(schema, document, rules, { maxErrors: maxValidationErrors, hideSuggestions: true }),
        );
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
      allowList: [],
      propagateOnRejection: false,
      onReject: [report(`The document has more than ${limits.documentAliases} aliases.`)],
    }),
  ];
}

/** What walks over a document, in validation and execution, may visit each of these selections. */
function refuseTooManySelections(document: DocumentNode, limits: Limits): void {
  const count = countExpandedSelections(document);
  if (count <= limits.documentSelections) return;
  if (count === Number.POSITIVE_INFINITY) {
    throw requestError(
      400,
      'GRAPHQL_VALIDATION_FAILED',
      'A fragment of the document spreads itself, directly or through others.',
    );
  }
  throw requestError(
    400,
    'DOCUMENT_LIMIT_EXCEEDED',
    `The document selects more than ${limits.documentSelections} fields and fragments, counted wherever a fragment is spread. Ask in several steps.`,
  );
}

/** Validation compares the fields of one name with each other, and what they select. */
function refuseTooManyComparisons(document: DocumentNode, limits: Limits): void {
  if (countComparedFields(document) <= limits.documentComparisons) return;
  throw requestError(
    400,
    'DOCUMENT_LIMIT_EXCEEDED',
    'The document selects fields of one name too often at one place. Select each once.',
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
