/** The address of a client behind proxies: by examples, and beside the chain of requests that it is read from. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalAddress, clientAddress, trustedProxies } from '../../src/platform/client-address.ts';
import { seedOf } from '../support/size.ts';

const trusting = (...ranges: string[]) => {
  const isTrusted = trustedProxies(ranges);
  if (isTrusted === null) throw new Error(`${ranges.join()} is refused`);
  return isTrusted;
};

describe('an address has one spelling', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ])('%s is %s', (text, address) => {
    expect(canonicalAddress(text)).toBe(address);
  });

  test.each([
    '',
    'unknown',
    '_hidden',
    '192.0.2',
    '192.0.2.01',
    '192.0.2.1:80',
    '[::1]',
    '1::2::3',
    ' ::1',
    'host.example',
  ])('%j is none', (text) => {
    expect(canonicalAddress(text)).toBeNull();
  });
});

describe('which proxies are trusted', () => {
  test.each([
    ['10.0.3.7', ['10.0.3.7'], ['10.0.3.8', '::a00:307']],
    ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255'], ['11.0.0.0', '9.255.255.255']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3'], ['11.0.0.0', '2001:db8::1']],
    ['::ffff:10.0.3.7', ['10.0.3.7'], ['10.0.3.8']],
    ['2001:db8:7::/64', ['2001:db8:7::1', '2001:db8:7:0:ffff::'], ['2001:db8:7:1::', '10.0.0.1']],
    ['2001:DB8::7/128', ['2001:db8::7'], ['2001:db8::8']],
  ])('%s', (range, inside, outside) => {
    const isTrusted = trusting(range);
    expect(inside.filter((address) => !isTrusted(address))).toEqual([]);
    expect(outside.filter((address) => isTrusted(address))).toEqual([]);
  });

  test.each([
    '0.0.0.0/0',
    '::/0',
    '::ffff:0:0/96',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'proxy.example',
    '10.0.0',
    'fe80::1%eth0',
    '',
  ])('%j is refused', (range) => {
    expect(trustedProxies(['10.0.3.7', range])).toBeNull();
  });
});

describe('the client', () => {
  const isTrusted = trusting('10.0.0.0/8', '2001:db8:7::/64');

  test.each<[string, string | undefined, string | undefined, string | null]>([
    ['without a header', '10.0.0.1', undefined, '10.0.0.1'],
    ['with an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['of an untrusted peer who forges the header', '192.0.2.9', '198.51.100.1', '192.0.2.9'],
    ['behind a proxy', '10.0.0.1', '192.0.2.9', '192.0.2.9'],
    ['behind a proxy with a mapped address', '::ffff:10.0.0.1', '::ffff:192.0.2.9', '192.0.2.9'],
    ['who forges the header before a proxy', '10.0.0.1', '198.51.100.1, 10.0.0.9, 192.0.2.9', '192.0.2.9'],
    ['behind two proxies', '2001:db8:7::1', '198.51.100.1, 192.0.2.9 ,10.0.0.7', '192.0.2.9'],
    ['who is a proxy', '10.0.0.1', '10.0.0.3,10.0.0.2', '10.0.0.3'],
    ['with a port', '10.0.0.1', '192.0.2.9:51234', '192.0.2.9'],
    ['with brackets and a port', '10.0.0.1', '[2001:DB8::9]:51234', '2001:db8::9'],
    ['with brackets', '10.0.0.1', '[2001:db8::9]', '2001:db8::9'],
    ['before whom something is malformed', '10.0.0.1', 'nonsense, 192.0.2.9', '192.0.2.9'],
    ['who is malformed', '10.0.0.1', '198.51.100.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['who is left out', '10.0.0.1', '198.51.100.1,,10.0.0.2', '10.0.0.2'],
    ['whose socket is gone', undefined, '192.0.2.9', null],
  ])('%s', (_, peer, forwarded, client) => {
    expect(clientAddress(peer, forwarded, isTrusted)).toBe(client);
  });

  test('is the peer where nobody is trusted', () => {
    expect(clientAddress('10.0.0.1', '192.0.2.9', trusting())).toBe('10.0.0.1');
  });

  const seed = seedOf('ADDRESS_SEED');
  test(`is found in any spelling of it, whatever is forged before it (ADDRESS_SEED=${seed})`, () => {
    const hex = (value: number) => value.toString(16);
    const ipv4 = fc
      .tuple(fc.constantFrom(192, 198, 203), fc.nat(255), fc.nat(255), fc.nat(255))
      .map((parts) => {
        const [a, b, c, d] = parts;
        const address = parts.join('.');
        const mapped = `::ffff:${hex(a * 256 + b)}:${hex(c * 256 + d)}`;
        return {
          address,
          spellings: [address, `${address}:8080`, `::ffff:${address}`, mapped, `[${mapped.toUpperCase()}]:1`],
        };
      });
    const ipv6 = fc
      .tuple(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 1, max: 0xffff }))
      .map(([a, b]) => {
        const address = `2001:db8:9::${hex(a)}:${hex(b)}`;
        const long = `2001:0DB8:9:0:0:0:${hex(a).padStart(4, '0')}:${hex(b)}`;
        return { address, spellings: [address, long, `[${address}]`, `[${long}]:443`, `${address}%en0`] };
      });
    const someone = fc.oneof(ipv4, ipv6);
    const proxy = fc.constantFrom('10.1.2.3', '::ffff:10.9.9.9', '2001:db8:7::5', '2001:DB8:7:0:0:0:0:FF');
    const forged = fc.array(
      fc.oneof(fc.constantFrom('', 'unknown', '10.0.0.1', '2001:db8:7::1'), fc.string({ maxLength: 9 })),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(
        someone,
        fc.nat(4),
        forged,
        fc.array(proxy, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(',', ', ', ' ,\t'),
        (client, spelling, before, proxies, comma) => {
          const written = client.spellings[spelling] ?? '';
          const [peer, ...others] = proxies;
          const chain = [...before, written, ...others].join(comma);
          expect(clientAddress(peer, chain, isTrusted)).toBe(client.address);
          // Without a proxy in between, the header is the client's own.
          expect(clientAddress(client.address, chain, isTrusted)).toBe(client.address);
        },
      ),
      { seed },
    );
  });
});
