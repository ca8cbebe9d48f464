import { expect, test } from 'vitest';
import { readSiteUrl } from '../../src/organizations/site-url.ts';

test.each([
  ['https://acme.example', 'https://acme.example'],
  ['HTTPS://Acme.Example/', 'https://acme.example'],
  ['https://acme.example:443', 'https://acme.example'],
  ['https://acme.example:', 'https://acme.example'],
  ['https://acme.example.', 'https://acme.example'],
  ['https://acme.example.:443/', 'https://acme.example'],
  ['https://acme.example:8443', 'https://acme.example:8443'],
  ['https://acme.example:08443', 'https://acme.example:8443'],
  ['https://Bücher.example', 'https://xn--bcher-kva.example'],
  ['https://bu\u0308cher.example', 'https://xn--bcher-kva.example'],
  ['https://xn--bcher-kva.example', 'https://xn--bcher-kva.example'],
  ['https://\u212aelvin.example', 'https://kelvin.example'],
  ['https://acme。example', 'https://acme.example'],
  ['https://192.0.2.1', 'https://192.0.2.1'],
])('%s is %s', (text, url) => {
  expect(readSiteUrl(text)).toBe(url);
});

test.each([
  'https://',
  'https://acme.example:99999',
  'https://acme.example:0',
  'https://256.256.256.256',
  'https://1.2.3',
  'https://1',
  'https://0x7f.1',
  'https://acme..example',
  'https://.acme.example',
  'https://-acme.example',
  'https://acme-.example',
  'https://ac_me.example',
  `https://${'a'.repeat(64)}.example`,
  `https://${'abcdefgh.'.repeat(29)}example`,
  'https://[::1]',
  'https://acme.example/path',
  'https://acme.example//',
  'https://acme.example?',
  'https://acme.example#',
  'https://user@acme.example',
  'https://ac\u200bme.example',
  'https://ac\u00adme.example',
  'https://ac\tme.example',
  'https://ac%6de.example',
  'https:acme.example',
  'https:\\\\acme.example',
  'http://acme.example',
  'acme.example',
])('%j is not the URL of a site', (text) => {
  expect(readSiteUrl(text)).toBeNull();
});
