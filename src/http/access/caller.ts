import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TokenClaims } from '../../identity/tokens.ts';
import {
  type Authenticate,
  challengeFor,
  describeRefusal,
  openSession,
  TokenMissingError,
} from '../authentication.ts';
import type { Log } from '../log.ts';
import { RequestRefusedError } from '../request-refused.ts';
import type { SourceOf } from '../source-of.ts';

/**
 * The claims of the request's token.
 *
 * @throws RequestRefusedError 401 without a valid token, 503 while tokens cannot be verified
 */
export async function claimsOf(
  request: IncomingMessage,
  response: ServerResponse,
  { authenticate, sourceOf, log }: { authenticate: Authenticate; sourceOf: SourceOf; log: Log },
): Promise<TokenClaims> {
  try {
    return (await openSession(request.headers.authorization, authenticate)).claims;
  } catch (error) {
    const refusal = describeRefusal(error);
    if (refusal === null) throw error;
    if (refusal.status === 503)
      log.warn({ ...sourceOf(request), err: error }, 'A token could not be verified');
    else response.setHeader('www-authenticate', challengeFor(error));
    const message =
      error instanceof TokenMissingError
        ? 'Send the token of a service account: "authorization: Bearer <token>".'
        : refusal.message;
    throw new RequestRefusedError(refusal.status, refusal.code, message);
  }
}
