import type { Stream, StreamEnd } from './connection.ts';
import { aborted, waitUntil } from './deadline.ts';
import { expiryOf } from './token.ts';

/** A stream that can be replaced by one with a newer token. */
export type RenewableStream = Stream & {
  readonly token: string;
  /** Resolves when the gateway has started the subscription, if it does. */
  readonly started: Promise<void>;
};

export type Renewal<S extends RenewableStream> = {
  /** Rejects when there is no token in time, or with the reason of the signal. */
  getToken: (signal: AbortSignal) => Promise<string>;
  /** Opens another stream, which continues from what was received last. */
  open: (token: string) => S;
};

/** The longest time before the expiry of a token at which its renewal begins, in milliseconds. */
const longestMarginMs = 60_000;

/** With less time left until the expiry, there is no other attempt, in milliseconds. */
const shortestMarginMs = 1_000;

/**
 * Runs a stream until it ends. Before its token expires, it is replaced: it is closed when another one, with a newer
 * token, has started. Returns the last stream and how that ended.
 */
export async function runWithRenewals<S extends RenewableStream>(
  first: S,
  renewal: Renewal<S>,
): Promise<{ last: S; end: StreamEnd }> {
  let last = first;
  for (;;) {
    const stop = new AbortController();
    const successor = openSuccessor(last, renewal, stop.signal);
    const outcome = await Promise.race([
      last.ended.then((end) => ({ end })),
      successor.then((stream) => ({ stream })),
    ]);
    stop.abort();
    if ('end' in outcome) {
      void successor.then((stream) => stream?.close());
      return { last, end: outcome.end };
    }
    if (outcome.stream === null) continue;
    last.close();
    last = outcome.stream;
  }
}

/** Opens the stream that replaces this one. Resolves with null only when the signal has aborted. */
async function openSuccessor<S extends RenewableStream>(
  old: S,
  renewal: Renewal<S>,
  signal: AbortSignal,
): Promise<S | null> {
  const expiresAt = expiryOf(old.token) ?? Number.POSITIVE_INFINITY;
  let waitMs: number | null = firstRenewalMs(expiresAt - Date.now());
  while (waitMs !== null) {
    await waitUntil(Date.now() + waitMs, signal);
    const stream = await tryToReplace(old, renewal, signal);
    if (stream !== null || signal.aborted) return stream;
    waitMs = nextRenewalMs(expiresAt - Date.now());
  }
  await aborted(signal);
  return null;
}

/** Resolves with null if there is no newer token, or if no stream has started with it. */
async function tryToReplace<S extends RenewableStream>(
  old: S,
  { getToken, open }: Renewal<S>,
  signal: AbortSignal,
): Promise<S | null> {
  // A token source that fails is asked again, at the latest after the token has expired.
  const token = await getToken(signal).catch(() => old.token);
  if (signal.aborted || !isNewer(token, old.token)) return null;
  const stream = open(token);
  const close = () => stream.close();
  signal.addEventListener('abort', close);
  const isReady = await Promise.race([stream.started.then(() => true), stream.ended.then(() => false)]);
  signal.removeEventListener('abort', close);
  if (!isReady || signal.aborted) stream.close();
  return isReady && !signal.aborted ? stream : null;
}

function isNewer(token: string, old: string): boolean {
  return token !== old && (expiryOf(token) ?? Number.POSITIVE_INFINITY) > (expiryOf(old) ?? 0);
}

/**
 * Milliseconds until the first attempt to renew a token: two thirds of its time, or until a minute before its end,
 * and a random part, so that clients that connected together do not renew together. Null if there is no time.
 */
export function firstRenewalMs(remainingMs: number, random: () => number = Math.random): number | null {
  if (remainingMs < shortestMarginMs) return null;
  const margin = Math.min(longestMarginMs, remainingMs / 3);
  return remainingMs - margin * (1 - random() / 2);
}

/**
 * Milliseconds until the next attempt, at half of the remaining time, because a token source may return the same token
 * until shortly before it expires. Null if there is no time.
 */
export function nextRenewalMs(remainingMs: number): number | null {
  return remainingMs < shortestMarginMs ? null : remainingMs / 2;
}
