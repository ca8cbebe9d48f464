/** Introspection: of what an operation may ask, and its answer, which is the same for everybody. */
import {
  type DocumentNode,
  type ExecutionResult,
  type GraphQLError,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { SerializedResult } from '../../graphql/subscriptions/shared-results.ts';
import { SizeBoundedCache } from '../../platform/size-bounded-cache.ts';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { rootFieldsOf } from './root-fields.ts';

/** Returns the error for an operation that asks for `__schema` twice, or for data beside it; otherwise null. */
export function findExcessIntrospection(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): GraphQLError | null {
  const names = rootFieldsOf(document, operation).map(({ name }) => name.value);
  const schemas = names.filter((name) => name === '__schema').length;
  if (schemas === 0 || (schemas === 1 && names.every(isIntrospection))) return null;
  return requestError(
    400,
    'OPERATION_LIMIT_EXCEEDED',
    'Ask for __schema once, in an operation of its own: its answer is prepared.',
  );
}

/** How much a result holds for each character of its text. */
const bytesPerCharacter = 12;

/** Answers an operation of which nothing but introspection was asked before with the same result. */
export function answerIntrospectionOnce({ introspectionBytes }: Limits): Plugin {
  const answers = new SizeBoundedCache<SerializedResult & { text: string }>(
    introspectionBytes,
    (key, { text }) => 2 * key.length + bytesPerCharacter * text.length,
  );
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const { document, operationName, variableValues } = args;
      const operation = getOperationAST(document, operationName);
      if (operation == null || !isOnlyIntrospection(document, operation)) return undefined;
      const key = JSON.stringify([document.loc?.source.body, operationName ?? null, variableValues ?? null]);
      const known = answers.get(key);
      if (known !== undefined) {
        setResultAndStopExecution(asResult(known));
        return undefined;
      }
      return {
        onExecuteDone({ result }) {
          if (Symbol.asyncIterator in result || result.errors !== undefined) return;
          answers.set(key, { ...result, text: JSON.stringify(result) });
        },
      };
    },
  };
}

function asResult({ data, text }: ExecutionResult & { text: string }): SerializedResult {
  return { data: data ?? null, stringify: () => text };
}

function isOnlyIntrospection(document: DocumentNode, operation: OperationDefinitionNode): boolean {
  return (
    operation.operation === 'query' &&
    rootFieldsOf(document, operation).every(({ name }) => isIntrospection(name.value))
  );
}

function isIntrospection(name: string): boolean {
  return name.startsWith('__');
}
