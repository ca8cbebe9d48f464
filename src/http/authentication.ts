import { IdentityUnavailableError, InvalidTokenError, type TokenClaims } from '../identity/tokens.ts';

/** Who sends a request, as far as the transports know. The schema decides what that person may do. */
export type Session =
  | { readonly kind: 'ANONYMOUS' }
  | { readonly kind: 'BEARER'; readonly claims: TokenClaims };

/** Resolves to a token's claims. Rejects with InvalidTokenError or IdentityUnavailableError. */
export type Authenticate = (token: string) => Promise<TokenClaims>;

/** How to refuse a caller whose token was not accepted, before any GraphQL is read. */
export type AuthenticationRefusal = {
  status: 401 | 503;
  code: 'UNAUTHENTICATED' | 'IDENTITY_UNAVAILABLE';
  message: string;
};

/**
 * Opens a session for the value of an `Authorization` header, or of the field of that name in a WebSocket's
 * `connection_init`. Undefined opens an anonymous session.
 * @throws InvalidTokenError for anything but a valid bearer token; IdentityUnavailableError when the issuer's keys
 *   cannot be fetched.
 */
export async function openSession(
  authorization: string | undefined,
  authenticate: Authenticate,
): Promise<Session> {
  if (authorization === undefined) return { kind: 'ANONYMOUS' };
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined) {
    throw new InvalidTokenError('MALFORMED', 'Send the token as "authorization: Bearer <token>".');
  }
  return { kind: 'BEARER', claims: await authenticate(token) };
}

/** The refusal for an error of {@link openSession}; null for an unexpected error. */
export function describeRefusal(error: unknown): AuthenticationRefusal | null {
  if (error instanceof InvalidTokenError) {
    return { status: 401, code: 'UNAUTHENTICATED', message: error.message };
  }
  if (error instanceof IdentityUnavailableError) {
    return { status: 503, code: 'IDENTITY_UNAVAILABLE', message: error.message };
  }
  return null;
}

/** A key that is the same for all tokens of one account. */
export function bearerKey({ issuer, subject }: TokenClaims): string {
  return JSON.stringify([issuer, subject]);
}
