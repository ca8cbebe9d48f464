import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { backoffMs, delay } from './backoff.ts';
import { type Connection, openStream } from './connection.ts';
import { SubscriptionEndedError } from './errors.ts';
import { createRecentIds } from './recent-ids.ts';
import { decideReconnect, type ReconnectDecision } from './reconnect-policy.ts';
import { textOf } from './request.ts';

/** The fields that the client needs of every event. */
export type ResumableEvent = { readonly id: string; readonly cursor: string };

export type ResumeOptions<Result, Variables, Event extends ResumableEvent> = {
  document: TypedDocumentNode<Result, Variables>;
  /** The variables of the document. `after`, if given, is the cursor to start after. */
  variables?: Variables;
  /** Returns the event in the subscription's data. */
  eventOf: (data: Result) => Event;
  /** Called after the connection was lost, before each attempt to reconnect; `delayMs` is the wait before it. */
  onReconnecting?: (attempt: { attempt: number; delayMs: number; reason: string }) => void;
  /**
   * Called after the client has reconnected. `after` is the cursor it resumes after. It is null if no event was
   * received before; the client then misses the events of the meantime, unless the document asks for the current
   * state.
   */
  onReconnected?: (resumed: { after: string | null; awayMs: number }) => void;
  /** Milliseconds of failed attempts in a row after which it ends with UNREACHABLE. Default: five minutes. */
  giveUpAfterMs?: number;
  /** How many event ids are remembered in order to drop repeated events. Default: 1,000. */
  rememberedIds?: number;
  /**
   * How many events may wait for the consumer. With more, the client disconnects, and resumes when the consumer has
   * taken them, so that a slow consumer uses no more memory on either side. Default: 1,000.
   */
  waitingEvents?: number;
  /**
   * Milliseconds without a message after which the client pings the gateway. If there is no answer after half as long
   * again, the connection counts as lost. Default: 10,000.
   */
  silenceMs?: number;
};

/**
 * Iterates over the events in order, each once. It connects immediately, and ends when it is disposed or its
 * `for await` loop is left. When it cannot continue, `next` rejects once, with a SubscriptionEndedError.
 */
export type ResumingSubscription<Event> = AsyncIterableIterator<Event, undefined, undefined> & {
  /** The cursor of the last event taken. To resume later, pass it as the variable `after`. */
  readonly cursor: string | null;
  /** Resolves when the gateway has accepted the first connection. Rejects if the subscription ends before. */
  readonly connected: Promise<void>;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export function subscribeWithResume<Result, Variables, Event extends ResumableEvent>(
  connection: Connection,
  options: ResumeOptions<Result, Variables, Event>,
  onEnd: () => void,
): ResumingSubscription<Event> {
  const {
    document,
    eventOf,
    giveUpAfterMs = 300_000,
    rememberedIds = 1_000,
    waitingEvents = 1_000,
    silenceMs = 10_000,
  } = options;
  const variables: { after?: unknown } = { ...options.variables };
  const recent = createRecentIds(rememberedIds);
  /** Events received, but not taken yet. */
  const queue: Event[] = [];
  /** Calls of `next` that wait for an event. */
  const requests: PromiseWithResolvers<IteratorResult<Event, undefined>>[] = [];
  const connected = Promise.withResolvers<void>();
  // A caller that does not await it gets the error from the iteration.
  connected.promise.catch(() => undefined);
  const ended = new AbortController();
  let wasConnected = false;
  let failure: SubscriptionEndedError | undefined;
  let queueEmptied = Promise.withResolvers<void>();
  /** The cursors of the last event received, and of the last one taken. */
  let receivedCursor = typeof variables.after === 'string' ? variables.after : null;
  let takenCursor = receivedCursor;

  function end(error?: SubscriptionEndedError): void {
    if (ended.signal.aborted) return;
    failure = error;
    ended.abort();
    queueEmptied.resolve();
    connected.reject(error ?? new SubscriptionEndedError('DISPOSED', 'The subscription was disposed.'));
    // After a failure the consumer still gets the events that were received before it.
    if (error === undefined) queue.length = 0;
    for (const request of requests.splice(0)) afterLast().then(request.resolve, request.reject);
    onEnd();
  }

  /** The result after the last event: the failure once, then `done`. */
  function afterLast(): Promise<IteratorResult<Event, undefined>> {
    const error = failure;
    failure = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  function receive(event: Event): void {
    receivedCursor = event.cursor;
    if (!recent.add(event.id)) return;
    const request = requests.shift();
    if (request === undefined) {
      queue.push(event);
      return;
    }
    takenCursor = event.cursor;
    request.resolve({ done: false, value: event });
  }

  /** Runs a callback of the caller. If it throws, the subscription ends. */
  function runCallback(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      end(new SubscriptionEndedError('FAILED', 'A callback of the subscription threw.', { cause }));
    }
  }

  /**
   * Runs one connection until it ends. Returns whether it worked, and what to do next; null if the client closed it.
   * @param lostAt when the last working connection was lost, by `performance.now()`
   */
  async function runConnection(
    lostAt: number | null,
  ): Promise<{ worked: boolean; decision: ReconnectDecision | null }> {
    let acceptedAt: number | null = null;
    let hadEvents = false;
    const stream = openStream(connection, {
      query: textOf(document),
      variables: { ...variables, after: receivedCursor },
      silenceMs,
      onAccepted() {
        acceptedAt = performance.now();
        if (wasConnected && lostAt !== null) {
          const awayMs = Math.round(acceptedAt - lostAt);
          runCallback(() => options.onReconnected?.({ after: receivedCursor, awayMs }));
        }
        wasConnected = true;
        connected.resolve();
      },
      onData(data) {
        hadEvents = true;
        runCallback(() => receive(eventOf(data as Result)));
        if (queue.length >= waitingEvents) stream.close();
      },
    });
    const close = () => stream.close();
    ended.signal.addEventListener('abort', close);
    if (ended.signal.aborted) close();
    const streamEnd = await stream.ended;
    ended.signal.removeEventListener('abort', close);
    const worked = hadEvents || (acceptedAt !== null && performance.now() - acceptedAt > stableAfterMs);
    return {
      worked,
      decision: streamEnd === 'CLOSED' ? null : decideReconnect(streamEnd.by, acceptedAt !== null),
    };
  }

  async function run(): Promise<void> {
    let attempt = 0;
    let lostAt: number | null = null;
    while (!ended.signal.aborted) {
      const { worked, decision } = await runConnection(lostAt);
      if (worked) {
        attempt = 0;
        lostAt = null;
      }
      if (decision === null) {
        // The subscription has ended, or it waits until the consumer has taken the events in the queue.
        queueEmptied = Promise.withResolvers();
        if (queue.length > 0 && !ended.signal.aborted) await queueEmptied.promise;
        continue;
      }
      if (decision.kind === 'GIVE_UP') return end(decision.error);
      if (decision.kind === 'NEW_TOKEN' && !connection.canRenewToken) {
        return end(
          new SubscriptionEndedError('UNAUTHENTICATED', `The token has expired: ${decision.reason}`),
        );
      }
      lostAt ??= performance.now();
      attempt += 1;
      const delayMs = backoffMs(attempt);
      if (performance.now() + delayMs - lostAt > giveUpAfterMs) {
        return end(
          new SubscriptionEndedError(
            'UNREACHABLE',
            `The gateway was unreachable for ${Math.round(giveUpAfterMs / 1_000)} s; at last ${decision.reason}.`,
          ),
        );
      }
      const { reason } = decision;
      runCallback(() => options.onReconnecting?.({ attempt, delayMs, reason }));
      if (ended.signal.aborted) return;
      await delay(delayMs, ended.signal);
    }
  }

  const running = run().catch((error: unknown) => {
    end(new SubscriptionEndedError('FAILED', 'The subscription failed.', { cause: error }));
  });

  const subscription: ResumingSubscription<Event> = {
    get cursor() {
      return takenCursor;
    },
    connected: connected.promise,
    next() {
      const event = queue.shift();
      if (event !== undefined) {
        takenCursor = event.cursor;
        if (queue.length === 0) queueEmptied.resolve();
        return Promise.resolve({ done: false, value: event });
      }
      if (ended.signal.aborted) return afterLast();
      const request = Promise.withResolvers<IteratorResult<Event, undefined>>();
      requests.push(request);
      return request.promise;
    },
    async return() {
      await subscription.dispose();
      return { done: true, value: undefined };
    },
    async dispose() {
      end();
      failure = undefined;
      await running;
    },
    [Symbol.asyncIterator]: () => subscription,
    [Symbol.asyncDispose]: () => subscription.dispose(),
  };
  return subscription;
}

/** A connection without events counts as working after this many milliseconds. */
const stableAfterMs = 10_000;
