import type { GraphQLFormattedError } from 'graphql';
import { openStream } from './connection.ts';
import { delay, startDeadline } from './deadline.ts';
import { type ResumableDocument, textOf } from './document.ts';
import { RequestFailedError, SubscriptionEndedError } from './errors.ts';
import { createEventQueue } from './event-queue.ts';
import { createRecentIds } from './recent-ids.ts';
import {
  decideOnTokenFailure,
  decideReconnect,
  type ReconnectDecision,
  type Retry,
} from './reconnect-policy.ts';
import { type RenewableStream, runWithRenewals } from './renewal.ts';
import { createRetries } from './retries.ts';
import { fetchToken, type TokenSource } from './token.ts';

/** The fields that the client needs of every event. */
export type ResumableEvent = { readonly id: string; readonly cursor: string; readonly type: string };

export type ResumeOptions<Result, Variables, Event extends ResumableEvent> = {
  document: ResumableDocument<Result, Variables>;
  /** The variables of the document. `after`, if given, is the cursor to start after. */
  variables?: Variables;
  /** Returns the event in the subscription's data. `errors` are of fields that are null in it because they failed. */
  eventOf: (data: Result, errors: readonly GraphQLFormattedError[]) => Event;
  /** Called after the connection was lost, before each attempt to reconnect; `delayMs` is the wait before it. */
  onReconnecting?: (attempt: { attempt: number; delayMs: number; reason: string }) => void;
  /** Called after the client has reconnected. `after` is the cursor it resumes after. */
  onReconnected?: (resumed: { after: string; awayMs: number }) => void;
  /**
   * Milliseconds of failed attempts in a row after which it ends with UNREACHABLE, TOKEN_UNAVAILABLE or
   * UNAUTHENTICATED. Default: five minutes.
   */
  giveUpAfterMs?: number;
  /** Milliseconds for each attempt to get a token, and for each attempt to connect with it. Default: 15,000. */
  attemptTimeoutMs?: number;
  /** How many event ids are remembered in order to drop repeated events. Default: 1,000. */
  rememberedIds?: number;
  /**
   * How many events may wait for the consumer. With more, the client disconnects, and resumes when the consumer has
   * taken them, so that a slow consumer uses no more memory on either side. Default: 1,000.
   */
  waitingEvents?: number;
  /**
   * Milliseconds from the answer to a ping until the next ping. If the gateway sends nothing for half as long after a
   * ping, the connection counts as lost. Default: 10,000.
   */
  silenceMs?: number;
};

/**
 * Iterates over the events in order, each once, except those of the type STARTED. If a connection is lost during the
 * current state, all of its events come again. It connects immediately, and ends when it is disposed or its `for await`
 * loop is left. When it cannot continue, `next` rejects once, with a SubscriptionEndedError.
 */
export type ResumingSubscription<Event> = AsyncIterableIterator<Event, undefined, undefined> & {
  /**
   * The cursor of the last event taken; before that, where the subscription has started, and null until it has. To
   * resume later, pass it as the variable `after`.
   */
  readonly cursor: string | null;
  /**
   * Resolves when the gateway has started the subscription: it misses nothing from then on. Rejects if it ends before.
   */
  readonly started: Promise<void>;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

type OpenStream = RenewableStream & {
  /** Whether the gateway has accepted its token. */
  wasAccepted(): boolean;
  /** Whether it has delivered events, or has run for a while. */
  hasWorked(): boolean;
};

const missingFields = 'Each event needs its `id`, `cursor` and `type`: select them, under these names.';
const missingVariable = 'The document needs the variable `$after`, passed to the argument `after`.';

/** Parts of the current state, which is delivered as a whole, also when it is delivered again. */
const typesOfState = ['CURRENT', 'CURRENT_COMPLETE'];

/** A connection without events counts as working after this many milliseconds. */
const stableAfterMs = 10_000;

/** @param url `ws://127.0.0.1:4000/graphql` */
export function subscribeWithResume<Result, Variables, Event extends ResumableEvent>(
  { url, token: tokenSource }: { url: string; token: TokenSource },
  options: ResumeOptions<Result, Variables, Event>,
  onEnd: () => void,
): ResumingSubscription<Event> {
  const {
    giveUpAfterMs = 300_000,
    attemptTimeoutMs = 15_000,
    waitingEvents = 1_000,
    silenceMs = 10_000,
  } = options;
  const query = textOf(options.document);
  if (!/\$after\b/.test(query)) throw new TypeError(missingVariable);
  const variables: { after?: unknown } = { ...options.variables };
  const recent = createRecentIds(options.rememberedIds ?? 1_000);
  const started = Promise.withResolvers<void>();
  // A caller that does not await it gets the error from the iteration.
  started.promise.catch(() => undefined);
  const ended = new AbortController();
  const retries = createRetries(giveUpAfterMs);
  const streams = new Set<OpenStream>();
  let hasStarted = false;
  let acceptedToken: string | undefined;
  /** The cursor of the last event received. */
  let receivedCursor = typeof variables.after === 'string' ? variables.after : null;
  const queue = createEventQueue<Event>(receivedCursor);

  function end(error?: SubscriptionEndedError): void {
    if (ended.signal.aborted) return;
    ended.abort();
    closeAll();
    started.reject(error ?? new SubscriptionEndedError('DISPOSED', 'The subscription was disposed.'));
    queue.end(error);
    onEnd();
  }

  function closeAll(): void {
    for (const stream of streams) stream.close();
  }

  /** Runs a callback of the caller. If it throws, the subscription ends. */
  function runCallback(callback: () => void): void {
    try {
      callback();
    } catch (cause) {
      end(new SubscriptionEndedError('FAILED', 'A callback of the subscription threw.', { cause }));
    }
  }

  function receive(event: Event): void {
    receivedCursor = event.cursor;
    if (typesOfState.includes(event.type) || recent.add(event.id)) queue.push(event);
    if (queue.length >= waitingEvents) closeAll();
  }

  /** Reports that the subscription has started after this cursor, or has resumed there. */
  function reportStart(after: string): void {
    const { lostAt } = retries;
    if (hasStarted && lostAt !== null) {
      const awayMs = Math.round(performance.now() - lostAt);
      options.onReconnected?.({ after, awayMs });
    }
    hasStarted = true;
    started.resolve();
  }

  async function getToken(outer: AbortSignal): Promise<string> {
    const deadline = startDeadline(attemptTimeoutMs, outer);
    try {
      return await fetchToken(tokenSource, deadline.signal);
    } finally {
      deadline.clear();
    }
  }

  function open(token: string, onStarted: (after: string) => void): OpenStream {
    const after = receivedCursor;
    const start = Promise.withResolvers<void>();
    let wasAccepted = false;
    let startedAt: number | null = null;
    let hadEvents = false;

    function deliver(event: Event): void {
      const { id, cursor, type } = event;
      if ([id, cursor, type].some((field) => typeof field !== 'string')) throw new TypeError(missingFields);
      if (type !== 'STARTED') {
        hadEvents = true;
        receive(event);
        return;
      }
      startedAt = performance.now();
      receivedCursor ??= cursor;
      queue.startAt(cursor);
      start.resolve();
      onStarted(after ?? cursor);
    }

    const stream: OpenStream = {
      ...openStream({
        ...{ url, token, query, silenceMs, acceptanceMs: attemptTimeoutMs },
        variables: { ...variables, after },
        onAccepted() {
          wasAccepted = true;
          acceptedToken = token;
        },
        onData: (data, errors) => runCallback(() => deliver(options.eventOf(data as Result, errors))),
      }),
      token,
      started: start.promise,
      wasAccepted: () => wasAccepted,
      hasWorked: () => hadEvents || (startedAt !== null && performance.now() - startedAt > stableAfterMs),
    };
    streams.add(stream);
    void stream.ended.then(() => streams.delete(stream));
    if (ended.signal.aborted) stream.close();
    return stream;
  }

  /** Runs until the connection is lost, whatever renewals there are. Returns null if the client closed it. */
  async function runConnection(): Promise<ReconnectDecision | null> {
    let token: string;
    try {
      token = await getToken(ended.signal);
    } catch (error) {
      return error instanceof RequestFailedError ? decideOnTokenFailure(error) : null;
    }
    const knownToken = acceptedToken;
    const first = open(token, reportStart);
    const { last, end: how } = await runWithRenewals(first, {
      getToken,
      open: (newer) => open(newer, () => undefined),
    });
    if (first.hasWorked() || last.hasWorked()) retries.reset();
    return how === 'CLOSED' ? null : decideReconnect(how.by, last.wasAccepted() || token === knownToken);
  }

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const decision = await runConnection();
      if (ended.signal.aborted) return;
      // The client has disconnected until the consumer has taken the events in the queue.
      if (decision === null) await queue.emptied();
      else if (decision.kind === 'GIVE_UP') end(decision.error);
      else await waitToReconnect(decision);
    }
  }

  async function waitToReconnect(decision: Retry): Promise<void> {
    const { kind, reason, code, cause } = decision;
    if (kind === 'NEW_TOKEN' && typeof tokenSource === 'string') {
      return end(new SubscriptionEndedError(code, `The token has expired: ${reason}`));
    }
    const retry = retries.next(kind === 'NEW_TOKEN');
    if (retry === null) {
      const seconds = Math.round(giveUpAfterMs / 1_000);
      const message = `There was no connection for ${seconds} s; at last: ${reason}`;
      return end(new SubscriptionEndedError(code, message, { cause }));
    }
    runCallback(() => options.onReconnecting?.({ ...retry, reason }));
    await delay(retry.delayMs, ended.signal);
  }

  const running = run().catch((error: unknown) => {
    end(new SubscriptionEndedError('FAILED', 'The subscription failed.', { cause: error }));
  });

  const subscription: ResumingSubscription<Event> = {
    get cursor() {
      return queue.cursor;
    },
    started: started.promise,
    next: () => queue.take(),
    async return() {
      await subscription.dispose();
      return { done: true, value: undefined };
    },
    async dispose() {
      end();
      queue.end();
      await running;
    },
    [Symbol.asyncIterator]: () => subscription,
    [Symbol.asyncDispose]: () => subscription.dispose(),
  };
  return subscription;
}
