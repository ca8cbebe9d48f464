import { isIP } from 'node:net';

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads the URL of a site: `https://`, a host, and a port if it is not 443. Returns its one spelling: in lower case,
 * without a final dot, and with names of other scripts in Punycode (`xn--…`). Returns null if it is no such URL.
 */
export function readSiteUrl(text: string): string | null {
  if (!/^https:\/\/[^\s\/\\?#@%\p{C}\p{DI}]+\/?$/iv.test(text)) return null;
  const url = URL.parse(text);
  if (url === null || url.port === '0') return null;
  const host = url.hostname.replace(/\.$/, '');
  if (host.length > 253 || !host.split('.').every((part) => label.test(part))) return null;
  // `https://1` and `https://0x7f.1` are IP addresses as well.
  if (isIP(host) !== 0 && !text.includes(host)) return null;
  return `https://${host}${url.port === '' ? '' : `:${url.port}`}`;
}
