import { RequestFailedError } from './errors.ts';
import { readError } from './reconnect-policy.ts';

/**
 * A token source for somebody who has an account on a gateway with the development issuer; it asks for a new
 * token each time.
 * @throws (from the source) RequestFailedError when nobody has this email, or the gateway has a real issuer.
 */
export function developmentToken(url: string, email: string): () => Promise<string> {
  return async () => {
    const endpoint = new URL('dev/token', url.endsWith('/') ? url : `${url}/`).href;
    let response: Response;
    try {
      response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email }),
        signal: AbortSignal.timeout(10_000),
      });
    } catch (cause) {
      throw new RequestFailedError('UNREACHABLE', `${endpoint} cannot be reached.`, null, { cause });
    }
    const body = (await response.json().catch(() => ({}))) as { token?: unknown; error?: unknown };
    if (response.ok && typeof body.token === 'string') return body.token;
    const { code, message } = readError(body.error);
    throw new RequestFailedError(code, message, response.status);
  };
}
