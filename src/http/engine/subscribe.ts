import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { SendText } from '../../graphql/subscriptions/subscribe.ts';

/**
 * Runs a subscription, as `subscribe` of graphql does. It may send results that are serialized already to `sendText`
 * instead of yielding them. A result it yields may have a `stringify` method that returns its JSON.
 */
export type Subscribe = (
  args: ExecutionArgs,
  sendText?: SendText,
) => Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
