import { expect, test } from 'vitest';
import { readArguments } from '../../src/tour/arguments.ts';

const urlOf = (variables: Record<string, string>, ...given: string[]) => readArguments(given, variables).url;

test.each([
  [{}, 'http://127.0.0.1:4000'],
  [{ PORT: '4100' }, 'http://127.0.0.1:4100'],
  [{ HOST: 'localhost', PORT: '4100' }, 'http://localhost:4100'],
  [{ HOST: '::1' }, 'http://[::1]:4000'],
])('with %j the gateway is the one that npm start starts with it', (variables, url) => {
  expect(urlOf(variables)).toBe(url);
});

test('a gateway that listens on every address is reached on a loopback address', () => {
  const issuer = {
    OIDC_ISSUER: 'https://a.example',
    OIDC_AUDIENCE: 'b',
    OIDC_JWKS_URL: 'https://a.example/c',
  };
  expect(urlOf({ ...issuer, HOST: '0.0.0.0' })).toBe('http://127.0.0.1:4000');
  expect(urlOf({ ...issuer, HOST: '::' })).toBe('http://[::1]:4000');
});

test('a URL that is given wins', () => {
  expect(urlOf({ PORT: '4100' }, 'http://127.0.0.1:4200')).toBe('http://127.0.0.1:4200');
  expect(urlOf({ PORT: '0' }, 'http://127.0.0.1:4200')).toBe('http://127.0.0.1:4200');
  expect(urlOf({ PORT: 'x' }, 'http://127.0.0.1:4200')).toBe('http://127.0.0.1:4200');
});

test('the email is given before or after the URL', () => {
  const both = { url: 'http://127.0.0.1:4200', email: 'jack@acme.example' };
  expect(readArguments([both.url, both.email], {})).toEqual(both);
  expect(readArguments([both.email, both.url], {})).toEqual(both);
});

test('a port that cannot be known, and variables that npm start refuses, are errors', () => {
  expect(() => urlOf({ PORT: '0' })).toThrow('With PORT=0 the gateway takes any free port');
  expect(() => urlOf({ PORT: 'x' })).toThrow('PORT must be a TCP port');
});
