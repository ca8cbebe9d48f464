/** To which endpoints entries may be sent: public ones over TLS, and what the operator of the deployment allows besides. */
import { canonicalAddress, type IsTrusted, nobodyTrusted } from '../../platform/client-address.ts';
import { isPublicAddress } from '../../platform/public-address.ts';

/** The networks that an operator allows although they are not public, and without TLS. */
export type StreamNetworks = { readonly isAllowed: IsTrusted; readonly isAny: boolean };

export const publicOnly: StreamNetworks = { isAllowed: nobodyTrusted, isAny: false };

/** Characters of the URL of an endpoint. */
export const longestUrl = 2_000;

/** The endpoint's URL in its one spelling; or what is wrong with it. */
export function readEndpoint(text: string): { url: string } | { problem: string } {
  const parsed = URL.parse(text);
  if (parsed === null || text.length > longestUrl || !/^https?:$/.test(parsed.protocol))
    return { problem: 'must be the URL of an endpoint: https://siem.customer.example/latchkey.' };
  if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '')
    return { problem: 'must have no user, password or fragment: messages are signed instead.' };
  return { url: parsed.href };
}

/**
 * Why nothing is sent to this URL; null: it may be, as far as the URL tells. A name may lead anywhere, so the address is checked
 * once more when a connection is made.
 */
export function problemOf(url: string, { isAllowed, isAny }: StreamNetworks): string | null {
  const { protocol, hostname } = new URL(url);
  const address = addressIn(hostname);
  if (protocol === 'http:' && !isAny) return 'must begin with https://.';
  if (address !== null && !isAllowedAddress(address, protocol, isAllowed))
    return protocol === 'http:'
      ? 'must begin with https://.'
      : 'must not lead to a private, local or reserved address.';
  return null;
}

/** Whether a connection may be made to this address for a URL with this protocol. */
export function isAllowedAddress(text: string, protocol: string, isAllowed: IsTrusted): boolean {
  const address = canonicalAddress(text);
  if (address === null) return false;
  return isAllowed(address) || (protocol === 'https:' && isPublicAddress(address));
}

/** The address that a host is, if it is none that has to be resolved. */
export function addressIn(hostname: string): string | null {
  return canonicalAddress(hostname.replace(/^\[(.*)\]$/, '$1'));
}
