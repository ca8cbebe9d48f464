import { describe, expect, test } from 'vitest';
import { startDeadline } from '../../client/src/deadline.ts';
import { RequestFailedError } from '../../client/src/errors.ts';
import { expiryOf, fetchToken, type TokenSource } from '../../client/src/token.ts';

const neverAborts = new AbortController().signal;

describe('a token source', () => {
  test.for<[string, TokenSource]>([
    ['a text', 'the token'],
    ['a function', () => 'the token'],
    ['a function that returns a promise', async () => 'the token'],
  ])('may be %s', async ([, source]) => {
    expect(await fetchToken(source, neverAborts)).toBe('the token');
  });

  const broken = new Error('the issuer is away');
  test.for<[string, () => Promise<string>, string]>([
    [
      'throws',
      () => {
        throw broken;
      },
      'The token source failed: the issuer is away',
    ],
    ['rejects', () => Promise.reject(broken), 'The token source failed: the issuer is away'],
    ['rejects with undefined', () => Promise.reject(), 'The token source failed'],
    ['returns nothing', async () => undefined as never, 'The token source returned no token.'],
    ['returns an empty text', async () => '', 'The token source returned no token.'],
  ])('that %s gives the error TOKEN_UNAVAILABLE', async ([, source, message]) => {
    await expect(fetchToken(source, neverAborts)).rejects.toMatchObject({
      name: 'RequestFailedError',
      code: 'TOKEN_UNAVAILABLE',
      message,
      status: null,
    });
  });

  test('that hangs gives the error TOKEN_UNAVAILABLE at the deadline', async () => {
    const deadline = startDeadline(5);
    await expect(fetchToken(() => new Promise(() => undefined), deadline.signal)).rejects.toMatchObject({
      code: 'TOKEN_UNAVAILABLE',
      message: 'The token source failed: it took longer than 5 ms',
    });
    deadline.clear();
  });

  test('may throw the error itself', async () => {
    const error = new RequestFailedError('UNKNOWN_PERSON', 'There is no such account.', 404);
    await expect(fetchToken(() => Promise.reject(error), neverAborts)).rejects.toBe(error);
  });

  test('is not asked when the signal has aborted, whose reason is the error', async () => {
    let asked = 0;
    const source = () => `the token ${++asked}`;
    await expect(fetchToken(source, AbortSignal.abort('enough'))).rejects.toBe('enough');
    expect(asked).toBe(0);
  });
});

describe('the expiry of a token', () => {
  const jwt = (payload: unknown) =>
    `e30.${Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)).toString('base64url')}.signature`;

  test('is read from a JWT, whatever characters it has', () => {
    expect(expiryOf(jwt({ exp: 1_700_000_000 }))).toBe(1_700_000_000_000);
    for (const name of ['Zoë', '名前', '???>>>~~~']) expect(expiryOf(jwt({ name, exp: 7 }))).toBe(7_000);
  });

  test.for([
    ['no expiry', jwt({ sub: 'erin' })],
    ['an expiry that is no number', jwt({ exp: 'tomorrow' })],
    ['a payload that is no object', jwt('7')],
    ['a payload that is no JSON', jwt('{')],
    ['no payload', 'opaque'],
    ['a payload that is not base64', 'a.%.c'],
  ] as const)('is null for a token with %s', ([, token]) => {
    expect(expiryOf(token)).toBeNull();
  });
});
