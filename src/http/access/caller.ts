import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenClaims } from '../../identity/tokens.ts';
import { type Authenticate, describeRefusal, openSession, type Session } from '../authentication.ts';
import type { Log } from '../log.ts';
import { RequestRefusedError } from '../request-refused.ts';

/**
 * The claims of the request's token.
 *
 * @throws RequestRefusedError 401 without a valid token, 503 while tokens cannot be verified
 */
export async function claimsOf(
  request: IncomingMessage,
  response: ServerResponse,
  authenticate: Authenticate,
  log: Log,
): Promise<TokenClaims> {
  const session = await openOrRefuse(request, response, authenticate, log);
  if (session.kind === 'BEARER') return session.claims;
  response.setHeader('www-authenticate', 'Bearer');
  throw new RequestRefusedError(
    401,
    'UNAUTHENTICATED',
    'Send the token of a service account: "authorization: Bearer <token>".',
  );
}

async function openOrRefuse(
  { headers }: IncomingMessage,
  response: ServerResponse,
  authenticate: Authenticate,
  log: Log,
): Promise<Session> {
  try {
    return await openSession(headers.authorization, authenticate);
  } catch (error) {
    const refusal = describeRefusal(error);
    if (refusal === null) throw error;
    if (refusal.status === 503) log.warn({ err: error }, 'A token could not be verified');
    else response.setHeader('www-authenticate', 'Bearer error="invalid_token"');
    throw new RequestRefusedError(refusal.status, refusal.code, refusal.message);
  }
}
