import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { requestError } from '../errors.ts';
import type { EngineContext } from '../running-operation.ts';

/**
 * Answers 401 to requests without a token that need one. Subscriptions always do. For queries and mutations the
 * schema decides: introspection and `__typename` are open, and a result that holds nothing but UNAUTHENTICATED
 * errors becomes a 401.
 */
export function requireTokens(): Plugin<EngineContext> {
  return {
    onExecute({ args }) {
      if (args.contextValue.operation.session.kind !== 'ANONYMOUS') return undefined;
      return {
        onExecuteDone({ result, setResult }) {
          if (!isStream(result) && lacksToken(result)) setResult({ errors: [tokenRequired()] });
        },
      };
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      if (args.contextValue.operation.session.kind !== 'ANONYMOUS') return;
      setResultAndStopExecution({ errors: [tokenRequired()] });
    },
  };
}

function lacksToken({ data, errors = [] }: ExecutionResult): boolean {
  return (
    errors.length > 0 &&
    errors.every(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED') &&
    Object.values(data ?? {}).every((value) => value === null)
  );
}

function tokenRequired() {
  return requestError(401, 'UNAUTHENTICATED', 'Send a bearer token: "authorization: Bearer <token>".', {
    'www-authenticate': 'Bearer',
  });
}

function isStream<T>(value: T | AsyncIterable<T>): value is AsyncIterable<T> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
