import { type JWTPayload, UnsecuredJWT } from 'jose';
import { describe, expect, test, vi } from 'vitest';
import { defaultKeyTimes } from '../../src/identity/issuer-keys.ts';
import {
  createTokenVerifier,
  IdentityUnavailableError,
  InvalidTokenError,
  maxTokenCharacters,
  type TokenFault,
  type TokenVerifierOptions,
} from '../../src/identity/tokens.ts';
import { audienceName, issuerName, type SigningAlgorithm, startIssuer } from './issuer-fixture.ts';

async function setUp(options: Partial<TokenVerifierOptions> = {}) {
  const issuer = await startIssuer();
  const verifier = createTokenVerifier({
    issuer: issuerName,
    audience: audienceName,
    jwksUrl: issuer.jwksUrl,
    emailVerified: 'REQUIRED',
    ...options,
  });
  return {
    issuer,
    verifier,
    async [Symbol.asyncDispose]() {
      verifier.dispose();
      await issuer[Symbol.asyncDispose]();
    },
  };
}

const secondsFromNow = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;

async function faultOf(verification: Promise<unknown>): Promise<TokenFault> {
  const error = await verification.then(
    () => expect.unreachable('the token was accepted'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InvalidTokenError);
  return (error as InvalidTokenError).fault;
}

describe('a good token', () => {
  test.each<SigningAlgorithm>(['RS256', 'ES256', 'EdDSA'])(
    'signed with %s is accepted',
    async (algorithm) => {
      await using world = await setUp();
      const sign = await world.issuer.addKey(algorithm);
      const expiry = secondsFromNow(60);

      const claims = await world.verifier.verify(
        await sign({ sub: 'ada', email: 'ada@customer.example', email_verified: true, exp: expiry }),
      );

      expect(claims).toEqual({
        issuer: issuerName,
        subject: 'ada',
        email: 'ada@customer.example',
        expiresAt: new Date(expiry * 1_000),
      });
    },
  );

  test('may be meant for several audiences', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    await expect(world.verifier.verify(await sign({ aud: ['other', audienceName] }))).resolves.toMatchObject({
      subject: 'user-1',
    });
  });

  test('costs no fetch of keys when they are known', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('ES256');
    await world.verifier.verify(await sign());
    await world.verifier.verify(await sign());
    expect(world.issuer.fetches()).toBe(1);
  });

  test('is accepted when the issuer has rotated its keys', async () => {
    await using world = await setUp();
    const signBefore = await world.issuer.addKey('ES256');
    await world.verifier.verify(await signBefore());
    world.issuer.jwks.keys.length = 0;
    const signAfter = await world.issuer.addKey('EdDSA');

    await expect(world.verifier.verify(await signAfter())).resolves.toMatchObject({ subject: 'user-1' });
    expect(await faultOf(world.verifier.verify(await signBefore()))).toBe('UNKNOWN_KEY');
  });

  test('that names no key is tried against each of its kind', async () => {
    await using world = await setUp();
    await world.issuer.addKey('EdDSA', { withId: false });
    const sign = await world.issuer.addKey('EdDSA', { withId: false });
    await expect(world.verifier.verify(await sign())).resolves.toMatchObject({ subject: 'user-1' });

    const forge = await world.issuer.addKey('EdDSA', { withId: false, publish: false });
    expect(await faultOf(world.verifier.verify(await forge()))).toBe('BAD_SIGNATURE');
    expect(await faultOf(world.verifier.verify(await sign({ exp: secondsFromNow(-60) })))).toBe('EXPIRED');
  });
});

describe('a token that was verified before', () => {
  test('is not verified again', async () => {
    await using world = await setUp();
    const token = await (await world.issuer.addKey('EdDSA'))();
    const verify = vi.spyOn(crypto.subtle, 'verify');
    try {
      const claims = await world.verifier.verify(token);
      expect(await world.verifier.verify(token)).toEqual(claims);
      expect(verify).toHaveBeenCalledTimes(1);
    } finally {
      verify.mockRestore();
    }
  });

  test('is refused with another signature, or with other claims', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    const [token, other] = [await sign(), await sign({ sub: 'user-2' })];
    await world.verifier.verify(token);
    const [header, payload, signature] = token.split('.');
    const [, otherPayload, otherSignature] = other.split('.');
    for (const forged of [`${header}.${payload}.${otherSignature}`, `${header}.${otherPayload}.${signature}`])
      expect(await faultOf(world.verifier.verify(forged))).toBe('BAD_SIGNATURE');
  });

  test('expires', async () => {
    let now = new Date();
    await using world = await setUp({ clock: () => now });
    const token = await (await world.issuer.addKey('EdDSA'))({ exp: secondsFromNow(60) });
    await world.verifier.verify(token);
    now = new Date(now.getTime() + 70_000);
    expect(await faultOf(world.verifier.verify(token))).toBe('EXPIRED');
  });

  test('is refused once its key is withdrawn, or another has its name', async () => {
    await using world = await setUp({ keyTimes: { refreshAfter: 20, betweenReads: 20 } });
    const sign = await world.issuer.addKey('EdDSA');
    const token = await sign();
    await world.verifier.verify(token);
    await world.issuer.addKey('EdDSA');
    const [first, second] = world.issuer.jwks.keys;
    world.issuer.jwks.keys.splice(0, 2, {
      ...second,
      kid: first?.kid ?? '',
    } as (typeof world.issuer.jwks.keys)[0]);
    await vi.waitFor(async () => expect(await faultOf(world.verifier.verify(token))).toBe('BAD_SIGNATURE'));
    world.issuer.jwks.keys.length = 0;
    await world.issuer.addKey('ES256');
    await vi.waitFor(async () => expect(await faultOf(world.verifier.verify(token))).toBe('UNKNOWN_KEY'));
  });
});

describe('the email of a token counts', () => {
  const email = 'ada@customer.example';

  test.each([
    ['verified', { email, email_verified: true }, email],
    ['in capitals', { email: 'Ada@Customer.example', email_verified: true }, email],
    ['half quoted', { email: '"Ada L"+x@customer.example', email_verified: true }, null],
    [
      'with a quoted part',
      { email: '"Ada L"@customer.example', email_verified: true },
      `"ada l"@customer.example`,
    ],
    ['absent', { email_verified: true }, null],
    ['not an email', { email: 'ada', email_verified: true }, null],
    ['with a KELVIN SIGN', { email: 'mi\u212ae@customer.example', email_verified: true }, null],
    ['with a line break', { email: `${email}\nbcc@evil.example`, email_verified: true }, null],
    ['with a null character', { email: 'ada\u0000@customer.example', email_verified: true }, null],
    ['endless', { email: `${'a'.repeat(400)}@customer.example`, email_verified: true }, null],
    ['a number', { email: 7, email_verified: true }, null],
  ])('%s', async (_case, claims, expected) => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    await expect(world.verifier.verify(await sign(claims))).resolves.toMatchObject({ email: expected });
  });

  test('without the claim only where it is optional, and never if the claim is anything but true', async () => {
    await using strict = await setUp();
    await using lenient = await setUp({ emailVerified: 'OPTIONAL' });
    for (const [world, withoutClaim] of [
      [strict, null],
      [lenient, email],
    ] as const) {
      const sign = await world.issuer.addKey('EdDSA');
      const emailOf = async (claims: JWTPayload) =>
        (await world.verifier.verify(await sign({ email, ...claims }))).email;
      expect(await emailOf({})).toBe(withoutClaim);
      expect(await emailOf({ email_verified: true })).toBe(email);
      for (const said of [false, 'false', 'False', 'true', 'True', 0, 1, null, '', 'no', 'yes', [true], {}])
        expect(await emailOf({ email_verified: said }), JSON.stringify(said)).toBeNull();
    }
  });
});

describe('the type of a token', () => {
  test.each([...['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', 'application/jwt', undefined]])(
    'may be %s',
    async (typ) => {
      await using world = await setUp();
      const sign = await world.issuer.addKey('ES256', { typ });
      await expect(world.verifier.verify(await sign())).resolves.toMatchObject({ subject: 'user-1' });
    },
  );

  test.each(['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JWE', '', 'jwt ', 'application/', 7])(
    'must not be %j',
    async (typ) => {
      await using world = await setUp();
      const sign = await world.issuer.addKey('ES256', { typ });
      expect(await faultOf(world.verifier.verify(await sign()))).toBe('WRONG_TYPE');
    },
  );
});

describe('a bad token is refused', () => {
  test.each<[string, Record<string, unknown>, TokenFault]>([
    ['expired', { exp: secondsFromNow(-60) }, 'EXPIRED'],
    ['not valid yet', { nbf: secondsFromNow(60) }, 'NOT_YET_VALID'],
    ['of another issuer', { iss: 'https://other.example' }, 'WRONG_ISSUER'],
    ['of no issuer', { iss: undefined }, 'MISSING_CLAIM'],
    ['for another audience', { aud: 'other' }, 'WRONG_AUDIENCE'],
    ['for no audience', { aud: undefined }, 'MISSING_CLAIM'],
    ['of nobody', { sub: undefined }, 'MISSING_CLAIM'],
    ['of an empty subject', { sub: '' }, 'MALFORMED'],
    ['of an endless subject', { sub: 's'.repeat(256) }, 'MALFORMED'],
    ['of a subject with control characters', { sub: 'a\u0000b' }, 'MALFORMED'],
    ['that never expires', { exp: undefined }, 'MISSING_CLAIM'],
    ['that expires at no date', { exp: 1e300 }, 'MALFORMED'],
  ])('%s', async (_case, claims, fault) => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    expect(await faultOf(world.verifier.verify(await sign(claims)))).toBe(fault);
  });

  test('signed by a key the issuer does not publish', async () => {
    await using world = await setUp();
    await world.issuer.addKey('EdDSA');
    const forge = await world.issuer.addKey('EdDSA', { publish: false });
    expect(await faultOf(world.verifier.verify(await forge()))).toBe('UNKNOWN_KEY');
  });

  test('with claims changed after signing', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    const [header, , signature] = (await sign()).split('.');
    const [, otherClaims] = (await sign({ sub: 'operator' })).split('.');
    expect(await faultOf(world.verifier.verify(`${header}.${otherClaims}.${signature}`))).toBe(
      'BAD_SIGNATURE',
    );
  });

  test('without a signature', async () => {
    await using world = await setUp();
    await world.issuer.addKey('EdDSA');
    const token = new UnsecuredJWT({ sub: 'operator' })
      .setIssuer(issuerName)
      .setAudience(audienceName)
      .setExpirationTime('1h')
      .encode();
    expect(await faultOf(world.verifier.verify(token))).toBe('ALGORITHM_NOT_ALLOWED');
  });

  test('signed with an algorithm the gateway does not trust, even by a published key', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('PS256');
    expect(await faultOf(world.verifier.verify(await sign()))).toBe('ALGORITHM_NOT_ALLOWED');
  });

  test.each(['', 'x', 'a.b.c', '{}', '\u0000'])('nonsense: %j', async (token) => {
    await using world = await setUp();
    await world.issuer.addKey('EdDSA');
    expect(await faultOf(world.verifier.verify(token))).toBe('MALFORMED');
  });

  test('longer than any honest one, without a look at it', async () => {
    await using world = await setUp();
    expect(await faultOf(world.verifier.verify('x'.repeat(maxTokenCharacters + 1)))).toBe('MALFORMED');
    expect(world.issuer.fetches()).toBe(0);
  });

  test('and no message quotes the token', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    const token = await sign({ exp: secondsFromNow(-60) });
    const error = await world.verifier.verify(token).catch((reason: Error) => reason);
    for (const part of token.split('.')) expect(String(error)).not.toContain(part);
  });
});

test('the clock decides, give or take five seconds', async () => {
  let now = new Date('2030-01-01T00:00:00Z');
  await using world = await setUp({ clock: () => now });
  const sign = await world.issuer.addKey('EdDSA');
  const token = await sign({ exp: Date.parse('2030-01-01T00:10:00Z') / 1_000 });

  await expect(world.verifier.verify(token)).resolves.toBeDefined();
  now = new Date('2030-01-01T00:10:04Z');
  await expect(world.verifier.verify(token)).resolves.toBeDefined();
  now = new Date('2030-01-01T00:10:06Z');
  expect(await faultOf(world.verifier.verify(token))).toBe('EXPIRED');
});

describe('when the keys cannot be had, nothing is accepted and nobody is called a liar', () => {
  test.each(['ERROR', 'NONSENSE', 'SILENCE'] as const)('the issuer answers with: %s', async (answer) => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    const token = await sign();
    world.issuer.answerWith(answer);
    await expect(world.verifier.verify(token)).rejects.toThrow(IdentityUnavailableError);

    world.issuer.answerWith('KEYS');
    await expect(world.verifier.verify(token)).resolves.toBeDefined();
  });

  test('the issuer is gone', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    const token = await sign();
    await world.issuer[Symbol.asyncDispose]();
    await expect(world.verifier.verify(token)).rejects.toThrow(IdentityUnavailableError);
  });

  test('disposing gives up a fetch under way', async () => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    world.issuer.answerWith('SILENCE');
    const verification = world.verifier.verify(await sign());
    world.verifier.dispose();
    await expect(verification).rejects.toThrow(IdentityUnavailableError);
    await expect(world.verifier.verify(await sign())).rejects.toThrow(IdentityUnavailableError);
  });
});

describe('keys while the issuer is away', () => {
  test('are refreshed in the background, and stay good', async () => {
    await using world = await setUp({ keyTimes: { refreshAfter: 1, retryAfter: 1, betweenReads: 1 } });
    const sign = await world.issuer.addKey('ES256');
    await world.verifier.verify(await sign());
    world.issuer.answerWith('ERROR');
    const failed = world.issuer.fetches() + 3;
    await vi.waitFor(() => expect(world.issuer.fetches()).toBeGreaterThan(failed));
    await expect(world.verifier.verify(await sign())).resolves.toMatchObject({ subject: 'user-1' });
  });

  test('are good for a day by default, and no longer than they may be', async () => {
    expect(defaultKeyTimes.goodFor).toBe(24 * 60 * 60_000);
    await using world = await setUp({ keyTimes: { goodFor: 100, betweenReads: 1 } });
    const sign = await world.issuer.addKey('ES256');
    await world.verifier.verify(await sign());
    world.issuer.answerWith('ERROR');
    await vi.waitFor(async () =>
      expect(world.verifier.verify(await sign())).rejects.toThrow(IdentityUnavailableError),
    );
    world.issuer.answerWith('KEYS');
    await expect(world.verifier.verify(await sign())).resolves.toBeDefined();
  });

  test.each(['ERROR', 'NONSENSE', 'NONE'] as const)(
    'an unknown one is neither accepted nor refused: %s',
    async (answer) => {
      await using world = await setUp({ keyTimes: { betweenReads: 1 } });
      const sign = await world.issuer.addKey('ES256');
      await world.verifier.verify(await sign());
      world.issuer.answerWith(answer);
      const signWithNew = await world.issuer.addKey('ES256');
      await expect(world.verifier.verify(await signWithNew())).rejects.toThrow(IdentityUnavailableError);
      await expect(world.verifier.verify(await sign())).resolves.toBeDefined();
      world.issuer.answerWith('KEYS');
      await expect(world.verifier.verify(await signWithNew())).resolves.toBeDefined();
    },
  );

  test('one that the issuer withdraws is accepted only until the next refresh', async () => {
    await using world = await setUp({ keyTimes: { refreshAfter: 1, betweenReads: 1 } });
    const sign = await world.issuer.addKey('ES256');
    await world.verifier.verify(await sign());
    await world.issuer.addKey('EdDSA');
    world.issuer.jwks.keys.shift();
    await vi.waitFor(async () =>
      expect(await faultOf(world.verifier.verify(await sign()))).toBe('UNKNOWN_KEY'),
    );
  });
});

describe('unknown keys', () => {
  test('an unknown key makes one read, however often it is used', async () => {
    await using world = await setUp({ keyTimes: { betweenReads: 1 } });
    const sign = await world.issuer.addKey('EdDSA');
    await world.verifier.verify(await sign());
    const forge = await world.issuer.addKey('EdDSA', { publish: false });
    for (let attempt = 0; attempt < 20; attempt++)
      expect(await faultOf(world.verifier.verify(await forge()))).toBe('UNKNOWN_KEY');
    expect(world.issuer.fetches()).toBe(2);
  });

  test('many of them at once share their reads', async () => {
    await using world = await setUp({ keyTimes: { betweenReads: 1 } });
    const sign = await world.issuer.addKey('EdDSA');
    await world.verifier.verify(await sign());
    const forged = await Promise.all(
      Array.from({ length: 50 }, async () => (await world.issuer.addKey('EdDSA', { publish: false }))()),
    );
    const faults = await Promise.all(forged.map((token) => faultOf(world.verifier.verify(token))));
    expect(new Set(faults)).toEqual(new Set(['UNKNOWN_KEY']));
    expect(world.issuer.fetches()).toBeLessThanOrEqual(4);
  });

  test('fifty of them do not lock out a new key of the issuer', async () => {
    await using world = await setUp({ keyTimes: { betweenReads: 1 } });
    const sign = await world.issuer.addKey('EdDSA');
    await world.verifier.verify(await sign());
    for (let name = 0; name < 50; name += 1) {
      const forge = await world.issuer.addKey('EdDSA', { publish: false });
      expect(await faultOf(world.verifier.verify(await forge()))).toBe('UNKNOWN_KEY');
    }
    const signWithNew = await world.issuer.addKey('ES256');
    await expect(world.verifier.verify(await signWithNew())).resolves.toMatchObject({ subject: 'user-1' });
  });

  test('reads are at least a second apart', () => {
    expect(defaultKeyTimes.betweenReads).toBe(1_000);
  });
});
