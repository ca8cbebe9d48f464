/** The tokens whose signatures were verified lately, so that a program's token is verified once and not per request. */
import type { FlattenedJWSInput, JWTHeaderParameters, JWTVerifyGetKey } from 'jose';
import { GenerationalCache } from '../platform/generational-cache.ts';

/** What a verification found. */
export type Verified<Claims> = {
  readonly claims: Claims;
  readonly header: JWTHeaderParameters;
  /** The key that verified the signature. */
  readonly key: unknown;
  /** From when to when the token was known to be in time: its verification, and its expiry. */
  readonly from: Date;
  readonly until: Date;
};

/** Twice as many are kept at most. A token has at most some thousand characters. */
const perGeneration = 500;

/** A key is chosen by the header alone. */
const noSignature: FlattenedJWSInput = { payload: '', signature: '' };

export class VerifiedTokens<Claims> {
  readonly #tokens = new GenerationalCache<string, Verified<Claims>>();

  /**
   * The claims of a token that was verified with the key that its header names at this moment, and that is in time; null
   * if it has to be verified. So a key that the issuer withdraws ends the tokens that it signed, as without this.
   *
   * Rejects as `keys` does.
   */
  async claimsOf(token: string, keys: JWTVerifyGetKey, now: Date): Promise<Claims | null> {
    const verified = this.#tokens.get(token);
    if (verified === undefined || now < verified.from || now >= verified.until) return null;
    return (await keys(verified.header, noSignature)) === verified.key ? verified.claims : null;
  }

  add(token: string, verified: Verified<Claims>): void {
    if (this.#tokens.size >= perGeneration) this.#tokens.rotate();
    this.#tokens.set(token, verified);
  }
}
