/**
 * The address of a client behind proxies. Each proxy appends to `X-Forwarded-For` from whom it got the request, and anybody
 * can send that header. So it is read from its end, and only as far as proxies have written it that are trusted.
 */
import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** Whether this address, in its one spelling, is that of a proxy whose `X-Forwarded-For` is believed. */
export type IsTrusted = (address: string) => boolean;

export const nobodyTrusted: IsTrusted = () => false;

/**
 * The address in its one spelling: IPv4 where it is IPv4, also within IPv6 (`::ffff:192.0.2.1`), otherwise IPv6 by
 * RFC 5952, without a zone. Null if it is no address.
 */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text;
  if (!isIPv6(text)) return null;
  const [address = ''] = text.split('%', 1);
  const written = new SocketAddress({ address, family: 'ipv6' }).address;
  return /^::ffff:([\d.]+)$/.exec(written)?.[1] ?? written;
}

/** Reads addresses and ranges in CIDR notation; null if one of them is neither, or is everybody's. */
export function trustedProxies(ranges: readonly string[]): IsTrusted | null {
  if (ranges.length === 0) return nobodyTrusted;
  const trusted = new BlockList();
  for (const text of ranges) {
    const range = addressRange(text);
    if (range === null) return null;
    trusted.addSubnet(range.address, range.bits, familyOf(range.address));
  }
  return (address) => trusted.check(address, familyOf(address));
}

/** Reads an address, or a range in CIDR notation; null if it is neither, or is everybody's. */
export function addressRange(range: string): { address: string; bits: number } | null {
  const [, text = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(range) ?? [];
  const address = canonicalAddress(text);
  if (address === null || text.includes('%')) return null;
  const family = familyOf(address);
  // Of an IPv4 range that is written as IPv6, the prefix counts from the start of the IPv6 address.
  const skipped = isIPv6(text) && family === 'ipv4' ? 96 : 0;
  const most = family === 'ipv4' ? 32 : 128;
  const bits = prefix === undefined ? most : Number(prefix) - skipped;
  return bits < 1 || bits > most ? null : { address, bits };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv4(address) ? 'ipv4' : 'ipv6';
}

/**
 * Who sent a request: the last address before the trusted proxies, seen from the socket. If all of them are trusted, the
 * first one. What is no address ends the search, and the client is then the proxy that has passed it on.
 *
 * @param peer the address at the other end of the socket
 * @param forwarded the header `X-Forwarded-For`
 */
export function clientAddress(
  peer: string | undefined,
  forwarded: string | undefined,
  isTrusted: IsTrusted,
): string | null {
  let client = peer === undefined ? null : canonicalAddress(peer);
  if (client === null || forwarded === undefined) return client;
  const entries = forwarded.split(',');
  while (isTrusted(client)) {
    const before = forwardedAddress(entries.pop() ?? '');
    if (before === null) break;
    client = before;
  }
  return client;
}

/** The address in an entry: some proxies write its port as well, and then IPv6 in brackets. */
function forwardedAddress(entry: string): string | null {
  const text = entry.trim();
  const [, inBrackets, beforePort] =
    /^(?:\[([^\]]*:[^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5})$/.exec(text) ?? [];
  return canonicalAddress(inBrackets ?? beforePort ?? text);
}
