import { RequestFailedError } from './errors.ts';
import { readError } from './read-error.ts';

/**
 * Creates a token source for an account on a gateway with the development issuer. It requests a new token each time.
 * The source rejects with RequestFailedError when no active account has this email, or when the gateway has a real
 * issuer.
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
