import { UnsecuredJWT } from 'jose';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  createTokenVerifier,
  IdentityUnavailableError,
  InvalidTokenError,
  maxTokenCharacters,
  type TokenFault,
} from '../../src/identity/tokens.ts';
import { audienceName, issuerName, type SigningAlgorithm, startIssuer } from './issuer-fixture.ts';

async function setUp({ clock }: { clock?: () => Date } = {}) {
  const issuer = await startIssuer();
  const verifier = createTokenVerifier({
    issuer: issuerName,
    audience: audienceName,
    jwksUrl: issuer.jwksUrl,
    ...(clock === undefined ? {} : { clock }),
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
        await sign({ sub: 'ada', email: 'ada@customer.example', exp: expiry }),
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

    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    onTestFinished(() => void vi.useRealTimers());

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

describe('the email of a token', () => {
  test.each([
    ['as it stands', { email: 'Ada@Customer.example' }, 'Ada@Customer.example'],
    ['verified', { email: 'ada@customer.example', email_verified: true }, 'ada@customer.example'],
    ['not verified', { email: 'ada@customer.example', email_verified: false }, null],
    ['not verified, in words', { email: 'ada@customer.example', email_verified: 'false' }, null],
    ['absent', {}, null],
    ['not an email', { email: 'ada' }, null],
    ['with a line break', { email: 'ada@customer.example\nbcc@evil.example' }, null],
    ['with a null character', { email: 'ada\u0000@customer.example' }, null],
    ['endless', { email: `${'a'.repeat(400)}@customer.example` }, null],
    ['a number', { email: 7 }, null],
  ])('%s', async (_case, claims, email) => {
    await using world = await setUp();
    const sign = await world.issuer.addKey('EdDSA');
    await expect(world.verifier.verify(await sign(claims))).resolves.toMatchObject({ email });
  });
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

test('random key ids do not make the gateway hammer the issuer', async () => {
  await using world = await setUp();
  const sign = await world.issuer.addKey('EdDSA');
  await world.verifier.verify(await sign());
  const forge = await world.issuer.addKey('EdDSA', { publish: false });
  for (let attempt = 0; attempt < 20; attempt++) {
    expect(await faultOf(world.verifier.verify(await forge()))).toBe('UNKNOWN_KEY');
  }
  expect(world.issuer.fetches()).toBe(1);
});
