/** What becomes of the webhooks that arrive, counted, and told in the log without filling it. */

/** What a webhook is answered with: accepted as one of the first five, or refused with the code of an error. */
export const webhookResults = [
  'APPLIED',
  'WAITING',
  'KEPT',
  'REPEATED',
  'IGNORED',
  'NOT_FOUND',
  'UNSUPPORTED_MEDIA_TYPE',
  'REQUEST_TOO_LARGE',
  'BAD_REQUEST',
  'TOO_MANY_OPERATIONS',
  'WEBHOOK_UNSIGNED',
  'WEBHOOK_STALE',
  'WEBHOOK_WRONG_SIGNATURE',
  'SERVICE_UNAVAILABLE',
] as const;

export type WebhookResult = (typeof webhookResults)[number];

/** The number of webhooks by what they were answered with, since the gateway started. */
export type WebhookCounters = {
  count(result: WebhookResult): void;
  /** Every result is in it, also those that there have been none of. */
  read(): Readonly<Record<WebhookResult, number>>;
};

export function createWebhookCounters(): WebhookCounters {
  const counts = new Map<WebhookResult, number>();
  return {
    count: (result) => {
      counts.set(result, (counts.get(result) ?? 0) + 1);
    },
    read: () =>
      Object.fromEntries(webhookResults.map((result) => [result, counts.get(result) ?? 0])) as Record<
        WebhookResult,
        number
      >,
  };
}

/** Milliseconds between two calls about the same thing. */
const quietFor = 60_000;

/**
 * Returns a function that says whether to tell of this now, and of how many times: at the first time, and then at most
 * once a minute. Null: not now.
 *
 * @param now milliseconds since any moment
 */
export function onceAMinute<Subject>(now: () => number): (subject: Subject) => number | null {
  const told = new Map<Subject, { at: number; since: number }>();
  return (subject) => {
    const last = told.get(subject);
    if (last !== undefined && now() - last.at < quietFor) {
      last.since += 1;
      return null;
    }
    told.set(subject, { at: now(), since: 0 });
    return 1 + (last?.since ?? 0);
  };
}
