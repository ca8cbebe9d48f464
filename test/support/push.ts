/** Sources of events for tests, and what a subscriber receives from one. */
import { type ExecutionArgs, type ExecutionResult, subscribe } from 'graphql';
import type { EventSource } from '../../src/events/subscriber.ts';

/** Pushes what the iterable yields. */
export function pushed<T>(values: AsyncIterable<T>): EventSource<T> {
  const iterator = values[Symbol.asyncIterator]();
  let hasEnded = false;
  return {
    start(subscriber) {
      async function push(): Promise<void> {
        for (;;) {
          const { value, done } = await iterator.next();
          if (hasEnded) return;
          if (done === true) {
            subscriber.onEnd();
            return;
          }
          await subscriber.onEvent(value);
        }
      }
      push().catch((error: Error) => {
        if (!hasEnded) subscriber.onEnd(error);
      });
    },
    end() {
      hasEnded = true;
      iterator.return?.()?.catch(() => undefined);
    },
  };
}

/** `subscribe` of graphql, for schemas whose subscriptions are async iterables. */
export async function subscribeToIterables(
  args: ExecutionArgs,
): Promise<EventSource<ExecutionResult> | ExecutionResult> {
  const results = await subscribe(args);
  return Symbol.asyncIterator in results ? pushed(results) : results;
}
