import { IdentityUnavailableError, InvalidTokenError, type TokenClaims } from '../identity/tokens.ts';

/** Who sends a request, as far as the transports know. The schema decides what that person may do. */
export type Session = { readonly claims: TokenClaims };

/** Resolves to a token's claims. Rejects with InvalidTokenError or IdentityUnavailableError. */
export type Authenticate = (token: string) => Promise<TokenClaims>;

/** How to refuse a caller who has no good token, before any GraphQL is read. */
export type AuthenticationRefusal = {
  status: 401 | 503;
  code: 'UNAUTHENTICATED' | 'IDENTITY_UNAVAILABLE';
  message: string;
};

/** The request has no token. */
export class TokenMissingError extends Error {
  override readonly name = 'TokenMissingError';

  constructor() {
    super('Send a bearer token: "authorization: Bearer <token>".');
  }
}

/**
 * Opens a session for the value of an `Authorization` header, or of the field of that name in a WebSocket's
 * `connection_init`.
 * @throws TokenMissingError for undefined; InvalidTokenError for anything but a valid bearer token;
 *   IdentityUnavailableError when the issuer's keys cannot be fetched.
 */
export async function openSession(
  authorization: string | undefined,
  authenticate: Authenticate,
): Promise<Session> {
  if (authorization === undefined) throw new TokenMissingError();
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined) {
    throw new InvalidTokenError('MALFORMED', 'Send the token as "authorization: Bearer <token>".');
  }
  return { claims: await authenticate(token) };
}

/** The refusal for an error of {@link openSession}; null for an unexpected error. */
export function describeRefusal(error: unknown): AuthenticationRefusal | null {
  if (error instanceof TokenMissingError || error instanceof InvalidTokenError) {
    return { status: 401, code: 'UNAUTHENTICATED', message: error.message };
  }
  if (error instanceof IdentityUnavailableError) {
    return { status: 503, code: 'IDENTITY_UNAVAILABLE', message: error.message };
  }
  return null;
}

/** The `WWW-Authenticate` header with which a caller is refused. */
export function challengeFor(error: unknown): string {
  return error instanceof TokenMissingError ? 'Bearer' : 'Bearer error="invalid_token"';
}

/** A key that is the same for all tokens of one account. */
export function bearerKey({ issuer, subject }: TokenClaims): string {
  return JSON.stringify([issuer, subject]);
}
