import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyResult, jwtVerify } from 'jose';
import type { EmailVerified } from '../config/config.ts';
import { asciiLowerCase } from '../platform/ascii.ts';
import { parseEmailAddress } from '../platform/email-address.ts';
import type { Logger } from '../platform/logger.ts';
import { createIssuerKeys, IdentityUnavailableError, type KeyTimes } from './issuer-keys.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export { IdentityUnavailableError };

/** What a verified token says about its bearer. */
export type TokenClaims = {
  /** The `iss` claim, equal to the configured issuer. */
  issuer: string;
  /** The `sub` claim: stable and unique within the issuer, at most 255 characters. */
  subject: string;
  /** In lower case, as accounts have it. Null when the token has none, or does not say that it is verified. */
  email: string | null;
  expiresAt: Date;
};

export type TokenFault =
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  | 'MALFORMED'
  | 'MISSING_CLAIM'
  | 'WRONG_TYPE'
  | 'WRONG_ISSUER'
  | 'WRONG_AUDIENCE'
  | 'ALGORITHM_NOT_ALLOWED'
  | 'UNKNOWN_KEY'
  | 'BAD_SIGNATURE';

/** The token is not valid. The message says what to do about it, and never contains the token. */
export class InvalidTokenError extends Error {
  override readonly name = 'InvalidTokenError';
  readonly fault: TokenFault;

  constructor(fault: TokenFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

export type TokenVerifier = {
  /**
   * Resolves to the claims of a token that is signed by the issuer, meant for this audience and in time.
   * Rejects with {@link InvalidTokenError}, or {@link IdentityUnavailableError} when it cannot tell.
   */
  verify(token: string): Promise<TokenClaims>;
  /** Aborts a fetch of keys; later calls to `verify` reject with IdentityUnavailableError. */
  dispose(): void;
};

export type TokenVerifierOptions = {
  /** The exact `iss` to accept. */
  issuer: string;
  /** The `aud` that must be among the token's. */
  audience: string;
  jwksUrl: string | URL;
  emailVerified: EmailVerified;
  clock?: () => Date;
  keyTimes?: Partial<KeyTimes>;
  logger?: Pick<Logger, 'warn' | 'info'>;
};

/** Longer tokens are refused unread; eight kilobytes also fit a default HTTP header. */
export const maxTokenCharacters = 8 * 1024;

/** How far the issuer's clock may be off, in seconds. */
const clockToleranceSeconds = 5;

const signatureAlgorithms = ['RS256', 'ES256', 'EdDSA', 'Ed25519'];
/** What the header `typ` may say, if it is there: an ID token, or an access token (RFC 9068). */
const tokenTypes = ['jwt', 'at+jwt'];
const maxSubjectCharacters = 255;
const lastSecondOfYear9999 = 253_402_300_799;

/**
 * Verifies bearer tokens against the keys an issuer publishes. Keys are read when first needed, then in the background,
 * and when a token names one that is not known. They stay good while the issuer cannot be asked, for a day.
 */
export function createTokenVerifier({
  jwksUrl,
  keyTimes = {},
  logger,
  ...rules
}: TokenVerifierOptions): TokenVerifier {
  const keys = createIssuerKeys({ url: new URL(jwksUrl), times: keyTimes, logger });
  const verified = new VerifiedTokens<TokenClaims>();
  return {
    verify: (token) => verifyToken(token, { ...rules, keys: keys.find, verified }),
    dispose: () => keys.dispose(),
  };
}

/** Verifies one token with the given keys. Rejects like {@link TokenVerifier.verify}. */
export async function verifyToken(
  token: string,
  options: {
    issuer: string;
    audience: string;
    emailVerified: EmailVerified;
    keys: JWTVerifyGetKey;
    /** Those of the same rules. */
    verified: VerifiedTokens<TokenClaims>;
    clock?: (() => Date) | undefined;
  },
): Promise<TokenClaims> {
  if (token.length > maxTokenCharacters) {
    throw new InvalidTokenError(
      'MALFORMED',
      `The token is longer than ${maxTokenCharacters} characters. Ask the identity provider for a smaller one.`,
    );
  }
  const now = options.clock?.() ?? new Date();
  const rules = {
    issuer: options.issuer,
    audience: options.audience,
    algorithms: signatureAlgorithms,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: clockToleranceSeconds,
    currentDate: now,
  };
  try {
    const known = await options.verified.claimsOf(token, options.keys, now);
    if (known !== null) return known;
    const { key, ...result } = await jwtVerify(token, options.keys, rules);
    const claims = readClaims(result, options.emailVerified);
    const { protectedHeader: header } = result;
    options.verified.add(token, { claims, header, key, from: now, until: claims.expiresAt });
    return claims;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw asInvalidToken(error);
    // The token names no key and the issuer has several of its kind: any of them may have signed it.
    for await (const key of error) {
      try {
        return readClaims(await jwtVerify(token, key, rules), options.emailVerified);
      } catch (keyError) {
        if (!(keyError instanceof errors.JWSSignatureVerificationFailed)) throw asInvalidToken(keyError);
      }
    }
    throw asInvalidToken(new errors.JWSSignatureVerificationFailed());
  }
}

function readClaims(
  { payload, protectedHeader }: JWTVerifyResult,
  emailVerified: EmailVerified,
): TokenClaims {
  assertType(protectedHeader.typ);
  const { iss, sub, exp } = payload;
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof exp !== 'number') {
    throw new InvalidTokenError('MISSING_CLAIM', 'The token needs the claims iss, sub and exp.');
  }
  if (sub.length === 0 || sub.length > maxSubjectCharacters || hasControlCharacter(sub)) {
    throw new InvalidTokenError(
      'MALFORMED',
      `The token's subject must be 1 to ${maxSubjectCharacters} printable characters.`,
    );
  }
  if (exp > lastSecondOfYear9999) {
    throw new InvalidTokenError('MALFORMED', "The token's expiry is not a date.");
  }
  return {
    issuer: iss,
    subject: sub,
    email: readEmail(payload, emailVerified),
    expiresAt: new Date(exp * 1_000),
  };
}

/** Tokens of other types, such as logout tokens, are signed with the same keys and may have the same claims. */
function assertType(type: unknown): void {
  if (type === undefined) return;
  const name = typeof type === 'string' ? asciiLowerCase(type).replace(/^application\//, '') : '';
  if (!tokenTypes.includes(name)) {
    throw new InvalidTokenError(
      'WRONG_TYPE',
      'The token must be an ID token or an access token: its type (typ) is JWT, at+jwt or left out.',
    );
  }
}

function readEmail(payload: JWTPayload, emailVerified: EmailVerified): string | null {
  const { email, email_verified: verified } = payload;
  const counts = verified === true || (verified === undefined && emailVerified === 'OPTIONAL');
  return counts && typeof email === 'string' ? parseEmailAddress(email) : null;
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function asInvalidToken(error: unknown): unknown {
  const refuse = (fault: TokenFault, message: string) =>
    new InvalidTokenError(fault, message, { cause: error });

  if (error instanceof errors.JWTExpired) {
    return refuse('EXPIRED', 'The token has expired. Sign in again and use the new token.');
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') {
      return refuse('MISSING_CLAIM', `The token lacks the claim "${error.claim}".`);
    }
    if (error.claim === 'iss') {
      return refuse('WRONG_ISSUER', 'The token comes from another issuer than the one this gateway trusts.');
    }
    if (error.claim === 'aud') {
      return refuse('WRONG_AUDIENCE', "The token is meant for another audience. Ask for this gateway's.");
    }
    if (error.claim === 'nbf') {
      return refuse('NOT_YET_VALID', 'The token is not valid yet. Check the clock of the issuer.');
    }
    return refuse('MALFORMED', `The token's claim "${error.claim}" cannot be read.`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return refuse('BAD_SIGNATURE', "The token's signature is not the issuer's.");
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return refuse(
      'UNKNOWN_KEY',
      'The token is signed with a key the issuer does not publish. Sign in again.',
    );
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return refuse('ALGORITHM_NOT_ALLOWED', 'The token must be signed with RS256, ES256 or EdDSA.');
  }
  if (error instanceof errors.JOSEError) {
    return refuse('MALFORMED', 'The token is not a signed JSON Web Token.');
  }
  return error;
}
