import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { withDeadline } from '../../platform/deadline.ts';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { EngineContext, RunningOperation } from '../running-operation.ts';
import { findExcess } from './object-limit.ts';

/** Limits how many objects an operation may return, and how long it may take. */
export function limitOperations(limits: Limits): Plugin<EngineContext> {
  return {
    onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
      const excess = findExcess(args, limits);
      if (excess.length > 0) {
        setResultAndStopExecution({ errors: excess });
        return;
      }
      const { operation } = args.contextValue;
      setExecuteFn((executionArgs) =>
        resultInTime(inTurn(operation, executeFn(executionArgs)), operation, limits),
      );
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const excess = findExcess(args, limits);
      if (excess.length > 0) setResultAndStopExecution({ errors: excess });
    },
  };
}

/** The work keeps the operation's turn until it is done, even if nobody waits for it any more. */
export function inTurn<T>({ place }: RunningOperation, work: T | PromiseLike<T>): T | PromiseLike<T> {
  return place === undefined ? work : place.during(work);
}

/** As {@link withinOperationTime}, with the error of the deadline as a result. */
export async function resultInTime<T>(work: T | PromiseLike<T>, operation: RunningOperation, limits: Limits) {
  try {
    return await withinOperationTime(work, operation, limits);
  } catch (error) {
    if (error instanceof GraphQLError && error.extensions['code'] === 'TOOK_TOO_LONG') {
      return { errors: [error] };
    }
    throw error;
  }
}

/**
 * Settles as `work` does. If `operationMs` have passed since the operation started, ends the operation and rejects
 * with TOOK_TOO_LONG: creating the context and executing share that time.
 */
export function withinOperationTime<T>(
  work: T | PromiseLike<T>,
  operation: RunningOperation,
  limits: Limits,
): Promise<T> {
  const msLeft = operation.startedAt + limits.operationMs - performance.now();
  return withDeadline(work, msLeft, () => {
    operation.end('TOOK_TOO_LONG');
    return requestError(
      504,
      'TOOK_TOO_LONG',
      `The operation took longer than ${limits.operationMs} ms. A mutation may still have taken effect: look, or repeat it with the same idempotency key.`,
    );
  });
}
