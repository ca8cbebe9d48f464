import type { Client } from 'graphql-ws';

/** What graphql-ws's and graphql-sse's clients have in common. */
export type Subscriptions = Pick<Client, 'subscribe'>;

/** Waits before attempt 0, 1, 2 …: up to a second before the first one, and never more than half a minute. */
export async function backoff(attempt: number): Promise<void> {
  const longestMs = Math.min(1_000 * 2 ** attempt, 30_000);
  await new Promise((resolve) => setTimeout(resolve, longestMs * (0.5 + Math.random() / 2)));
}

const transientCodes = [
  'FEED_UNAVAILABLE',
  'FEED_CLOSED',
  'SERVICE_UNAVAILABLE',
  'IDENTITY_UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
  'TOOK_TOO_LONG',
  'TOO_MANY_OPERATIONS',
  'RATE_LIMITED',
  'TOO_MANY_CONNECTIONS',
  // An event stream whose token has expired. A token that is refused has HTTP status 401.
  'UNAUTHENTICATED',
];

/** @param failure the errors of the subscription, a close event, or an error with an HTTP response */
function decide(failure: unknown): 'RESUME' | 'START_AGAIN' | 'STOP' {
  if (Array.isArray(failure)) {
    const code: string = failure[0]?.extensions?.code ?? '';
    if (code.startsWith('CURSOR_') || code === 'HISTORY_REPLACED') return 'START_AGAIN';
    return transientCodes.includes(code) ? 'RESUME' : 'STOP';
  }
  const { code, response } = failure as { code?: number; response?: { status: number } };
  const status = code ?? response?.status ?? 0;
  const isFinal = [1009, 4400, 4401, 4403, 4406, 4409].includes(status) || (status >= 400 && status < 429);
  return isFinal ? 'STOP' : 'RESUME';
}

/**
 * The same client, whose subscriptions resume after the last event received. They must declare `$after` and
 * `$withCurrentState`, and select `cursor`. `sink.error` is called only for what a new attempt cannot change.
 */
export function resuming(client: Subscriptions, wait = backoff): Subscriptions {
  return {
    subscribe(payload, sink) {
      const variables: Record<string, unknown> = { ...payload.variables };
      let attempt = 0;
      let isUnsubscribed = false;
      let unsubscribe = (): void => {};

      function start(): void {
        let failure: unknown;
        unsubscribe = client.subscribe<Record<string, { cursor?: string }>>(
          { ...payload, variables },
          {
            next(result) {
              const [event] = Object.values(result.data ?? {});
              if (event == null) {
                // Event streams report the end of a subscription as a result, before `complete`.
                failure = result.errors;
                return;
              }
              attempt = 0;
              variables['after'] = event.cursor;
              sink.next(result as Parameters<typeof sink.next>[0]);
            },
            error: restart,
            complete: () => (failure === undefined ? sink.complete() : restart(failure)),
          },
        );
      }

      async function restart(failure: unknown): Promise<void> {
        const decision = decide(failure);
        if (decision === 'STOP') return sink.error(failure);
        if (decision === 'START_AGAIN') Object.assign(variables, { after: null, withCurrentState: true });
        await wait(attempt);
        attempt += 1;
        if (isUnsubscribed) sink.complete();
        else start();
      }

      start();
      return () => {
        isUnsubscribed = true;
        unsubscribe();
      };
    },
  };
}
