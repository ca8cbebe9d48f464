import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { withDeadline } from '../../platform/deadline.ts';
import { requestError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { EngineContext, RunningOperation } from '../running-operation.ts';
import { measureOperation } from './object-limit.ts';

/**
 * Limits how many objects an operation may return, and how long it may take. Operations that may return many have turns
 * of their own: they use the processor for so long at a time that small ones would wait for each.
 */
export function limitOperations(limits: Limits): Plugin<EngineContext> {
  return {
    onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
      const size = measureOperation(args, limits);
      if ('errors' in size) {
        setResultAndStopExecution(size);
        return;
      }
      const { operation } = args.contextValue;
      const { place } = operation;
      const isLarge = size.objects > limits.ordinaryObjects;
      setExecuteFn((executionArgs) => {
        const execute = () => inTurn(operation, executeFn(executionArgs));
        const work = isLarge && place !== undefined ? place.startAsLarge().then(execute) : execute();
        return resultInTime(work, operation, limits);
      });
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const size = measureOperation(args, limits);
      if ('errors' in size) setResultAndStopExecution(size);
    },
  };
}

/** The work keeps the operation's turn until it is done, even if nobody waits for it any more. */
export function inTurn<T>({ place }: RunningOperation, work: T | PromiseLike<T>): T | PromiseLike<T> {
  return place === undefined ? work : place.during(work);
}

/** As {@link withinOperationTime}, with the error of the deadline, or that it got no turn, as a result. */
export async function resultInTime<T>(work: T | PromiseLike<T>, operation: RunningOperation, limits: Limits) {
  try {
    return await withinOperationTime(work, operation, limits);
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
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
