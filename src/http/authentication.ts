import { IdentityUnavailableError, InvalidTokenError, type TokenClaims } from '../identity/tokens.ts';

/** Who is asking, as far as the transports know. What that person may do is for the schema to say. */
export type Session =
  | { readonly kind: 'ANONYMOUS' }
  | { readonly kind: 'BEARER'; readonly claims: TokenClaims };

/** Resolves to a token's claims; rejects with InvalidTokenError or IdentityUnavailableError. */
export type Authenticate = (token: string) => Promise<TokenClaims>;

/** A caller refused before any GraphQL was read. */
export type AuthenticationRefusal = {
  status: 401 | 503;
  code: 'UNAUTHENTICATED' | 'IDENTITY_UNAVAILABLE';
  message: string;
};

/**
 * Opens a session for the value of an `Authorization` header, or of the field of that name in a WebSocket's
 * `connection_init`. None at all is anonymous; anything but a good bearer token rejects.
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

/** What to answer to a caller whose session could not be opened; null for an error of another kind. */
export function describeRefusal(error: unknown): AuthenticationRefusal | null {
  if (error instanceof InvalidTokenError) {
    return { status: 401, code: 'UNAUTHENTICATED', message: error.message };
  }
  if (error instanceof IdentityUnavailableError) {
    return { status: 503, code: 'IDENTITY_UNAVAILABLE', message: error.message };
  }
  return null;
}

/** The same text for the same bearer, whatever token they use. */
export function bearerKey({ issuer, subject }: TokenClaims): string {
  return JSON.stringify([issuer, subject]);
}
