/** Which addresses are anybody's on the internet: where a request that a customer asks for may go. */
import { BlockList, isIPv4 } from 'node:net';
import { canonicalAddress } from './client-address.ts';

/** The special-purpose ranges of IPv4 in the registry of IANA, multicast and what is reserved. */
const notPublic4: readonly [address: string, bits: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

/** Of IPv6 only global unicast is public, without what carries IPv4 addresses, is for documentation, or has a special purpose. */
const globalUnicast6 = ['2000::', 3] as const;
const notPublic6: readonly [address: string, bits: number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
];

const special = new BlockList();
for (const [address, bits] of notPublic4) special.addSubnet(address, bits, 'ipv4');
for (const [address, bits] of notPublic6) special.addSubnet(address, bits, 'ipv6');
const unicast = new BlockList();
unicast.addSubnet(...globalUnicast6, 'ipv6');

/** Whether the text is an address that is public. IPv4 within IPv6 counts as the IPv4 address that it is. */
export function isPublicAddress(text: string): boolean {
  const address = canonicalAddress(text);
  if (address === null) return false;
  if (isIPv4(address)) return !special.check(address, 'ipv4');
  return unicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
}
