/** Events between the connection that receives them and the consumer that iterates over them. */
export type EventQueue<Event> = {
  /** Events that were received, but not taken yet. */
  readonly length: number;
  /** The cursor of the last event taken; before that, where the subscription started. */
  readonly cursor: string | null;
  /** Sets the cursor, if there is none yet. */
  startAt(cursor: string): void;
  push(event: Event): void;
  /**
   * Resolves with the next event. After the end it resolves with those that are left, then rejects once with the
   * error, then resolves with `done`.
   */
  take(): Promise<IteratorResult<Event, undefined>>;
  /** Resolves when no event waits. */
  emptied(): Promise<void>;
  /** Ends the queue. Without an error, the events in it are dropped. */
  end(error?: Error): void;
};

export function createEventQueue<Event extends { readonly cursor: string }>(
  startsAt: string | null,
): EventQueue<Event> {
  const events: Event[] = [];
  /** Calls of `take` that wait for an event. */
  const requests: PromiseWithResolvers<IteratorResult<Event, undefined>>[] = [];
  let cursor = startsAt;
  let failure: Error | undefined;
  let hasEnded = false;
  let emptied = Promise.withResolvers<void>();

  /** The result after the last event: the failure once, then `done`. */
  function afterLast(): Promise<IteratorResult<Event, undefined>> {
    const error = failure;
    failure = undefined;
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  function taken(event: Event): IteratorResult<Event, undefined> {
    cursor = event.cursor;
    return { done: false, value: event };
  }

  return {
    get length() {
      return events.length;
    },
    get cursor() {
      return cursor;
    },
    startAt(start) {
      cursor ??= start;
    },
    push(event) {
      const request = requests.shift();
      if (request === undefined) events.push(event);
      else request.resolve(taken(event));
    },
    take() {
      const event = events.shift();
      if (events.length === 0) emptied.resolve();
      if (event !== undefined) return Promise.resolve(taken(event));
      if (hasEnded) return afterLast();
      const request = Promise.withResolvers<IteratorResult<Event, undefined>>();
      requests.push(request);
      return request.promise;
    },
    emptied() {
      emptied = Promise.withResolvers();
      if (events.length === 0) emptied.resolve();
      return emptied.promise;
    },
    end(error) {
      failure = error;
      hasEnded = true;
      if (error === undefined) events.length = 0;
      emptied.resolve();
      for (const request of requests.splice(0)) afterLast().then(request.resolve, request.reject);
    },
  };
}
