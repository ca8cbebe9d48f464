import { expect, test } from 'vitest';
import { isCountryCode } from '../../src/platform/country-codes.ts';

const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const accepted = letters.flatMap((a) => letters.map((b) => `${a}${b}`)).filter(isCountryCode);

test('the codes are the 249 of ISO 3166-1, each with a name', () => {
  expect(accepted).toHaveLength(249);
  expect(accepted.filter((code) => names.of(code) === undefined)).toEqual([]);
});

test.each(['', 'D', 'DEU', 'de', 'EU', 'UN', 'UK', 'XK', 'ZZ', 'DE ', 'DE IE'])('%j is no code', (text) => {
  expect(isCountryCode(text)).toBe(false);
});
