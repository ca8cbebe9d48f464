import { DeadlinePassedError, orAborted } from './deadline.ts';
import { RequestFailedError } from './errors.ts';
import { detailOf, isRecord } from './read-error.ts';

/** A bearer token, or a function that returns one. */
export type TokenSource = string | (() => string | Promise<string>);

/**
 * Asks the source for a token.
 * @param signal ends the wait; if it was a deadline, that is an error of the source
 * @throws RequestFailedError with the code TOKEN_UNAVAILABLE, or the one that the source threw; else the reason of the
 *   signal
 */
export async function fetchToken(source: TokenSource, signal: AbortSignal): Promise<string> {
  if (typeof source === 'string') return source;
  let token: unknown;
  try {
    signal.throwIfAborted();
    token = await orAborted((async () => source())(), signal);
  } catch (cause) {
    if (cause instanceof RequestFailedError) throw cause;
    if (signal.aborted && !(signal.reason instanceof DeadlinePassedError)) throw signal.reason;
    throw unavailable(`The token source failed${detailOf(cause)}`, cause);
  }
  if (typeof token === 'string' && token !== '') return token;
  throw unavailable('The token source returned no token.');
}

/** When a JWT expires, in milliseconds since the epoch; null if the token does not say. */
export function expiryOf(token: string): number | null {
  const [, payload = ''] = token.split('.');
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
    const expiry = isRecord(claims) ? claims['exp'] : undefined;
    return typeof expiry === 'number' && Number.isFinite(expiry) ? expiry * 1_000 : null;
  } catch {
    return null;
  }
}

function unavailable(message: string, cause?: unknown): RequestFailedError {
  return new RequestFailedError('TOKEN_UNAVAILABLE', message, null, { cause });
}
