import { describe, expect, test } from 'vitest';
import { asciiLowerCase, asciiUpperCase } from '../../src/platform/ascii.ts';
import { parseEmailAddress } from '../../src/platform/email-address.ts';

/** Letters that Unicode's case mapping or normalization turns into ASCII ones. */
const lookAlikes = {
  'KELVIN SIGN': '\u212a',
  'I WITH DOT ABOVE': '\u0130',
  'LONG S': '\u017f',
  'FULLWIDTH K': '\uff2b',
  'LIGATURE FI': '\ufb01',
};

test('only ASCII letters change their case', () => {
  for (const letter of [...Object.values(lookAlikes), 'É', 'é', 'ß', 'ı']) {
    expect(asciiLowerCase(letter)).toBe(letter);
    expect(asciiUpperCase(letter)).toBe(letter);
  }
  expect([asciiLowerCase('AZaz@[`{-1É'), asciiUpperCase('AZaz@[`{-1é')]).toEqual([
    'azaz@[`{-1É',
    'AZAZ@[`{-1é',
  ]);
});

test('an address is kept with its ASCII letters in lower case', () => {
  expect(parseEmailAddress('Mike.O@Acme.Example')).toBe('mike.o@acme.example');
  expect(parseEmailAddress('ÉMILE@acme.example')).toBe('Émile@acme.example');
});

describe('every address that mail servers accept is one', () => {
  test.each([
    'a@b.example',
    'mike+support@acme.example',
    "o'brien@acme.example",
    '!#$%&*/=?^_`{|}~-@acme.example',
    '"mike smith"@acme.example',
    '"mike@home"@acme.example',
    String.raw`"say \"hello\" \\"@acme.example`,
    '""@acme.example',
    'müller@acme.example',
    'straße@acme.example',
    'δοκιμή@acme.example',
    '用户@acme.example',
    'उपयोगकर्ता@acme.example',
    'root@localhost',
    'mike@xn--e1afmkfd.xn--p1ai',
    'mike@1-2.3com.example',
    'mike@[192.0.2.1]',
    'mike@[ipv6:2001:db8::1]',
    `${'a'.repeat(64)}@acme.example`,
    `a@${'b'.repeat(63)}.example`,
  ])('%s', (address) => expect(parseEmailAddress(address)).toBe(address));
});

describe('anything else is none', () => {
  test.each([
    ...['', '@', 'nobody', 'nobody@', '@acme.example', 'a@b@c.example', '.a@b.example', 'a.@b.example'],
    ...[
      'a..b@c.example',
      'a b@c.example',
      '"a"b@c.example',
      '"a@c.example',
      String.raw`"a\"@c.example`,
      'a@b..c',
    ],
    ...[
      'a@-b.example',
      'a@b-.example',
      'a@b_c.example',
      'a@.example',
      'a@b.example.',
      'a@[300.0.2.1]',
      'a@[::1]',
    ],
    ...['a\u0000@b.example', 'a\n@b.example', '"a\nb"@c.example', 'a@b.example\n', 'a\u200b@b.example'],
    ...['a\u202e@b.example', 'a\u00a0b@c.example', 'a,b@c.example', 'a<b@c.example', 'Mike <mike@b.example>'],
    // Not normalized: e and an accent.
    ...['e\u0301@b.example', 'mike@b\u00fccher.example', '\ud800@b.example'],
    ...[`${'a'.repeat(65)}@b.example`, `${'ü'.repeat(33)}@b.example`, `a@${'b'.repeat(64)}.example`],
    ...[`a@${'b.'.repeat(126)}example`],
  ])('%j', (text) => expect(parseEmailAddress(text)).toBeNull());

  test.each(Object.entries(lookAlikes))('with a %s', (_name, letter) => {
    expect(parseEmailAddress(`m${letter}m@acme.example`)).toBeNull();
    expect(parseEmailAddress(`"m${letter}m"@acme.example`)).toBeNull();
    expect(parseEmailAddress(`mike@${letter}cme.example`)).toBeNull();
  });
});
