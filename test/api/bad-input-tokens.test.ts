/** Invalid tokens are refused on every transport, and nothing is written. */
import { exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audienceName, issuerName, startIssuer } from '../identity/issuer-fixture.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { done } from '../support/world.ts';
import { journal, type Written } from '../support/written.ts';
import { open } from './bad-input-socket.ts';

let issuer: Awaited<ReturnType<typeof startIssuer>>;
let guarded: TestGateway;
let written: () => Promise<Written[]>;
let sign: Awaited<ReturnType<typeof issuer.addKey>>;
let tokens: Record<string, () => Promise<string> | string>;
const operator = { sub: 'operator', email: 'operator@vendor.example', email_verified: true };
const soon = () => Math.floor(Date.now() / 1_000);

beforeAll(async () => {
  issuer = await startIssuer();
  sign = await issuer.addKey('RS256');
  const foreign = await issuer.addKey('RS256', { publish: false });
  guarded = await startGateway({
    maintenance: false,
    config: {
      identity: {
        kind: 'oidc',
        issuer: issuerName,
        audience: audienceName,
        jwksUrl: issuer.jwksUrl,
        emailVerified: 'REQUIRED',
      },
    },
  });
  expect((await guarded.withToken(await sign(operator)).ask('{ viewer { kind } }')).viewer.kind).toBe(
    'OPERATOR',
  );
  written = await journal(guarded.sql);
  const good = await sign(operator);
  const [head = '', payload = '', signature = ''] = good.split('.');
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuerName, aud: audienceName, exp: soon() + 600, ...operator };
  const publicKey = await exportSPKI(
    (await importJWK(issuer.jwks.keys[0] as JWK, 'RS256', { extractable: true })) as CryptoKey,
  );
  tokens = {
    expired: () => sign({ ...operator, exp: soon() - 60 }),
    'not valid yet': () => sign({ ...operator, nbf: soon() + 600 }),
    'of another audience': () => sign({ ...operator, aud: 'somebody-else' }),
    'of another issuer': () => sign({ ...operator, iss: 'https://evil.example' }),
    'signed by a foreign key': () => foreign(operator),
    'signed by a foreign key under a known name': async () =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'RS256-0' })
        .sign((await generateKeyPair('RS256')).privateKey),
    unsigned: () => `${part({ alg: 'none' })}.${part(claims)}.`,
    'unsigned in capitals': () => `${part({ alg: 'NONE' })}.${part(claims)}.`,
    'without its signature': () => `${head}.${payload}.`,
    'with another signature': () => `${head}.${payload}.${signature.split('').toReversed().join('')}`,
    'with other claims': () => `${head}.${part({ ...claims, sub: 'somebody' })}.${signature}`,
    'signed with the public key as a secret': () =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'RS256-0' }).sign(Buffer.from(publicKey)),
    'that brings its own key': async () => {
      const own = await generateKeyPair('RS256', { extractable: true });
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', jku: 'https://evil.example/keys' })
        .sign(own.privateKey);
    },
    'without a subject': () => sign({ ...operator, sub: '' }),
    'without an expiry': () => sign({ ...operator, ...withoutExpiry }),
    'cut off': () => good.slice(0, 40),
    'that is none': () => 'token',
    'that is very long': () => sign({ ...operator, padding: 'x'.repeat(7_000) }),
  };
});
afterAll(async () => {
  await guarded.dispose();
  await issuer[Symbol.asyncDispose]();
});

const what = [
  'expired',
  'not valid yet',
  'of another audience',
  'of another issuer',
  'signed by a foreign key',
  'signed by a foreign key under a known name',
  'unsigned',
  'unsigned in capitals',
  'without its signature',
  'with another signature',
  'with other claims',
  'signed with the public key as a secret',
  'that brings its own key',
  'without a subject',
  'without an expiry',
  'cut off',
  'that is none',
  'that is very long',
];

test.each(what)('a token %s is refused', async (which) => {
  const token = await tokens[which]?.();
  if (token === undefined) throw new Error(`There is no token ${which}`);
  await written();
  for (const accept of ['application/json', 'text/event-stream']) {
    const response = await fetch(`${guarded.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept, authorization: `Bearer ${token}` },
      body: JSON.stringify({
        query: 'mutation { createOrganization(input: { name: "Evil", hasGuard: true }) { __typename } }',
      }),
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(await response.text()).toContain('UNAUTHENTICATED');
  }
  await using socket = await open(guarded.url);
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  expect(await socket.closed()).toBe(4403);
  expect(await written()).toEqual([]);
});

test('a verified email address signs in to an account that nobody has used yet', async () => {
  const email = 'second@vendor.example';
  const first = guarded.withToken(await sign(operator));
  await done(first, 'addOperator', { email, name: 'Second' });
  await written();
  for (const verified of [false, 'false']) {
    const token = await sign({ sub: 'evil', email, email_verified: verified });
    const { errors } = await guarded.withToken(token).send('{ viewer { kind } }');
    expect(errors[0]?.extensions['code']).toBe('FORBIDDEN');
  }
  expect(await written()).toEqual([]);
  const token = await sign({ sub: 'second', email, email_verified: true });
  const { viewer } = await guarded.withToken(token).ask('{ viewer { account { email } } }');
  expect(viewer.account.email).toBe(email);
});

test('after the first sign-in an account is bound to that subject', async () => {
  const token = await sign({ sub: 'another', email: operator.email });
  const { errors } = await guarded.withToken(token).send('{ viewer { kind } }');
  expect(errors[0]?.extensions['code']).toBe('FORBIDDEN');
});

/** Undefined leaves the claim out, which the type does not allow. */
const withoutExpiry: object = { exp: undefined };
