import { readFile, writeFile } from 'node:fs/promises';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK_OKP_Private,
  SignJWT,
} from 'jose';
import { type TokenClaims, type TokenVerifier, verifyToken } from './tokens.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/**
 * An identity provider inside the gateway that issues a token for any email. For development only: whoever can
 * call `issue` can be anybody.
 */
export type DevelopmentIssuer = {
  readonly issuer: string;
  readonly audience: string;
  /** The public keys, in the form a real issuer publishes. */
  readonly jwks: JSONWebKeySet;
  /** A token for this email. It does not check that there is such an account. */
  issue(email: string): Promise<{ token: string; expiresAt: Date }>;
  /** Verifies this issuer's tokens, without a network. */
  readonly verifier: TokenVerifier;
};

/** The `iss` of its tokens. */
export const developmentIssuerName = 'urn:latchkey:development';

export type DevelopmentIssuerOptions = {
  issuer?: string;
  audience?: string;
  /** How long a token lasts, in seconds. One hour by default. */
  lifetimeSeconds?: number;
  /** The file with the signing key, so that tokens stay valid after a restart. Without it the key is in memory. */
  keyFile?: string;
  clock?: () => Date;
};

/** Rejects when `keyFile` exists and holds no key, or cannot be read or written. */
export async function createDevelopmentIssuer(
  options: DevelopmentIssuerOptions = {},
): Promise<DevelopmentIssuer> {
  const issuer = options.issuer ?? developmentIssuerName;
  const audience = options.audience ?? 'latchkey';
  const lifetimeSeconds = options.lifetimeSeconds ?? 3_600;
  const clock = options.clock ?? (() => new Date());

  const privateJwk = await (options.keyFile === undefined ? createKey() : openKeyFile(options.keyFile));
  const { d: _secret, ...publicPart } = privateJwk;
  const kid = await calculateJwkThumbprint(publicPart);
  const signingKey = await importJWK(privateJwk, 'EdDSA');
  const jwks: JSONWebKeySet = { keys: [{ ...publicPart, kid, alg: 'EdDSA', use: 'sig' }] };
  const keys = createLocalJWKSet(jwks);
  const verified = new VerifiedTokens<TokenClaims>();

  return {
    issuer,
    audience,
    jwks,
    async issue(email) {
      const issuedAt = Math.floor(clock().getTime() / 1_000);
      const expiresAt = issuedAt + lifetimeSeconds;
      const token = await new SignJWT({ email, email_verified: true })
        .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(email)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(signingKey);
      return { token, expiresAt: new Date(expiresAt * 1_000) };
    },
    verifier: {
      verify: (token) =>
        verifyToken(token, { issuer, audience, emailVerified: 'REQUIRED', keys, verified, clock }),
      dispose: () => {},
    },
  };
}

async function createKey(): Promise<JWK_OKP_Private> {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  return asPrivateKey(await exportJWK(privateKey));
}

async function openKeyFile(path: string): Promise<JWK_OKP_Private> {
  const fresh = await createKey();
  try {
    // Creating fails if the file is there, so that two gateways starting at once agree on one key.
    await writeFile(path, `${JSON.stringify(fresh)}\n`, { mode: 0o600, flag: 'wx' });
    return fresh;
  } catch (error) {
    if (!isFileExists(error)) throw error;
  }
  try {
    return asPrivateKey(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new Error(`${path} holds no signing key. Delete it and start again: a new key is made.`, {
      cause: error,
    });
  }
}

function asPrivateKey(value: unknown): JWK_OKP_Private {
  const key = value as Partial<JWK_OKP_Private> | null;
  if (
    typeof key !== 'object' ||
    key?.kty !== 'OKP' ||
    typeof key.crv !== 'string' ||
    typeof key.x !== 'string' ||
    typeof key.d !== 'string'
  ) {
    throw new TypeError('Not an Ed25519 private key in JWK form.');
  }
  return { kty: 'OKP', crv: key.crv, x: key.x, d: key.d };
}

function isFileExists(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}
