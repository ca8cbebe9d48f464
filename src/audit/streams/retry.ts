/**
 * What follows from an attempt to deliver a message, by Standard Webhooks: ten attempts within about 75 hours. Pure: time and
 * chance are arguments.
 */

/** What an endpoint answered, or why it has not. */
export type Answer =
  | { readonly status: number; readonly retryAfter?: string | undefined }
  /** In words for the customer. */
  | { readonly error: string };

export type Next =
  | { readonly outcome: 'DELIVERED' }
  | { readonly outcome: 'RETRY'; readonly at: Date; readonly error: string }
  | { readonly outcome: 'DISABLE'; readonly reason: 'GONE' | 'FAILED'; readonly error: string };

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

/** Milliseconds from one attempt to the next. */
const pauses = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
] as const;
export const mostAttempts = pauses.length + 1;

/** Whoever is overloaded has at least so long. */
const restOfOverloaded = minute;
const overloaded: readonly number[] = [429, 502, 504];
/** An endpoint puts off an attempt by so long at most. */
const longestRetryAfter = 24 * hour;

/** From this attempt on, about two and a half hours after the first, the customer is told that the endpoint fails. */
export const toldAfterAttempts = 5;

/**
 * @param attempt which one this was of the same messages: 1, 2 …
 * @param chance from 0 to 1: the next attempt comes up to a tenth later than it would, so that not all come at once
 */
export function next(attempt: number, answer: Answer, now: Date, chance: number): Next {
  if ('status' in answer && answer.status >= 200 && answer.status < 300) return { outcome: 'DELIVERED' };
  const error = errorOf(answer);
  if ('status' in answer && answer.status === 410) return { outcome: 'DISABLE', reason: 'GONE', error };
  const pause = pauses[attempt - 1];
  if (pause === undefined) return { outcome: 'DISABLE', reason: 'FAILED', error };
  const asked = 'status' in answer ? restOf(answer, now) : 0;
  return {
    outcome: 'RETRY',
    at: new Date(now.getTime() + Math.max(pause * (1 + chance / 10), asked)),
    error,
  };
}

function errorOf(answer: Answer): string {
  if ('error' in answer) return answer.error;
  const { status } = answer;
  if (status >= 300 && status < 400) return `The endpoint answered ${status}: redirects are not followed.`;
  if (status === 410) return 'The endpoint answered 410: it wants no more messages.';
  return `The endpoint answered ${status}.`;
}

/** For how long an answer asks to be left alone, in milliseconds. */
function restOf(
  { status, retryAfter }: { status: number; retryAfter?: string | undefined },
  now: Date,
): number {
  const least = overloaded.includes(status) ? restOfOverloaded : 0;
  return Math.max(least, Math.min(readRetryAfter(retryAfter, now), longestRetryAfter));
}

/** Seconds, or a date of HTTP. What is neither asks for nothing. */
function readRetryAfter(text: string | undefined, now: Date): number {
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text)) return Number(text) * second;
  const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)
    ? Date.parse(text)
    : NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now.getTime());
}
