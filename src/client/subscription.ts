import { setTimeout as wait } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { backoffMs } from './backoff.ts';
import { type Connection, openStream } from './connection.ts';
import { SubscriptionEndedError } from './errors.ts';
import { createRecentIds } from './recent-ids.ts';
import { judge, type ReconnectDecision } from './reconnect-policy.ts';
import { textOf } from './request.ts';

/** What every event of the gateway has. */
export type ResumableEvent = { readonly id: string; readonly cursor: string };

export type ResumeOptions<Result, Variables, Event extends ResumableEvent> = {
  document: TypedDocumentNode<Result, Variables>;
  /** Those of the document. `after`, if given, is the cursor to start from. */
  variables?: Variables;
  /** The event within the subscription's data. */
  eventOf: (data: Result) => Event;
  /** Called when the connection was lost, before each try to connect again. */
  onReconnecting?: (attempt: { attempt: number; delayMs: number; reason: string }) => void;
  /**
   * Called when it is connected again. `after` is the cursor it goes on from. Null: nothing was received yet,
   * so what happened in the meantime is not told, unless the document asks for the current state.
   */
  onReconnected?: (resumed: { after: string | null; awayMs: number }) => void;
  /** Milliseconds in a row without the gateway after which it gives up; five minutes if left out. */
  giveUpAfterMs?: number;
  /** How many ids of events are remembered to drop repetitions; 1,000 if left out. */
  rememberedIds?: number;
  /**
   * How many events may wait for the consumer; 1,000 if left out. With more it disconnects, and goes on from
   * the last of them once they are taken, so that a slow consumer costs neither side memory.
   */
  waitingEvents?: number;
  /**
   * Milliseconds of silence after which the gateway is asked for a sign of life, and after half as long again
   * the connection is taken for lost; 10,000 if left out.
   */
  silenceMs?: number;
};

/**
 * The events, in order, each once. It connects at once, and ends when it is disposed or the loop is left. It
 * throws a SubscriptionEndedError, once, when it cannot go on.
 */
export type ResumingSubscription<Event> = AsyncIterableIterator<Event, undefined, undefined> & {
  /** Of the last event taken: the place to start from another time, as the variable `after`. */
  readonly cursor: string | null;
  /** Resolves when the gateway has accepted the first connection; rejects when it ends before. */
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
  const waiting: Event[] = [];
  const requests: PromiseWithResolvers<IteratorResult<Event, undefined>>[] = [];
  const connected = Promise.withResolvers<void>();
  // Whoever does not wait for it hears of the end from the iteration.
  connected.promise.catch(() => undefined);
  const over = new AbortController();
  let wasConnected = false;
  let failure: SubscriptionEndedError | undefined;
  let drained = Promise.withResolvers<void>();
  /** Of the last event received, and of the last one taken. */
  let received = typeof variables.after === 'string' ? variables.after : null;
  let taken = received;

  function end(error?: SubscriptionEndedError): void {
    if (over.signal.aborted) return;
    failure = error;
    over.abort();
    drained.resolve();
    connected.reject(error ?? new SubscriptionEndedError('DISPOSED', 'The subscription was disposed.'));
    // After a failure, what was received before it is still to be taken.
    if (error === undefined) waiting.length = 0;
    for (const request of requests.splice(0)) farewell().then(request.resolve, request.reject);
    onEnd();
  }

  /** What a consumer gets after the last event: the failure once, then nothing. */
  function farewell(): Promise<IteratorResult<Event, undefined>> {
    const error = failure;
    failure = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  function receive(event: Event): void {
    received = event.cursor;
    if (!recent.isNew(event.id)) return;
    const request = requests.shift();
    if (request === undefined) {
      waiting.push(event);
      return;
    }
    taken = event.cursor;
    request.resolve({ done: false, value: event });
  }

  /** Runs what the caller gave; what it throws ends the subscription rather than the connection. */
  function guarded(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      end(new SubscriptionEndedError('FAILED', 'A callback of the subscription threw.', { cause }));
    }
  }

  /** One connection from its beginning to its end. Answers whether it was of any use, and what to do now. */
  async function stayConnected(
    lostAt: number | null,
  ): Promise<{ wasUseful: boolean; verdict: ReconnectDecision | null }> {
    let acceptedAt: number | null = null;
    let hadEvents = false;
    const stream = openStream(connection, {
      query: textOf(document),
      variables: { ...variables, after: received },
      silenceMs,
      onAccepted() {
        acceptedAt = performance.now();
        if (wasConnected && lostAt !== null) {
          const awayMs = Math.round(acceptedAt - lostAt);
          guarded(() => options.onReconnected?.({ after: received, awayMs }));
        }
        wasConnected = true;
        connected.resolve();
      },
      onData(data) {
        hadEvents = true;
        guarded(() => receive(eventOf(data as Result)));
        if (waiting.length >= waitingEvents) stream.close();
      },
    });
    const close = () => stream.close();
    over.signal.addEventListener('abort', close);
    if (over.signal.aborted) close();
    const ended = await stream.ended;
    over.signal.removeEventListener('abort', close);
    const wasUseful = hadEvents || (acceptedAt !== null && performance.now() - acceptedAt > steadyMs);
    return { wasUseful, verdict: ended === 'CLOSED' ? null : judge(ended.by, acceptedAt !== null) };
  }

  async function run(): Promise<void> {
    let attempt = 0;
    let lostAt: number | null = null;
    while (!over.signal.aborted) {
      const { wasUseful, verdict } = await stayConnected(lostAt);
      if (wasUseful) {
        attempt = 0;
        lostAt = null;
      }
      if (verdict === null) {
        // Closed by ourselves: at the end, or until the consumer has taken what waits.
        drained = Promise.withResolvers();
        if (waiting.length > 0 && !over.signal.aborted) await drained.promise;
        continue;
      }
      if (verdict.kind === 'GIVE_UP') return end(verdict.error);
      if (verdict.kind === 'NEW_TOKEN' && !connection.canRenewToken) {
        return end(new SubscriptionEndedError('UNAUTHENTICATED', `The token ran out: ${verdict.reason}`));
      }
      lostAt ??= performance.now();
      attempt += 1;
      const delayMs = backoffMs(attempt);
      if (performance.now() + delayMs - lostAt > giveUpAfterMs) {
        return end(
          new SubscriptionEndedError(
            'UNREACHABLE',
            `No subscription for ${Math.round(giveUpAfterMs / 1_000)} s; at last ${verdict.reason}.`,
          ),
        );
      }
      const { reason } = verdict;
      guarded(() => options.onReconnecting?.({ attempt, delayMs, reason }));
      if (over.signal.aborted) return;
      await wait(delayMs, undefined, { signal: over.signal }).catch(() => undefined);
    }
  }

  const running = run().catch((error: unknown) => {
    end(new SubscriptionEndedError('FAILED', 'The subscription failed.', { cause: error }));
  });

  const subscription: ResumingSubscription<Event> = {
    get cursor() {
      return taken;
    },
    connected: connected.promise,
    next() {
      const event = waiting.shift();
      if (event !== undefined) {
        taken = event.cursor;
        if (waiting.length === 0) drained.resolve();
        return Promise.resolve({ done: false, value: event });
      }
      if (over.signal.aborted) return farewell();
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

/** Milliseconds after which a connection without events counts as one that works. */
const steadyMs = 10_000;
